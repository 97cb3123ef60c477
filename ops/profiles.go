package ops

import (
	"net/http"
	"net/http/pprof" // what it adds to http.DefaultServeMux is served by nobody
	rpprof "runtime/pprof"
	"strconv"
	"time"

	"fever/httpapi/server"
)

// longestProfile bounds how long a profile or a trace is recorded.
const longestProfile = 2 * time.Minute

// profiles adds what go tool pprof asks for. The command line is not among it: it may
// hold secrets.
func (o *Ops) profiles(mux *http.ServeMux) {
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /debug/pprof/{$}":     pprof.Index,
		"GET /debug/pprof/{name}":  o.profile,
		"GET /debug/pprof/profile": pprof.Profile,
		"GET /debug/pprof/symbol":  pprof.Symbol,
		"GET /debug/pprof/trace":   pprof.Trace,
	} {
		mux.Handle(pattern, o.long(longestProfile, o.bounded(h)))
	}
}

// profile answers with a profile of what is there now, such as heap.
func (o *Ops) profile(w http.ResponseWriter, r *http.Request) {
	if rpprof.Lookup(r.PathValue("name")) == nil {
		server.WriteError(w, r, o.Log, errNotFound)
		return
	}
	pprof.Index(w, r)
}

// bounded refuses a profile of a time that is none, or too long.
func (o *Ops) bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := parse(r)
		if err == nil {
			if text, given := q.text("seconds"); given {
				// What is no whole number counts as 30 of them with some profiles.
				n, bad := strconv.Atoi(text)
				if most := int(longestProfile / time.Second); bad != nil || n < 1 || n > most {
					q.fail("seconds is %.40q, which is not a whole number from 1 to %d", text, most)
				}
			}
			err = q.err
		}
		if err != nil {
			server.WriteError(w, r, o.Log, err)
			return
		}
		h.ServeHTTP(w, r)
	})
}
