package ops

import (
	"fmt"
	"net/http"
	"net/http/pprof" // no server here uses http.DefaultServeMux, to which it adds its handlers
	rpprof "runtime/pprof"
	"strconv"
	"strings"
	"time"

	"fever/httpapi/server"
)

// longestProfile is the longest time of recording a profile or a trace.
const longestProfile = 2 * time.Minute

// profiles adds the routes that go tool pprof uses, but for the command line, which may
// contain secrets.
func (o *Ops) profiles(mux *http.ServeMux) {
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /debug/pprof/{$}":     pprof.Index,
		"GET /debug/pprof/{name}":  o.profile,
		"GET /debug/pprof/profile": pprof.Profile,
		"GET /debug/pprof/symbol":  pprof.Symbol,
		"GET /debug/pprof/trace":   pprof.Trace,
	} {
		mux.Handle(pattern, o.Long(longestProfile, o.bounded(h)))
	}
}

// profile sends a profile of this moment, such as heap.
func (o *Ops) profile(w http.ResponseWriter, r *http.Request) {
	if rpprof.Lookup(r.PathValue("name")) == nil {
		server.WriteError(w, r, o.Log, errNotFound)
		return
	}
	pprof.Index(w, r)
}

// bounded refuses a time of recording that is no number, or too long.
func (o *Ops) bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.URL.Query()["seconds"]
		for _, text := range given {
			n, err := strconv.Atoi(text) // pprof would take 30 for some values that are no whole number
			if most := int(longestProfile / time.Second); err != nil || n < 1 || n > most || len(given) > 1 {
				server.WriteError(w, r, o.Log, &server.Error{
					Status: http.StatusBadRequest, Code: "invalid_parameter",
					Message: fmt.Sprintf("seconds is %.40q: give one whole number from 1 to %d", strings.Join(given, ", "), most),
				})
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}
