package store

import (
	"testing"
	"time"
)

// TestCutoff reads cutoffs, and says what second they mean at two places.
func TestCutoff(t *testing.T) {
	t.Parallel()
	madrid := must(time.LoadLocation("Europe/Madrid"))
	for text, want := range map[string][2]int64{
		"2021-07-01":                {1625097600, 1625097600 - 7200},
		"2021-07-01T00:00:00Z":      {1625097600, 1625097600},
		"2021-07-01T00:00:00.1Z":    {1625097601, 1625097601},
		"2021-07-01T00:00:00+02:00": {1625097600 - 7200, 1625097600 - 7200},
	} {
		c, err := ParseCutoff(text)
		if got := [2]int64{c.Second(time.UTC), c.Second(madrid)}; err != nil || got != want || c.String() != text || c.IsZero() {
			t.Errorf("%s is %d, %v, not %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "2021-06-31", "2021-7-1", "2021-07-01T00:00:00", "01-07-2021", "2021-07-0\x00"} {
		if c, err := ParseCutoff(text); err == nil || !c.IsZero() {
			t.Errorf("%q is %v", text, c)
		}
	}
}
