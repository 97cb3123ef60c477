package httpapi

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"fever/event"
)

// A param is one query parameter as it arrived.
type param struct {
	name  string
	raw   string // the last value, still escaped
	count int
}

// parseQuery reads the window from a query string. It ignores all parameters except
// starts_at and ends_at.
func parseQuery(query string) (event.Window, error) {
	from, to := param{name: "starts_at"}, param{name: "ends_at"}
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name) // empty, which is no parameter of ours, when it cannot be unescaped
		switch name {
		case from.name:
			from.raw, from.count = value, from.count+1
		case to.name:
			to.raw, to.count = value, to.count+1
		}
	}

	var first, last event.Instant
	var err error
	window := event.Always
	if from.count > 0 {
		if first, err = from.instant(); err != nil {
			return event.Window{}, err
		}
		window.From = first.Ceil()
	}
	if to.count > 0 {
		if last, err = to.instant(); err != nil {
			return event.Window{}, err
		}
		window.To = last.Floor()
	}
	if from.count > 0 && to.count > 0 && first.Compare(last) > 0 {
		return event.Window{}, invalidRange(fmt.Sprintf("starts_at %s is after ends_at %s", from.quoted(), to.quoted()))
	}
	return window, nil
}

// instant reads the parameter. The error says what to write instead.
func (p *param) instant() (event.Instant, error) {
	if p.count == 1 {
		if text, err := url.QueryUnescape(p.raw); err == nil {
			if instant, err := event.ParseInstant(text); err == nil {
				return instant, nil
			}
		}
	}
	return event.Instant{}, p.problem()
}

// problem says what is wrong with the parameter.
func (p *param) problem() error {
	text, escapes := url.QueryUnescape(p.raw) // empty, which is no instant, when it cannot be unescaped
	_, err := event.ParseInstant(text)

	const example = "2021-06-30T21:00:00Z"
	plus := strings.ReplaceAll(text, " ", "+")
	_, plusErr := event.ParseInstant(plus)
	var problem string
	switch {
	case p.count > 1:
		problem = fmt.Sprintf("is given %d times, the last time as %s: give it once, for example %s=%s", p.count, p.quoted(), p.name, example)
	case escapes != nil:
		problem = fmt.Sprintf("is %s, where a %% is not followed by two hexadecimal digits: an example is %s=%s", p.quoted(), p.name, example)
	case text == "":
		problem = fmt.Sprintf(`is "": leave it out, or give a date-time with an offset, for example %s=%s`, p.name, example)
	case plusErr == nil:
		problem = fmt.Sprintf("is %s: a + means a space in a query, write it as %%2B, for example %s=%s", p.quoted(), p.name, strings.ReplaceAll(plus, "+", "%2B"))
	default:
		problem = fmt.Sprintf("is %s, %s: an example is %s=%s", p.quoted(), err, p.name, example)
	}
	return invalidParameter(p.name + " " + problem)
}

// quoted returns the value for a message: unescaped, or as it arrived when that fails.
func (p *param) quoted() string {
	if text, err := url.QueryUnescape(p.raw); err == nil {
		return quote(text)
	}
	return quote(p.raw)
}

// quote returns s in quotes for a message: without control characters, and shortened when it
// is long.
func quote(s string) string {
	const most = 40 // characters
	n := 0
	for i := range s {
		if n++; n > most {
			return strconv.Quote(s[:i]) + "..."
		}
	}
	return strconv.Quote(s)
}
