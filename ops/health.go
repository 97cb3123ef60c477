package ops

import (
	"io"
	"net/http"
	"time"

	"fever/httpapi/server"
	"fever/ingest"
	"fever/ops/control"
)

// healthz says whether a restart would help. It does when the process does not answer, or
// cannot use its data file any more. Whether it answers searches is for readyz: a process
// that is loading, or whose providers are down, is not helped.
func (o *Ops) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ok\n"
	if o.Store == nil { // it is waited for
		_, _ = io.WriteString(w, text)
		return
	}
	if err := o.Store.Broken(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = "not ok\n"
		if o.authorized(r) {
			text = err.Error() + "\n"
		}
	}
	_, _ = io.WriteString(w, text)
}

// readiness is the body of /readyz.
type readiness struct {
	Status    string           `json:"status"` // ready or, if it is not, waiting (for the data file), loading, collecting, draining or stopping
	Events    int              `json:"events"`
	Providers []providerHealth `json:"providers"`
}

// providerHealth is what /readyz says of a provider.
type providerHealth struct {
	control.Freshness
	NotReady string `json:"not_ready,omitempty"` // why the service is not ready for its sake, while it is collecting
}

// readyz says whether to send searches here: what is stored is loaded, and what the
// providers had to say at first has come. A stale provider does not change that.
func (o *Ops) readyz(w http.ResponseWriter, r *http.Request) {
	state := readiness{Status: o.state(), Providers: []providerHealth{}}
	now := time.Now()
	for _, s := range o.Ingester.Status() {
		p := providerHealth{Freshness: control.Fresh(&s, now)}
		if o.awaits(&s) {
			p.NotReady = unsettled(&s)
		}
		state.Providers = append(state.Providers, p)
	}
	if snapshot := o.Index.Snapshot(); snapshot != nil {
		state.Events = snapshot.Events
	}
	o.tellReadiness(w, r, state)
}

// state says in a word whether the service is ready.
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

// awaits reports whether the service is not ready for a provider's sake.
func (o *Ops) awaits(s *ingest.Status) bool { return !s.Settled && !o.ReadyWhenLoaded }

// tellReadiness answers with a state, or with ok and not ok alone to those without the
// token.
func (o *Ops) tellReadiness(w http.ResponseWriter, r *http.Request, state readiness) {
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

// unsettled says what is missing of a provider's first snapshot.
func unsettled(s *ingest.Status) string {
	if s.Kind == "" {
		return "its first job has not ended"
	}
	return "it has no snapshot yet, nor has another provider: " + string(s.Kind) + ": " + s.Message
}

var errWaiting = &server.Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the data file is not open yet: /healthz and /readyz answer"}

// NewWaiting returns the handler of the ops listener for as long as the data file is not
// open: it says that the process lives, and is not ready. Of o it needs the token and the
// log.
func NewWaiting(o Ops) http.Handler {
	return o.protect(o.admit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			o.healthz(w, r)
		case "/readyz":
			o.tellReadiness(w, r, readiness{Status: "waiting", Providers: []providerHealth{}})
		default:
			server.WriteError(w, r, o.Log, errWaiting)
		}
	})))
}

// ended reports whether a channel is closed. One that is nil never is.
func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
