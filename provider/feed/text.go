package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"fever/event"
)

// Trim returns the value without white space at its ends.
func Trim(value []byte) []byte {
	n := len(value)
	if n == 0 || isPlain(value[0]) && isPlain(value[n-1]) { // as nearly all do
		return value
	}
	return bytes.TrimSpace(value)
}

func isPlain(c byte) bool { return c > ' ' && c < utf8.RuneSelf }

// Text returns a text for people to read: trimmed, with a space for each control character. A
// line feed in a title means no more than a space.
func Text(value []byte) []byte { return withoutControls(Trim(value)) }

func withoutControls(text []byte) []byte {
	plain := true // only printable ASCII, as nearly all text
	for _, c := range text {
		plain = plain && c >= ' ' && c <= '~'
	}
	if plain || !bytes.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	return bytes.TrimSpace(bytes.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
}

// Optional returns a value for whose sake no row is rejected, trimmed. It returns nil if an
// event cannot hold the value: with more than most bytes, or a control character.
func Optional(value []byte, most int) []byte {
	value = Trim(value)
	if len(value) > most || bytes.ContainsFunc(value, unicode.IsControl) {
		return nil
	}
	return value
}

// ParseCapacity reads a number of tickets. It is not negative.
func ParseCapacity(value []byte) (int64, error) {
	value = Trim(value)
	n, err := strconv.ParseInt(string(value), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("capacity %.40q is out of range", value)
	case err != nil:
		return 0, fmt.Errorf("capacity %.40q is not a whole number", value)
	case n < 0:
		return 0, fmt.Errorf("capacity %d is negative", n)
	}
	return n, nil
}

// The bounds of [Prices].
const (
	maxPrices     = 1 << 12
	maxPriceBytes = 32 // of one, as written
)

// Prices remembers prices by their text, within bounds: feeds repeat a few.
type Prices map[string]event.Price

// Parse reads a price with [event.ParsePrice].
func (p Prices) Parse(value []byte) (event.Price, error) {
	if price, ok := p[string(value)]; ok {
		return price, nil
	}
	text := string(value)
	price, err := event.ParsePrice(text)
	if err != nil || len(text) > maxPriceBytes {
		return price, err
	}
	if len(p) == maxPrices {
		clear(p)
	}
	p[text] = price
	return price, nil
}

// ErrZones is the reason to reject a row with more than [event.MaxZones] zones.
var ErrZones = fmt.Errorf("more than %d zones", event.MaxZones)

// ZoneError returns the reason to reject a row because of its zone with the index i.
func ZoneError(i int, id []byte, err error) error {
	return fmt.Errorf("zone %d (id %q): %w", i+1, shorten(id), err)
}

// shorten cuts an id to [event.MaxIDBytes], so that rejections do not fill the memory.
func shorten(id []byte) string {
	n := len(id)
	if n > event.MaxIDBytes {
		for n = event.MaxIDBytes; !utf8.RuneStart(id[n]); n-- {
		}
	}
	return string(id[:n])
}

// ID returns the id that an event gets for one of a provider: a longer one than
// [event.MaxIDBytes] becomes "sha256-" and 32 hexadecimal digits of its digest.
func ID(id []byte) string {
	if len(id) <= event.MaxIDBytes {
		return string(id)
	}
	sum := sha256.Sum256(id)
	return "sha256-" + hex.EncodeToString(sum[:16])
}
