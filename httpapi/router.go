package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/julienschmidt/httprouter"
)

// newRouter returns a handler with one path, for GET, HEAD and OPTIONS; it answers
// everything else with an error and nothing with a redirect. This file is the only
// user of httprouter.
func newRouter(path string, h http.Handler, log *slog.Logger) http.Handler {
	notFound := func(w http.ResponseWriter, r *http.Request) { writeError(w, r, log, errNotFound) }
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
			writeError(w, r, log, errMethod)
		}),
		NotFound: http.HandlerFunc(notFound),
		PanicHandler: func(w http.ResponseWriter, r *http.Request, v any) {
			recovered(w.(*response), r, v, log)
		},
	}
	router.Handler(http.MethodGet, path, h)
	router.Handler(http.MethodHead, path, h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Content-Type-Options"] = noSniff
		c := connectionOf(r)
		c.response = response{ResponseWriter: w, connection: c}
		router.ServeHTTP(&c.response, r)
		c.response.ResponseWriter = nil // an idle connection is not to hold it
	})
}

var noSniff = []string{"nosniff"}

// A response knows whether anything of it has been written.
type response struct {
	http.ResponseWriter
	connection *connection
	started    bool
}

func (w *response) WriteHeader(status int) {
	w.started = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	w.started = true
	return w.ResponseWriter.Write(b)
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// recovered ends a request whose handler panicked. Once a part of the answer is out,
// only closing the connection tells the client that the rest is missing.
func recovered(w *response, r *http.Request, v any, log *slog.Logger) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	log.ErrorContext(r.Context(), "a handler panicked", "method", r.Method, "path", r.URL.Path,
		"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	if w.started {
		panic(http.ErrAbortHandler)
	}
	writeError(w, r, log, errInternal)
}
