// Package ops is what those who run the service see and steer it by: the ops listener
// with health, metrics, jobs, the status page and profiles, and the control socket
// beside the data file. The public listener has nothing of it.
package ops

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"

	"fever/httpapi/server"
	"fever/index"
	"fever/ingest"
	"fever/store/bolt"
)

// An Ops has all that there is to see and to steer.
type Ops struct {
	Index    *index.Index
	Ingester *ingest.Ingester
	Store    *bolt.Store
	Search   http.Handler // the public handler, for the status page to try a search with
	Metrics  *Metrics
	OpenAPI  []byte // the document of the public API
	// Token is asked of every request but those for health, which without it say no more
	// than ok or not. When it is empty, requests must be for a loopback address.
	Token   string
	Version string
	// ReadyWhenLoaded has the service be ready before anything was collected.
	ReadyWhenLoaded bool
	// Draining is closed when no more jobs begin and searches are to be sent elsewhere,
	// and Stopping when they are no longer accepted; nil: never.
	Draining, Stopping <-chan struct{}
	Log                *slog.Logger
}

// New returns the handler of the ops listener.
func New(o Ops) http.Handler {
	return o.protect(o.admit(o.strict(o.routes())))
}

// routes returns what the ops listener and the control socket both answer to.
func (o *Ops) routes() *http.ServeMux {
	mux := http.NewServeMux()
	o.page(mux)
	mux.Handle("GET /metrics", o.Metrics)
	mux.HandleFunc("GET /healthz", o.healthz)
	mux.HandleFunc("GET /readyz", o.readyz)
	mux.HandleFunc("GET /openapi.yaml", o.openAPI)
	mux.HandleFunc("GET /docs", o.docs())
	mux.Handle("GET /providers", o.answer(o.providers))
	mux.Handle("GET /jobs", o.answer(o.jobs))
	mux.Handle("POST /sync", o.bodiless(o.long(longestWait, o.answer(o.sync))))
	o.profiles(mux)
	return mux
}

// answer returns a handler that sends what f returns: data with its status, in the
// shape of all answers, or an error.
func (o *Ops) answer(f func(*http.Request) (status int, data any, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, data, err := f(r)
		if err != nil {
			server.WriteError(w, r, o.Log, err)
			return
		}
		o.writeJSON(w, r, status, struct {
			Data  any       `json:"data"`
			Error *struct{} `json:"error"`
		}{Data: data})
	})
}

// writeJSON sends v.
func (o *Ops) writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // it is sent as JSON, and read by people
	if err := encoder.Encode(v); err != nil {
		server.WriteError(w, r, o.Log, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // it fails when the client has gone: there is nobody to tell
}
