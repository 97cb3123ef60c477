package httpapi

import (
	"log/slog"
	"net/http"

	"github.com/julienschmidt/httprouter"

	"fever/httpapi/server"
)

// newRouter returns a handler with one path, for GET, HEAD and OPTIONS, also from pages of the
// given origins. It answers everything else with an error, and nothing with a redirect. Only this
// file uses httprouter.
func newRouter(path string, h http.Handler, origins []string, log *slog.Logger) http.Handler {
	notFound := func(w http.ResponseWriter, r *http.Request) { server.WriteError(w, r, log, errNotFound) }
	router := &httprouter.Router{
		HandleOPTIONS: true,
		GlobalOPTIONS: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}),
		HandleMethodNotAllowed: true,
		MethodNotAllowed: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "*" { // only OPTIONS has this path; for the router it means all paths
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
	return server.Unwatched{Handler: server.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ambiguous(r) {
			w.Header()["Connection"] = closes
		}
		if len(origins) > 0 {
			allowOrigin(w.Header(), r, origins)
		}
		router.ServeHTTP(w, r)
	}), log)}
}

// ambiguous reports whether another server on the way may see the end of the request
// elsewhere, and take what follows for another request. A request with a body, which no path
// here reads, may have both a length and chunks; one of HTTP/1.0 may have chunks that we
// ignore. Then the connection has to end (RFC 9112 section 6.1). net/http keeps it.
func ambiguous(r *http.Request) bool {
	return r.ContentLength != 0 || r.ProtoMajor == 1 && r.ProtoMinor == 0
}

var closes = []string{"close"}
