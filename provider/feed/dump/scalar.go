package dump

import (
	"bytes"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/jsonscan"
)

// A span is where a text is in Reader.text. The zero value is no text.
type span struct{ from, to int }

func (r *Reader) keep(text []byte) span {
	from := len(r.text)
	r.text = append(r.text, text...)
	return span{from, len(r.text)}
}

// id reads a text, trimmed, or a whole number: 291.0 is 291.
func (r *Reader) id(name string) span {
	kind, text := r.scanner.Scalar()
	text = r.plain(name, kind, text)
	if kind == jsonscan.Number {
		whole, ok := wholeNumber(text)
		if !ok {
			r.reject("%s %.40q is not a whole number", name, text)
		}
		text = whole
	}
	return r.keep(text)
}

// aside reads a text for whose sake no row is rejected: there is none if it is bad, or too long.
func (r *Reader) aside(most int) span {
	before := r.err
	id := r.id("")
	r.err = before
	return span{id.from, id.from + len(feed.Optional(r.text[id.from:id.to], most))}
}

// string reads a text, and changes it with the function.
func (r *Reader) string(name string, change func([]byte) []byte) span {
	switch kind, text := r.scanner.Scalar(); kind {
	case jsonscan.String:
		return r.keep(change(text))
	case jsonscan.Null:
	default:
		r.wrongKind(name, kind)
	}
	return span{}
}

// bool reads true or false. Null means the default.
func (r *Reader) bool(name string, byDefault bool) bool {
	switch kind, _ := r.scanner.Scalar(); kind {
	case jsonscan.True, jsonscan.False:
		return kind == jsonscan.True
	case jsonscan.Null:
	default:
		r.wrongKind(name, kind)
	}
	return byDefault
}

// capacity reads a number of tickets, by default 0.
func (r *Reader) capacity() int64 {
	kind, text := r.scanner.Scalar()
	if n, ok := shortNumber(text); ok {
		return n
	}
	text = r.plain("capacity", kind, text)
	if text == nil {
		return 0
	}
	if whole, ok := wholeNumber(text); kind == jsonscan.Number && ok {
		text = whole
	}
	n, err := feed.ParseCapacity(text)
	r.note(err)
	return n
}

// price reads a price, by default the unknown one.
func (r *Reader) price() event.Price {
	kind, text := r.scanner.Scalar()
	if p, ok := r.prices[string(text)]; ok {
		return p
	}
	text = r.plain("price", kind, text)
	if text == nil {
		return event.Price{}
	}
	p, err := r.prices.Parse(text)
	r.note(err)
	return p
}

// plain returns the text of a value, trimmed, or an exact number without an exponent. Feeds
// write texts as numbers, and numbers as texts. For null, and with an error, it returns nil.
func (r *Reader) plain(name string, kind jsonscan.Kind, text []byte) []byte {
	switch kind {
	case jsonscan.String:
		return feed.Trim(text)
	case jsonscan.Number:
		plain, ok := plainNumber(text)
		if !ok {
			r.reject("%s %.40q has an exponent that is out of range", name, text)
			return nil
		}
		return plain
	case jsonscan.Null:
	default:
		r.wrongKind(name, kind)
	}
	return nil
}

func (r *Reader) wrongKind(name string, kind jsonscan.Kind) {
	r.reject("%s is a JSON %s, which it cannot be", name, kind)
}

func (r *Reader) reject(format string, args ...any) { r.note(fmt.Errorf(format, args...)) }

// note keeps an error if it is the first one of its record.
func (r *Reader) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

// maxExponent bounds the exponent of a number in both directions. No value has as many digits.
const maxExponent = 2 * event.MaxIDBytes

// plainNumber returns a JSON number without an exponent: 2.0e1 becomes 20. It reports whether
// the exponent is within its bounds.
func plainNumber(number []byte) ([]byte, bool) {
	at := 0
	for at < len(number) && number[at]|0x20 != 'e' {
		at++
	}
	if at == len(number) {
		return number, true
	}
	mantissa := string(number[:at])
	if strings.Trim(mantissa, "-.0") == "" {
		return []byte("0"), true
	}
	by, err := strconv.Atoi(string(number[at+1:]))
	if err != nil || by > maxExponent || by < -maxExponent {
		return number, false
	}
	_, fraction, _ := strings.Cut(mantissa, ".")
	exact, _ := new(big.Rat).SetString(string(number)) // every JSON number is one
	plain := exact.FloatString(max(0, len(fraction)-by))
	if strings.Contains(plain, ".") {
		plain = strings.TrimRight(strings.TrimRight(plain, "0"), ".")
	}
	return []byte(plain), true
}

// shortNumber returns the number that a few digits make, as in nearly all capacities.
func shortNumber(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(text) > 0 && len(text) <= 18
}

// wholeNumber returns a number without its fraction, if that has only zeros.
func wholeNumber(plain []byte) ([]byte, bool) {
	whole, fraction, _ := bytes.Cut(plain, []byte{'.'})
	if len(bytes.Trim(fraction, "0")) > 0 {
		return nil, false
	}
	if string(whole) == "-0" {
		whole = whole[1:]
	}
	return whole, true
}
