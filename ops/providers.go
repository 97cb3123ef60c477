package ops

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"fever/httpapi/server"
	"fever/ingest"
	"fever/provider/feed"
	"fever/store"
)

// providerStatus is one element of /providers. It has no URL and no header: they may
// hold secrets.
type providerStatus struct {
	freshness
	MaxAgeSeconds float64 `json:"max_age_seconds"` // from this age on it is stale
	TimeZone      string  `json:"time_zone"`

	State   string        `json:"state"`             // idle, pending or running
	Trigger store.Trigger `json:"trigger,omitempty"` // of the job under way, like the next four
	Started time.Time     `json:"started,omitzero"`
	Attempt int           `json:"attempt"`
	Bytes   int64         `json:"bytes"`
	Rows    int64         `json:"rows"`

	EverySeconds   *float64   `json:"every_seconds"` // null: it has a schedule of its own
	Due            *time.Time `json:"due"`           // the next turn; null: none is scheduled
	Failures       int        `json:"failures"`      // in a row
	StretchSeconds float64    `json:"stretch_seconds"`
	Skipped        uint64     `json:"skipped"` // turns, since the start

	FailureKind    feed.Kind `json:"failure_kind,omitempty"`    // of the newest failure, until a job completes
	FailureMessage string    `json:"failure_message,omitempty"` // the same for people
	RejectedRows   int       `json:"rejected_rows"`             // of the latest snapshot

	Suspect ingest.Suspicion `json:"suspect,omitempty"` // why the latest snapshot is, as a whole

	LastJob *store.Job `json:"last_job"` // the newest on record; null: none is
}

// providers lists the configured providers in their order.
func (o *Ops) providers(r *http.Request) (status int, data any, err error) {
	q, err := parse(r)
	if err != nil {
		return 0, nil, err
	}
	only := q.provider()
	if q.err != nil {
		return 0, nil, q.err
	}
	now := time.Now()
	list := []providerStatus{}
	for _, s := range o.Ingester.Status() {
		if only != "" && only != s.Name {
			continue
		}
		p := newProviderStatus(&s, now)
		for job, err := range o.Store.Jobs(r.Context(), store.JobFilter{Provider: s.Name, Limit: 1}) {
			if err != nil {
				return 0, nil, err
			}
			p.LastJob = &job
		}
		list = append(list, p)
	}
	if only != "" && len(list) == 0 {
		return 0, nil, o.unknown(only)
	}
	return http.StatusOK, map[string]any{"providers": list}, nil
}

func newProviderStatus(s *ingest.Status, now time.Time) providerStatus {
	p := providerStatus{
		freshness:      fresh(s, now),
		MaxAgeSeconds:  s.MaxAge.Seconds(),
		TimeZone:       s.Location.String(),
		State:          cmp.Or(string(s.State), "idle"),
		Trigger:        s.Trigger,
		Started:        s.Started.UTC(),
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
	if every := s.Every.Seconds(); every > 0 {
		p.EverySeconds = &every
	}
	if due := s.Due.UTC(); !due.IsZero() {
		p.Due = &due
	}
	return p
}

// unknown is the error for a provider that is not configured.
func (o *Ops) unknown(name string) error {
	var known []string
	for _, s := range o.Ingester.Status() {
		known = append(known, s.Name)
	}
	return &server.Error{
		Status:  http.StatusNotFound,
		Code:    "unknown_provider",
		Message: "no provider has this name, " + name + ": there are " + strings.Join(known, ", "),
	}
}
