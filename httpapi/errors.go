package httpapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
)

// An apiError is an error that a client may see as it is.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.message }

// These are all the ways in which a request can fail. errUnavailable is for a server
// that listens before its index is loaded: an empty answer would be a lie.
var (
	errNotFound    = &apiError{http.StatusNotFound, "not_found", "there is nothing here: events are found at /search"}
	errMethod      = &apiError{http.StatusMethodNotAllowed, "method_not_allowed", "this path answers to GET and HEAD"}
	errInternal    = &apiError{http.StatusInternalServerError, "internal", "something went wrong here: it is no fault of the request"}
	errUnavailable = &apiError{http.StatusServiceUnavailable, "unavailable", "the events are being loaded: try again in a moment"}
	errOverloaded  = &apiError{http.StatusServiceUnavailable, "overloaded", "too many requests at once: try again in a moment"}
)

func invalidParameter(message string) error {
	return &apiError{http.StatusBadRequest, "invalid_parameter", message}
}

func invalidRange(message string) error {
	return &apiError{http.StatusBadRequest, "invalid_range", message}
}

// retryAfter is for how long a client should stay away after a 503, in seconds.
const retryAfter = "1"

// writeError answers with err if it is an [apiError]. Any other error is a bug, or
// news about the inside: it goes to the log, and the client learns no more than that.
//
// No error is to be stored by a cache: 404 and 405 could be otherwise (RFC 9110
// section 15.1), and each may have passed with the next request.
func writeError(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		e = errInternal
	}
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
		Data *struct{} `json:"data"`
	}
	body.Error.Code, body.Error.Message = e.code, e.message
	text, _ := json.Marshal(body) // two strings always have an encoding

	header := w.Header()
	header["Content-Type"] = typeJSON
	header.Set("Content-Length", strconv.Itoa(len(text)))
	header.Set("Cache-Control", "no-store")
	// An answer that failed half-way may have set these.
	header.Del("Content-Encoding")
	header.Del("Etag")
	header.Del("Vary")
	if e.status == http.StatusServiceUnavailable {
		header.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) // it fails when the client has gone: there is nobody to tell
	}
}
