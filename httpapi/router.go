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
	notFound := func(w http.ResponseWriter, r *http.Request) { WriteError(w, r, log, errNotFound) }
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
			WriteError(w, r, log, errMethod)
		}),
		NotFound: http.HandlerFunc(notFound),
	}
	router.Handler(http.MethodGet, path, h)
	router.Handler(http.MethodHead, path, h)
	return guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if doubtful(r) {
			w.Header()["Connection"] = closes
		}
		router.ServeHTTP(w, r)
	}), log, connectionOf)
}

// doubtful reports whether another server on the way may see the end of the request
// elsewhere, and what comes next as another request: a body, which no path here reads,
// may have had a length and chunks at once, and one of HTTP/1.0 chunks that are ignored.
// Then the connection is to end (RFC 9112 section 6.1), and net/http does not see to it.
func doubtful(r *http.Request) bool {
	return r.ContentLength != 0 || r.ProtoMajor == 1 && r.ProtoMinor == 0
}

var closes = []string{"close"}

// Guard returns a handler that answers as h does, and survives its panics: they are
// logged, and the client gets a 500 with the id of the line in the log. Its answers
// are not to be taken for something else than their content type says.
func Guard(h http.Handler, log *slog.Logger) http.Handler {
	// What is shared must not be used by what a handler leaves running.
	return guard(h, log, func(*http.Request) *connection { return new(connection) })
}

func guard(h http.Handler, log *slog.Logger, of func(*http.Request) *connection) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Content-Type-Options"] = noSniff
		c := of(r)
		guarded := &c.response
		*guarded = response{ResponseWriter: w, connection: c}
		defer func() {
			if v := recover(); v != nil {
				recovered(guarded, r, v, log)
			}
			guarded.ResponseWriter = nil // an idle connection is not to hold it
		}()
		h.ServeHTTP(guarded, r)
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
	err := fault(r, log, "a handler panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	if w.started {
		panic(http.ErrAbortHandler)
	}
	WriteError(w, r, log, err)
}
