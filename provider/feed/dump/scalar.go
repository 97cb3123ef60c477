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
func (r *Reader) id(name string) (span, error) {
	kind, text, err := r.scalar(name)
	if err != nil {
		return span{}, err
	}
	if kind == jsonscan.Number {
		whole, ok := wholeNumber(text)
		if !ok {
			return span{}, fmt.Errorf("%s %.40q is not a whole number", name, text)
		}
		text = whole
	}
	return r.keep(text), nil
}

// aside reads a text for whose sake no row is rejected: there is none if it is bad, or too long.
func (r *Reader) aside(most int) span {
	id, err := r.id("")
	if err != nil {
		return span{}
	}
	text := feed.Optional(r.text[id.from:id.to], most)
	return span{id.from, id.from + len(text)}
}

// string reads a text, and changes it with the function.
func (r *Reader) string(name string, change func([]byte) []byte) (span, error) {
	kind, text := r.value()
	switch kind {
	case jsonscan.String:
		return r.keep(change(text)), nil
	case jsonscan.Null:
		return span{}, nil
	default:
		return span{}, wrongKind(name, kind)
	}
}

// bool reads true or false. Null means the default.
func (r *Reader) bool(name string, byDefault bool) (bool, error) {
	switch kind, _ := r.value(); kind {
	case jsonscan.True, jsonscan.False:
		return kind == jsonscan.True, nil
	case jsonscan.Null:
		return byDefault, nil
	default:
		return false, wrongKind(name, kind)
	}
}

// capacity reads a number of tickets, by default 0.
func (r *Reader) capacity() (int64, error) {
	kind, text, err := r.scalar("capacity")
	if err != nil || kind == jsonscan.Null {
		return 0, err
	}
	if whole, ok := wholeNumber(text); kind == jsonscan.Number && ok {
		text = whole
	}
	return feed.ParseCapacity(text)
}

// price reads a price, by default the unknown one.
func (r *Reader) price() (event.Price, error) {
	kind, text, err := r.scalar("price")
	if err != nil || kind == jsonscan.Null {
		return event.Price{}, err
	}
	return r.prices.Parse(text)
}

// scalar reads a text, trimmed, or an exact number without an exponent, or null. Feeds write
// texts as numbers, and numbers as texts.
func (r *Reader) scalar(name string) (jsonscan.Kind, []byte, error) {
	kind, text := r.value()
	switch kind {
	case jsonscan.String:
		return kind, feed.Trim(text), nil
	case jsonscan.Number:
		text, ok := plainNumber(text)
		if !ok {
			return kind, nil, fmt.Errorf("%s %.40q has an exponent that is out of range", name, text)
		}
		return kind, text, nil
	case jsonscan.Null:
		return kind, nil, nil
	default:
		return kind, nil, wrongKind(name, kind)
	}
}

// value reads the next value. It skips an object or an array.
func (r *Reader) value() (jsonscan.Kind, []byte) {
	kind, text := r.scanner.Scalar()
	if kind == jsonscan.Object || kind == jsonscan.Array {
		r.scanner.Skip()
	}
	return kind, text
}

func wrongKind(name string, kind jsonscan.Kind) error {
	return fmt.Errorf("%s is a JSON %s, which it cannot be", name, kind)
}

// maxExponent bounds the exponent of a number in both directions. No value has as many digits.
const maxExponent = 2 * event.MaxIDBytes

// plainNumber returns a JSON number without an exponent: 2.0e1 becomes 20. It reports whether
// the exponent is within its bounds.
func plainNumber(number []byte) ([]byte, bool) {
	at := bytes.IndexAny(number, "eE")
	if at < 0 {
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
