package httpapi

import (
	"fmt"
	"net/http"

	"fever/httpapi/server"
)

// These are the ways in which a search fails, except for a bug of ours. errUnavailable is
// for a server that listens before its index is loaded: an empty answer would be a lie.
var (
	errNotFound    = &server.Error{Status: http.StatusNotFound, Code: "not_found", Message: "there is nothing here: events are found at /search"}
	errMethod      = &server.Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: "this path answers to GET and HEAD"}
	errUnavailable = &server.Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the events are being loaded: try again in a moment"}
)

// tooLarge is for a search without a limit that finds more events than an answer may have.
func tooLarge(most int) error {
	return &server.Error{
		Status: http.StatusBadRequest, Code: "answer_too_large",
		Message: fmt.Sprintf("there are more than %d events, which is the most of one answer: add limit=%d and follow the Link to the next ones, or search in a shorter window", most, most),
	}
}

func invalidParameter(message string) error {
	return &server.Error{Status: http.StatusBadRequest, Code: "invalid_parameter", Message: message}
}

func invalidRange(message string) error {
	return &server.Error{Status: http.StatusBadRequest, Code: "invalid_range", Message: message}
}
