package mapped

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// An encoder writes the records of a row as JSON. Its bound is that of what a program makes:
// what follows directly from the program is not weighed before.
type encoder struct {
	text []byte
	left int
	keys []string // of the objects that are being written
}

var errOutput = errors.New("the program makes more than 1 MiB of records of this row")

// encode appends a value. It writes members in order of their names: the reader of records
// expects them in the order of the last record.
func (e *encoder) encode(v any) error {
	before := len(e.text)
	switch v := v.(type) {
	case nil:
		e.text = append(e.text, "null"...)
	case bool:
		e.text = fmt.Append(e.text, v)
	case string:
		e.string(v)
	case json.Number:
		e.text = append(e.text, v...)
	case []any:
		return e.array(v)
	case map[string]any:
		return e.object(v)
	default:
		text, err := gojq.Marshal(v)
		if err != nil {
			return err
		}
		e.text = append(e.text, text...)
	}
	return e.spend(len(e.text) - before)
}

// spend takes bytes that are written from those that are left.
func (e *encoder) spend(n int) error {
	if e.left -= n; e.left < 0 {
		return errOutput
	}
	return nil
}

func (e *encoder) array(v []any) error {
	e.text = append(e.text, '[')
	for i, element := range v {
		if i > 0 {
			e.text = append(e.text, ',')
		}
		if err := e.encode(element); err != nil {
			return err
		}
	}
	e.text = append(e.text, ']')
	return e.spend(2 + len(v))
}

func (e *encoder) object(v map[string]any) error {
	first := len(e.keys)
	for key := range v {
		e.keys = append(e.keys, key)
	}
	defer func() { e.keys = e.keys[:first] }()
	slices.Sort(e.keys[first:])
	e.text = append(e.text, '{')
	for i, last := first, len(e.keys); i < last; i++ {
		if i > first {
			e.text = append(e.text, ',')
		}
		key := e.keys[i]
		e.string(key)
		e.text = append(e.text, ':')
		if err := e.encode(v[key]); err != nil {
			return err
		}
		if err := e.spend(len(key) + 4); err != nil {
			return err
		}
	}
	e.text = append(e.text, '}')
	return e.spend(2)
}

// string appends a text in quotes (RFC 8259 section 7). What is not UTF-8 becomes U+FFFD.
func (e *encoder) string(s string) {
	const hex = "0123456789abcdef"
	e.text = append(e.text, '"')
	for start, i := 0, 0; ; {
		for i < len(s) && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
			i++
		}
		e.text = append(e.text, s[start:i]...)
		if i == len(s) {
			break
		}
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			e.text = utf8.AppendRune(e.text, r)
			i += size
		case c == '"' || c == '\\':
			e.text = append(e.text, '\\', c)
			i++
		default:
			e.text = append(e.text, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		}
		start = i
	}
	e.text = append(e.text, '"')
}
