package httpapi

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"fever/event"
	"fever/index"
)

// A param is one query parameter as it arrived.
type param struct {
	name  string // empty: it did not come
	raw   string // the last value, still escaped
	count int
}

// params are the parameters of a search.
type params [5]param

const (
	startsParam = iota
	endsParam
	matchParam
	limitParam
	cursorParam
)

// Values of match.
const (
	matchWithin  = "within"
	matchOverlap = "overlap"
)

// parse reads a query string into parameters that are zero. It ignores those that are not ours.
func (p *params) parse(query string) (q index.Query, err error) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name) // empty, which is no parameter of ours, when it cannot be unescaped
		var i int
		switch name {
		case "starts_at":
			i = startsParam
		case "ends_at":
			i = endsParam
		case "match":
			i = matchParam
		case "limit":
			i = limitParam
		case "cursor":
			i = cursorParam
		default:
			continue
		}
		p[i] = param{name, value, p[i].count + 1}
	}
	q.Window = event.Always
	var first, last event.Instant
	from, to := &p[startsParam], &p[endsParam]
	if from.count > 0 {
		if first, err = from.instant(); err != nil {
			return q, err
		}
		q.From = first.Ceil()
	}
	if to.count > 0 {
		if last, err = to.instant(); err != nil {
			return q, err
		}
		q.To = last.Floor()
	}
	if from.count > 0 && to.count > 0 && first.Compare(last) > 0 {
		return q, invalidRange(fmt.Sprintf("starts_at %s is after ends_at %s", from.quoted(), to.quoted()))
	}
	return q, p.page(&q)
}

// page reads which of the events in the window are wanted.
func (p *params) page(q *index.Query) error {
	if match := &p[matchParam]; match.count > 0 {
		text, ok := match.text()
		q.Overlap = text == matchOverlap
		if !ok || text != matchWithin && text != matchOverlap {
			return match.refused("it is either within, which is what counts when it is left out, or overlap")
		}
	}
	if limit := &p[limitParam]; limit.count > 0 {
		text, ok := limit.text()
		if ok {
			q.Limit, ok = parseLimit(text)
		}
		if !ok {
			return limit.refused("it is a number of events from 1 to 2147483647, for example limit=100")
		}
	}
	if cursor := &p[cursorParam]; cursor.count > 0 {
		text, ok := cursor.text()
		if ok {
			q.After, ok = parseCursor(q, text)
		}
		if !ok {
			return cursor.refused("take it from the Link of an answer, and search for the same starts_at, ends_at and match as before")
		}
	}
	return nil
}

// text returns the value, unless it cannot be unescaped or is one of several.
func (p *param) text() (text string, ok bool) {
	text, err := url.QueryUnescape(p.raw)
	return text, err == nil && p.count == 1
}

// refused says what is wrong with a parameter that is not a date-time; want says what it is.
func (p *param) refused(want string) error {
	if p.count > 1 {
		return invalidParameter(fmt.Sprintf("%s is given %d times, the last time as %s: %s", p.name, p.count, p.quoted(), want))
	}
	return invalidParameter(fmt.Sprintf("%s is %s: %s", p.name, p.quoted(), want))
}

// instant reads the parameter. The error says what to write instead.
func (p *param) instant() (event.Instant, error) {
	if text, ok := p.text(); ok {
		if instant, err := event.ParseInstant(text); err == nil {
			return instant, nil
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
