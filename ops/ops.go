// Package ops is what those who run the service see and steer it by: the ops listener
// with health, metrics, jobs, the status page and profiles, and the control socket
// beside the data file. The public listener has nothing of it.
package ops

import (
	"net/http"

	"fever/ops/control"
	"fever/ops/page"
	"fever/provider"
)

// An Ops has all that there is to see and to steer.
type Ops struct {
	control.Server
	Search  http.Handler // the public handler, for the status page to try a search with
	Metrics *Metrics
	OpenAPI []byte // the document of the public API
	// Token is asked of every request but those for health, which without it say no more
	// than ok or not. When it is empty, requests must be for a loopback address.
	Token   string
	Version string
	// ReadyWhenLoaded has the service be ready before anything was collected.
	ReadyWhenLoaded bool
}

// New returns the handler of the ops listener.
func New(o Ops) http.Handler {
	return o.protect(o.admit(o.strict(o.routes())))
}

// NewControl returns the handler of the control socket: what the ops listener has, and
// what the commands of fever do by way of a server that holds their data file.
// Documents that it is given are read as those of the providers.
//
// It asks for no token: who may write to the socket may also read the data file.
func NewControl(o Ops, providers ...*provider.Provider) http.Handler {
	o.Token, o.Providers = "", providers
	mux := o.routes()
	o.SocketRoutes(mux)
	return o.protect(o.strict(mux))
}

// routes returns what the ops listener and the control socket both answer to.
func (o *Ops) routes() *http.ServeMux {
	mux := http.NewServeMux()
	status := &page.Page{
		Index: o.Index, Ingester: o.Ingester, Store: o.Store, Search: o.Search, Version: o.Version, Log: o.Log,
		State: o.state, Traffic: o.Metrics.traffic,
	}
	status.Routes(mux)
	o.Routes(mux)
	mux.Handle("GET /metrics", o.Metrics)
	mux.HandleFunc("GET /healthz", o.healthz)
	mux.HandleFunc("GET /readyz", o.readyz)
	o.docs(mux)
	o.profiles(mux)
	return mux
}
