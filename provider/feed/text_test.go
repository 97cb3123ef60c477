package feed

import (
	"errors"
	"strings"
	"testing"

	"fever/event"
)

func TestText(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]struct{ trimmed, text, optional string }{
		"":                    {"", "", ""},
		"Camela":              {"Camela", "Camela", "Camela"},
		" \n ca\u00f1a\u00a0": {"ca\u00f1a", "ca\u00f1a", "ca\u00f1a"},
		"a\tb\x85":            {"a\tb\x85", "a b\ufffd", ""}, // half of a character is no control character
		"a\tb\u0085 c":        {"a\tb\u0085 c", "a b  c", ""},
		"123456789":           {"123456789", "123456789", ""}, // too long
	} {
		b := []byte(value)
		if got := string(Trim(b)); got != want.trimmed {
			t.Errorf("%q trimmed is %q, want %q", value, got, want.trimmed)
		}
		if got := string(Text(b)); got != want.text {
			t.Errorf("%q as a text is %q, want %q", value, got, want.text)
		}
		if got := string(Optional(b, 8)); got != want.optional {
			t.Errorf("%q as an optional value is %q, want %q", value, got, want.optional)
		}
	}
}

func TestParseCapacity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ value, want string }{
		{" 5\n", ""},
		{"0", ""},
		{"", "is not a whole number"},
		{"5.0", "is not a whole number"},
		{"-1", "is negative"},
		{"9223372036854775808", "is out of range"},
		{strings.Repeat("x", 1000), "is not a whole number"},
	} {
		value, want := test.value, test.want
		n, err := ParseCapacity([]byte(value))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || len(err.Error()) > 100) {
			t.Errorf("%q: %d, %v, want %q", value, n, err, want)
		}
	}
}

// What a rejection keeps of an id is bounded, and whole characters.
func TestZoneError(t *testing.T) {
	t.Parallel()
	long := "x" + strings.Repeat("é", event.MaxIDBytes)
	cause := errors.New("why")
	err := ZoneError(1, []byte(long), cause)
	if want := `zone 2 (id "` + long[:event.MaxIDBytes-1] + `"): why`; err.Error() != want || !errors.Is(err, cause) {
		t.Errorf("%v, want %s", err, want)
	}
}
