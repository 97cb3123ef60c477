// Package ops is for the people who run the service, and for their programs. It has the
// handler of the ops listener, with health, metrics, jobs, the status page and profiles, and
// that of the control socket beside the data file. The public listener has none of this.
package ops

import (
	"net/http"

	"fever/ingest/sandbox"
	"fever/ops/control"
	"fever/ops/page"
	"fever/ops/publish"
	"fever/provider"
)

// An Ops has everything that the handlers show and control.
type Ops struct {
	control.Server
	Search  http.Handler // the public handler, for the status page to try a search with
	Metrics *Metrics
	OpenAPI []byte // the document of the public API
	// Token is required of every request but those for health, which without it get only ok
	// or not ok. When it is empty, requests must be for a loopback address.
	Token   string
	Version string
	// Entry is for the page to try a provider: see [page.Page].
	Entry func(settings []byte, most int64) (*sandbox.Sandbox, error)
	// ReadyWhenLoaded makes the service ready as soon as the stored events are loaded.
	ReadyWhenLoaded bool
}

// New returns the handler of the ops listener.
func New(o Ops) http.Handler {
	return o.protect(o.admit(o.strict(o.routes())))
}

// NewControl returns the handler of the control socket. It has the routes of the ops
// listener, and those by which the commands of fever use a data file that this process
// holds. The providers read the documents that commands send.
//
// It needs no token: the users who can write to the socket can also read the data file.
func NewControl(o Ops, providers ...*provider.Provider) http.Handler {
	o.Token, o.Providers = "", providers
	mux := o.routes()
	o.SocketRoutes(mux)
	return o.protect(o.strict(mux))
}

// routes returns the routes that the ops listener and the control socket share.
func (o *Ops) routes() *http.ServeMux {
	mux := http.NewServeMux()
	status := &page.Page{
		Index: o.Index, Ingester: o.Ingester, Store: o.Store, Documents: &o.Documents, Search: o.Search, Version: o.Version, Log: o.Log, Entry: o.Entry,
		State: o.state, Traffic: o.Metrics.traffic,
	}
	if o.Metrics.Replicas != nil {
		status.Replicas = o.Metrics.Replicas.read
	}
	status.Routes(mux)
	o.Routes(mux)
	publish.New(&o.Server).Routes(mux)
	mux.Handle("GET /metrics", o.Metrics)
	mux.HandleFunc("GET /healthz", o.healthz)
	mux.HandleFunc("GET /readyz", o.readyz)
	o.docs(mux)
	o.profiles(mux)
	return mux
}
