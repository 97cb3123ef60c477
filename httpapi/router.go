package httpapi

import (
	"log/slog"
	"net/http"

	"github.com/julienschmidt/httprouter"

	"fever/httpapi/server"
)

// newRouter returns a handler with one path, for GET, HEAD and OPTIONS; it answers
// everything else with an error and nothing with a redirect. This file is the only
// user of httprouter.
func newRouter(path string, h http.Handler, log *slog.Logger) http.Handler {
	notFound := func(w http.ResponseWriter, r *http.Request) { server.WriteError(w, r, log, errNotFound) }
	router := &httprouter.Router{
		HandleOPTIONS: true,
		GlobalOPTIONS: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}),
		HandleMethodNotAllowed: true,
		MethodNotAllowed: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "*" { // which is for OPTIONS; the router means all paths by it
				w.Header().Del("Allow")
				notFound(w, r)
				return
			}
			server.WriteError(w, r, log, errMethod)
		}),
		NotFound: http.HandlerFunc(notFound),
	}
	router.Handler(http.MethodGet, path, h)
	router.Handler(http.MethodHead, path, h)
	return server.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ambiguous(r) {
			w.Header()["Connection"] = closes
		}
		router.ServeHTTP(w, r)
	}), log)
}

// ambiguous reports whether another server on the way may see the end of the request
// elsewhere, and take what comes next for another request: a body, which no path here
// reads, may have had a length and chunks at once, and one of HTTP/1.0 may have chunks
// that are ignored. Then the connection has to end (RFC 9112 section 6.1), and net/http
// does not see to it.
func ambiguous(r *http.Request) bool {
	return r.ContentLength != 0 || r.ProtoMajor == 1 && r.ProtoMinor == 0
}

var closes = []string{"close"}
