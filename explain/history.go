package explain

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"fever/event"
	"fever/store"
)

// Versions yields the versions of the event that a text names, the present one first: see
// [store.Store.Versions]. The text is a public id, or provider/base id/event id. It yields nothing for
// an event that is not stored, and an [*AmbiguousError] for the name of several.
func Versions(ctx context.Context, st store.Store, text string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		key, err := keyOf(ctx, st, text)
		if err != nil {
			yield(store.Version{}, err)
			return
		}
		st.Versions(ctx, key)(yield)
	}
}

// An AmbiguousError is a name of several events: their ids have slashes.
type AmbiguousError struct {
	Name   string
	Events []event.Key
}

// Error lists the events, for people.
func (e *AmbiguousError) Error() string {
	var events []string
	for _, key := range e.Events {
		events = append(events, fmt.Sprintf("%s (%s)", key.ID(), ids(key)))
	}
	return fmt.Sprintf("%s names %d events: ask for one by its public id: %s", e.Name, len(events), strings.Join(events, ", "))
}

// keyOf returns the key of the event that a text names, or one that is not stored. The error is an
// [*AmbiguousError] if it names several.
func keyOf(ctx context.Context, st store.Store, text string) (key event.Key, err error) {
	var found []event.Record
	if id, ok := publicID(text); ok {
		found, err = named(ctx, st, store.Filter{ID: id})
	} else {
		found, err = withKeys(ctx, st, text)
	}
	switch {
	case err != nil || len(found) == 0:
		return key, err
	case len(found) == 1:
		return found[0].Key, nil
	}
	ambiguous := &AmbiguousError{Name: text}
	for i := range found {
		ambiguous.Events = append(ambiguous.Events, found[i].Key)
	}
	return key, ambiguous
}

// MaxChanges is the most changes of an event that [Explain] tells.
const MaxChanges = 100

// A Change says what changed in an event, when, and what it was then. The oldest version that is known
// has no What: nobody knows what it was before.
type Change struct {
	At   time.Time `json:"at"`
	Job  uint64    `json:"job,omitempty"`  // brought it; 0: no job did
	What []string  `json:"what,omitempty"` // for people: "prices 25, was 20"

	MinPrice event.Price `json:"min_price"`
	Tickets  int64       `json:"tickets"` // left in all zones, as far as its provider said; 0 if it is sold out
}

// addHistory adds the latest changes of an event.
func (e *Event) addHistory(ctx context.Context, st store.Store) error {
	var later *store.Version
	for v, err := range st.Versions(ctx, e.Key) {
		switch {
		case err != nil:
			return err
		case len(e.History) == MaxChanges:
			return nil
		case later != nil:
			e.History = append(e.History, changeOf(later, Changed(&v.Record, &later.Record)))
		}
		later = &v
	}
	if len(e.History) > 0 {
		e.History = append(e.History, changeOf(later, nil))
	}
	return nil
}

func changeOf(v *store.Version, what []string) Change {
	lowest, _ := v.PriceRange()
	c := Change{At: v.At, Job: v.Job, What: what, MinPrice: lowest}
	if !v.SoldOut {
		c.Tickets, _ = left(&v.Event)
	}
	return c
}
