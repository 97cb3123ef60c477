package ops

import (
	"io"
	"net/http"
	"time"

	"fever/ingest"
)

// healthz says that the process answers. Whether it does its work is for readyz: a
// process that is loading, or whose providers are down, is not helped by a restart.
func (o *Ops) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

// readiness is the body of /readyz.
type readiness struct {
	Status    string      `json:"status"` // ready, loading or stopping
	Events    int         `json:"events"`
	Providers []freshness `json:"providers"`
}

// freshness says how old what is known of a provider is.
type freshness struct {
	Name        string    `json:"name"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	AgeSeconds  *float64  `json:"age_seconds"` // of the last success; null: there was none
	Stale       bool      `json:"stale"`
}

// readyz says whether searches are answered. A stale provider does not change that.
func (o *Ops) readyz(w http.ResponseWriter, r *http.Request) {
	state := readiness{Status: "ready", Providers: []freshness{}}
	code := http.StatusOK
	snapshot := o.Index.Snapshot()
	switch {
	case o.stops():
		state.Status, code = "stopping", http.StatusServiceUnavailable
	case snapshot == nil:
		state.Status, code = "loading", http.StatusServiceUnavailable
	}
	if !o.authorized(r) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		text := "ok\n"
		if code != http.StatusOK {
			text = "not ok\n"
		}
		_, _ = io.WriteString(w, text)
		return
	}
	if snapshot != nil {
		state.Events = snapshot.Events
	}
	now := time.Now()
	for _, s := range o.Ingester.Status() {
		state.Providers = append(state.Providers, fresh(&s, now))
	}
	o.writeJSON(w, r, code, state)
}

// stops reports whether the service has begun to stop.
func (o *Ops) stops() bool {
	select {
	case <-o.Stopping:
		return true
	default:
		return false
	}
}

func fresh(s *ingest.Status, now time.Time) freshness {
	f := freshness{Name: s.Name, LastSuccess: s.LastSuccess, Stale: true}
	if !s.LastSuccess.IsZero() {
		age := now.Sub(s.LastSuccess)
		inSeconds := age.Seconds()
		f.AgeSeconds, f.Stale = &inSeconds, age > s.MaxAge
	}
	return f
}
