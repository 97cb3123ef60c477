package httpapi

import (
	"fmt"
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

// parseQuery reads the window that a query string asks for. Parameters other than
// starts_at and ends_at are ignored, whatever they look like.
func parseQuery(query string) (event.Window, error) {
	from, to := param{name: "starts_at"}, param{name: "ends_at"}
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case from.named(name):
			from.raw, from.count = value, from.count+1
		case to.named(name):
			to.raw, to.count = value, to.count+1
		}
	}

	// The instants point into these strings. As long as neither leaves this function,
	// all of it stays on the stack.
	var fromBuf, toBuf [64]byte
	var first, last event.Instant
	window := event.Always
	if from.count > 0 {
		text, ok := unescape(fromBuf[:0], from.raw)
		instant, err := event.ParseInstant(string(text))
		if !ok || err != nil || from.count > 1 {
			return event.Window{}, from.invalid()
		}
		first, window.From = instant, instant.Ceil()
	}
	if to.count > 0 {
		text, ok := unescape(toBuf[:0], to.raw)
		instant, err := event.ParseInstant(string(text))
		if !ok || err != nil || to.count > 1 {
			return event.Window{}, to.invalid()
		}
		last, window.To = instant, instant.Floor()
	}
	if from.count > 0 && to.count > 0 && first.Compare(last) > 0 {
		return event.Window{}, invalidRange(fmt.Sprintf("starts_at %s is after ends_at %s",
			quote(from.text()), quote(to.text())))
	}
	return window, nil
}

// named reports whether an escaped name is the parameter's.
func (p *param) named(escaped string) bool {
	if strings.IndexByte(escaped, '%') < 0 {
		return escaped == p.name
	}
	var buf [16]byte
	name, ok := unescape(buf[:0], escaped)
	return ok && string(name) == p.name
}

// text returns the value for a message: as it was meant, or as it arrived when it
// cannot be unescaped.
func (p *param) text() string {
	if text, ok := unescape(nil, p.raw); ok {
		return string(text)
	}
	return p.raw
}

// invalid returns the error for a parameter that cannot be used. It says what to
// write instead.
func (p *param) invalid() error {
	const example = "2021-06-30T21:00:00Z"
	text := p.text()
	switch {
	case p.count > 1:
		return invalidParameter(fmt.Sprintf("%s is given %d times, the last time as %s: give it once, for example %s=%s",
			p.name, p.count, quote(text), p.name, example))
	case text == "":
		return invalidParameter(fmt.Sprintf(`%s is "": leave it out, or give a date-time with an offset, for example %s=%s`,
			p.name, p.name, example))
	}
	if _, ok := unescape(nil, p.raw); !ok {
		return invalidParameter(fmt.Sprintf("%s is %s, where a %% is not followed by two hexadecimal digits: an example is %s=%s",
			p.name, quote(text), p.name, example))
	}
	if plus := strings.ReplaceAll(text, " ", "+"); plus != text {
		if _, err := event.ParseInstant(plus); err == nil {
			return invalidParameter(fmt.Sprintf("%s is %s: a + means a space in a query, write it as %%2B, for example %s=%s",
				p.name, quote(text), p.name, strings.ReplaceAll(plus, "+", "%2B")))
		}
	}
	_, err := event.ParseInstant(text)
	return invalidParameter(fmt.Sprintf("%s is %s, %s: an example is %s=%s", p.name, quote(text), err, p.name, example))
}

// quote returns s in quotes for a message, without control characters, and shortened
// when it is long.
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

// unescape appends what an escaped name or value of a query stands for to b, and
// reports whether it was well-formed.
func unescape(b []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(s) {
				return b, false
			}
			high, ok1 := unhex(s[i+1])
			low, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return b, false
			}
			c = high<<4 | low
			i += 2
		}
		b = append(b, c)
	}
	return b, true
}

func unhex(c byte) (digit byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
