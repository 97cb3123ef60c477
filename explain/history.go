package explain

import (
	"context"
	"iter"
	"time"

	"fever/event"
	"fever/store"
)

// Versions yields the versions of the event that a text names, the present one first: see
// [store.Store.Versions]. The text is a public id, or provider/base id/event id. It yields nothing for
// an event that is not stored.
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

// keyOf returns the key of the event that a text names, or one that is not stored.
func keyOf(ctx context.Context, st store.Store, text string) (key event.Key, err error) {
	var found []event.Record
	if id, ok := publicID(text); ok {
		found, err = named(ctx, st, store.Filter{ID: id})
		if err != nil {
			return key, err
		}
	}
	for key := range keys(text) {
		if len(found) > 0 {
			break
		}
		if found, err = named(ctx, st, store.Filter{Key: key}); err != nil {
			return key, err
		}
	}
	if len(found) > 0 {
		key = found[0].Key
	}
	return key, nil
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
