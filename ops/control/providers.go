package control

import (
	"cmp"
	"net/http"
	"time"

	"fever/ingest"
	"fever/provider/feed"
	"fever/store"
)

// A ProviderStatus is an element of GET /providers. It has neither URL nor header fields:
// they may contain secrets.
type ProviderStatus struct {
	Freshness
	MaxAgeSeconds float64 `json:"max_age_seconds"` // beyond this age it is stale
	TimeZone      string  `json:"time_zone"`

	State   string        `json:"state"`             // idle, pending or running
	Trigger store.Trigger `json:"trigger,omitempty"` // this and the next five are of the job under way
	Started time.Time     `json:"started,omitzero"`
	Page    int           `json:"page"`
	Attempt int           `json:"attempt"`
	Bytes   int64         `json:"bytes"`
	Rows    int64         `json:"rows"`

	EverySeconds   *float64   `json:"every_seconds"` // null: it has a cron expression
	Due            *time.Time `json:"due"`           // the next turn; null: none is scheduled
	Failures       int        `json:"failures"`      // in a row
	StretchSeconds float64    `json:"stretch_seconds"`
	Skipped        uint64     `json:"skipped"` // turns, since the start

	FailureKind    feed.Kind `json:"failure_kind,omitempty"`    // of the newest failure, until a job completes
	FailureMessage string    `json:"failure_message,omitempty"` // the same for people
	RejectedRows   int       `json:"rejected_rows"`             // of the latest snapshot

	Suspect ingest.Suspicion `json:"suspect,omitempty"` // why the latest snapshot as a whole is suspect

	Harvest *ingest.Harvest `json:"harvest,omitempty"` // how far its feed of changes was taken

	LastJob *store.Job `json:"last_job"` // the newest on record; null: none is
}

// providers lists the configured providers in the order of the settings.
func (s *Server) providers(r *http.Request, q *Query) (status int, data any, err error) {
	only := q.Name("provider")
	if q.Err != nil {
		return 0, nil, q.Err
	}
	now := time.Now()
	list := []ProviderStatus{}
	for _, status := range s.Ingester.Status() {
		if only != "" && only != status.Name {
			continue
		}
		p := newProviderStatus(&status, now)
		for job, err := range s.Store.Jobs(r.Context(), store.JobFilter{Provider: status.Name, Limit: 1}) {
			if err != nil {
				return 0, nil, err
			}
			p.LastJob = &job
		}
		list = append(list, p)
	}
	if only != "" && len(list) == 0 {
		return 0, nil, s.unknown(only)
	}
	return http.StatusOK, Providers{list}, nil
}

// Freshness is the age of a provider's data.
type Freshness struct {
	Name        string    `json:"name"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	AgeSeconds  *float64  `json:"age_seconds"` // of the last success; null: there was none
	Stale       bool      `json:"stale"`
}

// Fresh returns the age of a provider's data at a time.
func Fresh(s *ingest.Status, now time.Time) Freshness {
	f := Freshness{Name: s.Name, LastSuccess: s.LastSuccess.UTC().Truncate(time.Millisecond), Stale: true}
	if !s.LastSuccess.IsZero() {
		age := now.Sub(s.LastSuccess)
		inSeconds := age.Seconds()
		f.AgeSeconds, f.Stale = &inSeconds, age > s.MaxAge
	}
	return f
}

func newProviderStatus(s *ingest.Status, now time.Time) ProviderStatus {
	p := ProviderStatus{
		Freshness:      Fresh(s, now),
		MaxAgeSeconds:  s.MaxAge.Seconds(),
		TimeZone:       s.Location.String(),
		State:          cmp.Or(string(s.State), "idle"),
		Trigger:        s.Trigger,
		Started:        s.Started.UTC(),
		Page:           s.Page,
		Attempt:        s.Attempt,
		Bytes:          s.Bytes,
		Rows:           s.Rows,
		Failures:       s.Failures,
		StretchSeconds: s.Stretch.Seconds(),
		Skipped:        s.Skipped,
		FailureKind:    s.Kind,
		FailureMessage: s.Message,
		RejectedRows:   s.Rejected,
		Suspect:        s.Suspect,
	}
	if s.Harvest.Generation > 0 {
		p.Harvest = &s.Harvest
	}
	if every := s.Every.Seconds(); every > 0 {
		p.EverySeconds = &every
	}
	if due := s.Due.UTC(); !due.IsZero() {
		p.Due = &due
	}
	return p
}
