package server

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
)

// An Error is an error that a client may see as it is.
type Error struct {
	Status  int    // of HTTP
	Code    string // for programs: a word
	Message string // for people: what is wrong and what to do
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// ErrOverloaded is for a request that comes when there are as many as there may be.
var ErrOverloaded = &Error{http.StatusServiceUnavailable, "overloaded", "too many requests at once: try again in a moment"}

// retryAfter is how long a client should wait after a 503, in seconds.
const retryAfter = "1"

// An errorBody is an error as JSON.
type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Data *struct{} `json:"data"`
}

// body returns the error as JSON.
func (e *Error) body() []byte {
	var body errorBody
	body.Error.Code, body.Error.Message = e.Code, e.Message
	text, _ := json.Marshal(body) // two strings always have an encoding
	return text
}

// WriteError answers with err if it wraps an [Error]. Any other error is a bug, or says
// something about the inside: it goes to the log, and the client gets a 500 with an id
// that finds it there.
//
// No cache may store an error: 404 and 405 are heuristically cacheable (RFC 9110 section
// 15.1), and each error may have passed by the next request.
func WriteError(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = internal(r, log, "request failed", "error", err)
	}
	text := e.body()
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	header.Set("Cache-Control", "no-store")
	// A handler that failed half-way may have set these.
	header.Del("Content-Encoding")
	header.Del("Etag")
	header.Del("Vary")
	if e.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) // it fails when the client has gone: nobody is left to tell
	}
}

// idLen is enough to find one line in a log, and to read it out over a telephone.
const idLen = 8

// internal logs an error of ours and returns what the client may know of it. Both have
// the same random id. The query is not logged: it is private to the client.
func internal(r *http.Request, log *slog.Logger, message string, attrs ...any) *Error {
	id := rand.Text()[:idLen]
	log.With("request", id, "method", r.Method, "path", r.URL.Path).ErrorContext(r.Context(), message, attrs...)
	return &Error{
		http.StatusInternalServerError, "internal",
		"something went wrong here: it is no fault of the request, which the log has as " + id,
	}
}
