package httpapi

import (
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

func invalidParameter(message string) error {
	return &server.Error{Status: http.StatusBadRequest, Code: "invalid_parameter", Message: message}
}

func invalidRange(message string) error {
	return &server.Error{Status: http.StatusBadRequest, Code: "invalid_range", Message: message}
}
