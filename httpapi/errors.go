package httpapi

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

// These are the ways in which a search can fail, but for a fault of ours.
// errUnavailable is for a server that listens before its index is loaded: an empty
// answer would be a lie.
var (
	errNotFound    = &Error{http.StatusNotFound, "not_found", "there is nothing here: events are found at /search"}
	errMethod      = &Error{http.StatusMethodNotAllowed, "method_not_allowed", "this path answers to GET and HEAD"}
	errUnavailable = &Error{http.StatusServiceUnavailable, "unavailable", "the events are being loaded: try again in a moment"}
	errOverloaded  = &Error{http.StatusServiceUnavailable, "overloaded", "too many requests at once: try again in a moment"}
)

func invalidParameter(message string) error {
	return &Error{http.StatusBadRequest, "invalid_parameter", message}
}

func invalidRange(message string) error {
	return &Error{http.StatusBadRequest, "invalid_range", message}
}

// retryAfter is for how long a client should stay away after a 503, in seconds.
const retryAfter = "1"

// WriteError answers with err if it is an [Error]. Any other error is a bug, or news
// about the inside: it goes to the log, and the client learns no more than an id to
// find it there.
//
// No error is to be stored by a cache: 404 and 405 could be otherwise (RFC 9110
// section 15.1), and each may have passed with the next request.
func WriteError(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = fault(r, log, "request failed", "error", err)
	}
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
		Data *struct{} `json:"data"`
	}
	body.Error.Code, body.Error.Message = e.Code, e.Message
	text, _ := json.Marshal(body) // two strings always have an encoding

	header := w.Header()
	header["Content-Type"] = typeJSON
	header.Set("Content-Length", strconv.Itoa(len(text)))
	header.Set("Cache-Control", "no-store")
	// An answer that failed half-way may have set these.
	header.Del("Content-Encoding")
	header.Del("Etag")
	header.Del("Vary")
	if e.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) // it fails when the client has gone: there is nobody to tell
	}
}

// idLen is enough to find one line in a log, and to be read out over a telephone.
const idLen = 8

// fault logs what went wrong here and returns what the client may know of it. Both
// have the same random id. The query is left out: it is the client's own affair.
func fault(r *http.Request, log *slog.Logger, message string, attrs ...any) *Error {
	id := rand.Text()[:idLen]
	log.With("request", id, "method", r.Method, "path", r.URL.Path).ErrorContext(r.Context(), message, attrs...)
	return &Error{
		http.StatusInternalServerError, "internal",
		"something went wrong here: it is no fault of the request, which the log has as " + id,
	}
}
