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

// MaxID bounds ids and revisions in queries. No store comes near it.
const MaxID = math.MaxInt64

// A Query has the parameters of a request. Its methods read them, and keep the first error
// in Err. Nothing reads unknown parameters, so they are ignored.
type Query struct {
	Err error // the first one

	values url.Values
}

// ParseQuery reads the parameters of a request.
func ParseQuery(r *http.Request) (*Query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidParameter("the query cannot be read: a %% is not followed by two hexadecimal digits, or there is a semicolon")
	}
	return &Query{values: values}, nil
}

func invalidParameter(format string, args ...any) *server.Error {
	return &server.Error{Status: http.StatusBadRequest, Code: "invalid_parameter", Message: fmt.Sprintf(format, args...)}
}

// Fail keeps the first error.
func (q *Query) Fail(format string, args ...any) {
	if q.Err == nil {
		q.Err = invalidParameter(format, args...)
	}
}

// Text returns the value of a parameter, and whether it was given.
func (q *Query) Text(name string) (value string, given bool) {
	all := q.values[name]
	if len(all) > 1 {
		q.Fail("%s is given %d times: give it once", name, len(all))
	}
	if len(all) == 0 {
		return "", false
	}
	return all[0], true
}

// Name returns the name of a provider from a parameter, or "" without it.
func (q *Query) Name(parameter string) string {
	name, given := q.Text(parameter)
	if given && event.ValidProvider(name) != nil {
		q.Fail("%s is %.40q, which is no name that a provider can have", parameter, name)
	}
	return name
}

// required is [Query.Name] for a parameter that must be given.
func (q *Query) required(parameter string) string {
	name := q.Name(parameter)
	if name == "" {
		q.Fail("%s is missing: say which provider", parameter)
	}
	return name
}

// oneOf returns the value of a parameter that may have one of the values, or "" without it.
func (q *Query) oneOf(name string, values ...string) string {
	value, given := q.Text(name)
	if given && !slices.Contains(values, value) {
		q.Fail("%s is %.40q, which is none of %s", name, value, strings.Join(values, ", "))
	}
	return value
}

// flag reports whether a parameter that can be 0 and 1 is 1.
func (q *Query) flag(name string) bool { return q.oneOf(name, "0", "1") == "1" }

// Number returns a whole number from least to most from a parameter, or usual without it.
func (q *Query) Number(name string, usual, least, most uint64) uint64 {
	value, given := q.Text(name)
	if !given {
		return usual
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n < least || n > most {
		q.Fail("%s is %.40q, which is not a whole number from %d to %d", name, value, least, most)
	}
	return n
}

// instant returns the date-time in a parameter, and whether it was given.
func (q *Query) instant(name string) (at event.Instant, given bool) {
	text, given := q.Text(name)
	if !given {
		return at, false
	}
	at, err := event.ParseInstant(text)
	if err != nil {
		q.Fail("%s is %.40q: %v; write it like 2021-06-30T21:00:00Z", name, text, err)
	}
	return at, true
}
