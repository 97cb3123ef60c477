package ops

import (
	"io"
	"net/http"
	"time"

	"fever/httpapi/server"
	"fever/ingest"
	"fever/ops/control"
)

// healthz tells whether a restart would help. It would when the process does not answer, or
// can no longer use its data file. It would not while the process is loading or the
// providers are down: readyz tells whether to send searches.
func (o *Ops) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ok\n"
	if o.Store == nil { // the data file is not open yet
		_, _ = io.WriteString(w, text)
		return
	}
	if err := o.Store.Stats().Broken; err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = "not ok\n"
		if o.authorized(r) {
			text = err.Error() + "\n"
		}
	}
	_, _ = io.WriteString(w, text)
}

// readyz tells whether to send searches here. It is ready when the stored events are loaded
// and the providers have had a first snapshot. A stale provider does not change that, nor does a
// database that does not answer: searches go on from memory.
func (o *Ops) readyz(w http.ResponseWriter, r *http.Request) {
	state := control.Readiness{Status: o.state(), Providers: []control.ProviderReadiness{}}
	now := time.Now()
	for _, s := range o.Ingester.Status() {
		p := control.ProviderReadiness{Freshness: control.Fresh(&s, now)}
		if o.awaits(&s) {
			p.NotReady = unsettled(&s)
		}
		state.Providers = append(state.Providers, p)
	}
	if stats := o.Store.Stats(); !stats.Down.IsZero() {
		state.Store = &control.StoreDown{Down: stats.Down.UTC(), Why: stats.Why.Error()}
	}
	if snapshot := o.Index.Snapshot(); snapshot != nil {
		state.Events = snapshot.Events
	}
	o.tellReadiness(w, r, state)
}

// state returns the Status of [control.Readiness].
func (o *Ops) state() string {
	switch {
	case ended(o.Stopping):
		return "stopping"
	case ended(o.Draining):
		return "draining"
	case o.Index.Snapshot() == nil:
		return "loading"
	}
	for _, s := range o.Ingester.Status() {
		if o.awaits(&s) {
			return "collecting"
		}
	}
	return "ready"
}

// awaits reports whether the service waits for a provider before it is ready.
func (o *Ops) awaits(s *ingest.Status) bool { return !s.Settled && !o.ReadyWhenLoaded }

// tellReadiness sends the state. Without the token a client gets only ok or not ok.
func (o *Ops) tellReadiness(w http.ResponseWriter, r *http.Request, state control.Readiness) {
	code, text := http.StatusOK, "ok\n"
	if state.Status != "ready" {
		code, text = http.StatusServiceUnavailable, "not ok\n"
	}
	if o.authorized(r) {
		o.WriteJSON(w, r, code, state)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text)
}

// unsettled tells why a provider has no first snapshot yet.
func unsettled(s *ingest.Status) string {
	if s.Kind == "" {
		return "its first job has not ended"
	}
	return "it has no snapshot yet, nor has another provider: " + string(s.Kind) + ": " + s.Message
}

var errWaiting = &server.Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the data file is not open yet: /healthz and /readyz answer"}

// NewWaiting returns the handler of the ops listener until the data file is open. It answers
// that the process is alive and not ready. It needs only the token and the log of o.
func NewWaiting(o Ops) http.Handler {
	return o.protect(o.admit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			o.healthz(w, r)
		case "/readyz":
			o.tellReadiness(w, r, control.Readiness{Status: "waiting", Providers: []control.ProviderReadiness{}})
		default:
			server.WriteError(w, r, o.Log, errWaiting)
		}
	})))
}

// ended reports whether a channel is closed. A nil channel never is.
func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
