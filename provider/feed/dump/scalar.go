package dump

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"fever/event"
	"fever/provider/feed"
)

// A scalar is a trimmed text, or an exact number without an exponent, or the reason why it is
// neither. Feeds write texts as numbers, and numbers as texts.
type scalar struct {
	text   string
	number bool
	given  bool // it is neither absent nor null
	err    error
}

// UnmarshalJSON never fails, because an error would end the record.
func (s *scalar) UnmarshalJSON(b []byte) error {
	*s = scalar{given: true}
	switch c := b[0]; {
	case c == '"':
		if text := b[1 : len(b)-1]; isPlainText(text) {
			s.text = string(feed.Trim(text))
			break
		}
		s.err = json.Unmarshal(b, &s.text)
		s.text = string(feed.Trim([]byte(s.text)))
	case c == '-' || c >= '0' && c <= '9':
		s.number = true
		s.text, s.err = plainNumber(string(b))
	case c == 'n':
		s.given = false
	case c == '{':
		s.err = errors.New("is a JSON object, which it cannot be")
	case c == '[':
		s.err = errors.New("is a JSON array, which it cannot be")
	default:
		s.err = errors.New("is a JSON bool, which it cannot be")
	}
	return nil
}

// isPlainText reports whether the content of a JSON string is ASCII without escapes.
func isPlainText(text []byte) bool {
	for _, c := range text {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// id returns an id: a text, or a whole number. 291.0 is 291.
func (s *scalar) id(field string) (string, error) {
	if s.err != nil {
		return "", fmt.Errorf("%s %w", field, s.err)
	}
	if !s.number {
		return s.text, nil
	}
	whole, ok := wholeNumber(s.text)
	if !ok {
		return "", fmt.Errorf("%s %.40q is not a whole number", field, s.text)
	}
	return whole, nil
}

// aside returns a text for whose sake no row is rejected: "" if it is bad, or too long.
func (s *scalar) aside(most int) string {
	id, err := s.id("")
	if err != nil {
		return ""
	}
	return string(feed.Optional([]byte(id), most))
}

// capacity returns a number of tickets, by default 0.
func (s *scalar) capacity() (int64, error) {
	switch {
	case s.err != nil:
		return 0, fmt.Errorf("capacity %w", s.err)
	case !s.given:
		return 0, nil
	}
	text := s.text
	if whole, ok := wholeNumber(text); s.number && ok {
		text = whole
	}
	return feed.ParseCapacity([]byte(text))
}

// price returns a price, by default the unknown one.
func (s *scalar) price() (event.Price, error) {
	switch {
	case s.err != nil:
		return event.Price{}, fmt.Errorf("price %w", s.err)
	case !s.given:
		return event.Price{}, nil
	}
	return event.ParsePrice(s.text)
}

// maxExponent bounds the exponent of a number in both directions. No value has as many digits.
const maxExponent = 2 * event.MaxIDBytes

// plainNumber returns a JSON number without an exponent: 2.0e1 becomes 20.
func plainNumber(number string) (string, error) {
	mantissa, exponent, found := strings.Cut(strings.ToLower(number), "e")
	if !found {
		return number, nil
	}
	_, fraction, _ := strings.Cut(mantissa, ".")
	if strings.Trim(mantissa, "-.0") == "" {
		return "0", nil
	}
	by, err := strconv.Atoi(exponent)
	if err != nil || by > maxExponent || by < -maxExponent {
		return "", fmt.Errorf("%.40q has an exponent that is out of range", number)
	}
	exact, _ := new(big.Rat).SetString(number) // every JSON number is one
	plain := exact.FloatString(max(0, len(fraction)-by))
	if strings.Contains(plain, ".") {
		plain = strings.TrimRight(strings.TrimRight(plain, "0"), ".")
	}
	return plain, nil
}

// wholeNumber returns a number without its fraction, if that has only zeros.
func wholeNumber(plain string) (string, bool) {
	whole, fraction, _ := strings.Cut(plain, ".")
	if strings.Trim(fraction, "0") != "" {
		return "", false
	}
	if whole == "-0" {
		whole = "0"
	}
	return whole, true
}
