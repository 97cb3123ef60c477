package explain

import (
	"context"
	"time"

	"github.com/google/uuid"

	"fever/event"
	"fever/store"
)

// A Renamed says that an event had another id, as its provider had another name.
type Renamed struct {
	From   string    `json:"from"`   // the name then
	Record uint64    `json:"record"` // of the renaming: a job's id
	At     time.Time `json:"at"`
}

// formerly returns the event that a text named before its provider was renamed, as far as the records of that are
// kept, or nil. It reads all keys of a provider to find a public id.
func formerly(ctx context.Context, st store.Store, text string) (*event.Record, *Renamed, error) {
	w := wantedBy(text)
	if w.ID == uuid.Nil && len(w.Keys) == 0 {
		return nil, nil, nil
	}
	type names struct{ from, to string }
	latest := make(map[names]bool)
	var records []store.Job // of renamings, the newest first, once for two names
	for job, err := range st.Jobs(ctx, store.JobFilter{}) {
		if err != nil {
			return nil, nil, err
		}
		if of := (names{job.RenamedFrom(), job.Provider}); of.from != "" && !latest[of] {
			latest[of] = true
			records = append(records, job)
		}
	}
	for i := range records {
		record := &records[i]
		renamed := &Renamed{record.RenamedFrom(), record.ID, record.Started}
		for r, err := range st.Records(ctx, store.Filter{Provider: record.Provider, Window: event.Always}) {
			if err != nil {
				return nil, nil, err
			}
			if w.Is(event.Key{Provider: renamed.From, BaseID: r.BaseID, EventID: r.EventID}) {
				return &r, renamed, nil
			}
		}
	}
	return nil, nil, nil
}
