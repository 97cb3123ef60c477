package explain

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

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
	if id, err := uuid.Parse(text); err == nil {
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
const MaxChanges = 10

// A Change says what changed in an event, and when.
type Change struct {
	At   time.Time `json:"at"`
	Job  uint64    `json:"job,omitempty"` // brought it; 0: no job did
	What []string  `json:"what"`          // for people: "prices 25, was 20"
}

// addHistory adds the latest changes of an event.
func (e *Event) addHistory(ctx context.Context, st store.Store) error {
	var later *store.Version
	for v, err := range st.Versions(ctx, e.Key) {
		switch {
		case err != nil:
			return err
		case later != nil && len(e.History) == MaxChanges:
			return nil
		case later != nil:
			e.History = append(e.History, Change{later.At, later.Job, Changed(&v.Record, &later.Record)})
		}
		later = &v
	}
	return nil
}
