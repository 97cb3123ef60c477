package control

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fever/event"
	"fever/httpapi/server"
)

// maxID bounds ids in queries. No store comes near it.
const maxID = math.MaxInt64

// A query has the parameters of a request. Its methods read them, and keep the first error
// in err. Nothing reads unknown parameters, so they are ignored.
type query struct {
	values url.Values
	err    error
}

// parse reads the parameters of a request.
func parse(r *http.Request) (*query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidParameter("the query cannot be read: a %% is not followed by two hexadecimal digits, or there is a semicolon")
	}
	return &query{values: values}, nil
}

func invalidParameter(format string, args ...any) *server.Error {
	return &server.Error{Status: http.StatusBadRequest, Code: "invalid_parameter", Message: fmt.Sprintf(format, args...)}
}

// fail keeps the first error.
func (q *query) fail(format string, args ...any) {
	if q.err == nil {
		q.err = invalidParameter(format, args...)
	}
}

// text returns the value of a parameter, and whether it was given.
func (q *query) text(name string) (value string, given bool) {
	all := q.values[name]
	if len(all) > 1 {
		q.fail("%s is given %d times: give it once", name, len(all))
	}
	if len(all) == 0 {
		return "", false
	}
	return all[0], true
}

// name returns the name of a provider from a parameter, or "" without it.
func (q *query) name(parameter string) string {
	name, given := q.text(parameter)
	if given && event.ValidProvider(name) != nil {
		q.fail("%s is %.40q, which is no name that a provider can have", parameter, name)
	}
	return name
}

// required is name for a parameter that must be given.
func (q *query) required(parameter string) string {
	name := q.name(parameter)
	if name == "" {
		q.fail("%s is missing: say which provider", parameter)
	}
	return name
}

// oneOf returns the value of a parameter that may have one of the values, or "" without it.
func (q *query) oneOf(name string, values ...string) string {
	value, given := q.text(name)
	if given && !slices.Contains(values, value) {
		q.fail("%s is %.40q, which is none of %s", name, value, strings.Join(values, ", "))
	}
	return value
}

// flag reports whether a parameter that can be 0 and 1 is 1.
func (q *query) flag(name string) bool { return q.oneOf(name, "0", "1") == "1" }

// number returns a whole number from least to most from a parameter, or usual without it.
func (q *query) number(name string, usual, least, most uint64) uint64 {
	value, given := q.text(name)
	if !given {
		return usual
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n < least || n > most {
		q.fail("%s is %.40q, which is not a whole number from %d to %d", name, value, least, most)
	}
	return n
}

// instant returns the date-time in a parameter, and whether it was given.
func (q *query) instant(name string) (at event.Instant, given bool) {
	text, given := q.text(name)
	if !given {
		return at, false
	}
	at, err := event.ParseInstant(text)
	if err != nil {
		q.fail("%s is %.40q: %v; write it like 2021-06-30T21:00:00Z", name, text, err)
	}
	return at, true
}
