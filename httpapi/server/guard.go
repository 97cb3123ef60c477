package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// Guard returns a handler that answers as h does and survives its panics: a panic is
// logged, and the client gets a 500 with the id of the line in the log. Every answer says
// nosniff, so that no browser guesses another content type than the one it has.
//
// The writer that h gets is the one that [SendBody] sends fastest to.
func Guard(h http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Content-Type-Options"] = noSniff
		guarded := responses.Get().(*response)
		guarded.ResponseWriter, guarded.conn = w, connOf(r)
		defer func() {
			if v := recover(); v != nil {
				recovered(guarded, r, v, log) // and leave it to the collector
				return
			}
			*guarded = response{yield: guarded.yield}
			responses.Put(guarded)
		}()
		h.ServeHTTP(guarded, r)
	})
}

// noSniff is shared: net/http copies the header, and nobody changes a value in place.
var noSniff = []string{"nosniff"}

// A response knows whether any of it was written, and sends a body: see [SendBody].
type response struct {
	http.ResponseWriter       // of the server, or of middleware
	conn                *conn // nil when the server is not from [Serve]
	started             bool

	began       time.Time     // of the body
	size, taken int64         // of the body, in bytes, and of these by the client
	rest        net.Buffers   // of the piece that is being sent
	direct      io.ReaderFrom // sends pieces without a copy; nil: there is none
	err         error         // that ended the sending

	yield func(net.Buffers) bool // send, made once
}

// responses has those of requests that have ended: a handler must not use its writer any
// longer.
var responses = sync.Pool{New: func() any { return newResponse(nil) }}

func newResponse(w http.ResponseWriter) *response {
	r := &response{ResponseWriter: w}
	r.yield = r.send
	return r
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

// recovered ends a request whose handler panicked. Once a part of the answer is sent,
// only the end of the connection tells the client that the rest is missing.
func recovered(w *response, r *http.Request, v any, log *slog.Logger) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	err := internal(r, log, "a handler panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	if w.started {
		panic(http.ErrAbortHandler)
	}
	WriteError(w, r, log, err)
}
