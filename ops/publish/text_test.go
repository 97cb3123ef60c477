package publish

import (
	"bytes"
	"cmp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"fever/event"
)

// TestItemID holds that ids have the order of keys, and lead back to them.
func TestItemID(t *testing.T) {
	t.Parallel()
	anyKey := rapid.Custom(func(t *rapid.T) []byte {
		id := rapid.OneOf(anyID, rapid.StringOfN(rapid.SampledFrom([]rune(" !\"#$%&~a\u00e9\uffee\U0001f600")), 1, 4, -1))
		key := event.Key{Provider: rapid.SampledFrom([]string{"a", "a-b", "b"}).Draw(t, "provider"), BaseID: id.Draw(t, "base id"), EventID: id.Draw(t, "event id")}
		return key.Bytes()
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyKey.Draw(t, "a"), anyKey.Draw(t, "b")
		if got, want := cmp.Compare(itemID(a), itemID(b)), bytes.Compare(a, b); got != want {
			t.Errorf("%q and %q compare as %d, their keys as %d", itemID(a), itemID(b), got, want)
		}
		if key, ok := keyOf(itemID(a)); !ok || !bytes.Equal(key, a) {
			t.Errorf("%q is %q, and back %q", a, itemID(a), key)
		}
	})
}

// FuzzItemID reads any text as an id: it is one of this feed, in one way only, or refused.
func FuzzItemID(f *testing.F) {
	for _, id := range []string{"feverup!322!1642", "a!$0~c3~a9!$4$1", "a!b", "a!!b", "$", "$$!a!b", "~c!a!b", "~C3~A9!a!b", ""} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		key, ok := keyOf(id)
		if ok && itemID(key) != id {
			t.Errorf("%q is %q, which is %q", id, key, itemID(key))
		}
	})
}

// TestFolding folds lines of any characters.
func TestFolding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		line := "SUMMARY:" + rapid.OneOf(anyText, rapid.StringOfN(rapid.SampledFrom([]rune("aé\uffee\U0001f600")), 50, 200, -1)).Draw(t, "text")
		folded := string(appendLine(nil, line))
		for physical := range strings.SplitSeq(strings.TrimSuffix(folded, "\r\n"), "\r\n") {
			if len(physical) > 75 || !utf8.ValidString(physical) {
				t.Errorf("a line of %d octets: %q", len(physical), physical)
			}
		}
		if got := strings.ReplaceAll(folded, "\r\n ", ""); got != line+"\r\n" {
			t.Errorf("%q is unfolded to %q", line, got)
		}
	})
}

// TestCalendar shows what a calendar looks like.
func TestCalendar(t *testing.T) {
	t.Parallel()
	r := pantomima()
	r.Title = strings.Repeat("ñ", 40)
	second := night("", "2026-10-25T02:30:00[fold=1]", "")
	second.EventID, second.Current = "a", false
	window := event.Window{From: r.Start.Unix(madrid) - 40*aDay, To: r.Start.Unix(madrid) + 3600}
	want := strings.ReplaceAll(`BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//fever//fever//EN
BEGIN:VTIMEZONE
TZID:Europe/London
BEGIN:DAYLIGHT
DTSTART:20261010T200000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20261025T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:060031f8-31c2-51f0-89f6-cea638faceb1
DTSTAMP:20261101T020304Z
DTSTART;TZID=Europe/London:20261120T200000
DTEND:20261120T213000Z
SUMMARY:ñññññññññññññññññññññññññññññññññ
 ñññññññ
TRANSP:TRANSPARENT
X-FEVER-BASE-ID:322
X-FEVER-EVENT-ID:1642
END:VEVENT
BEGIN:VEVENT
UID:a6c526f1-8ae0-5323-b721-5fdfaaef8c52
DTSTAMP:20261101T020304Z
DTSTART:20261025T013000Z
SUMMARY:Pantomima Full\; "¡en\, directo!" \\ 2
TRANSP:TRANSPARENT
X-FEVER-BASE-ID:322
X-FEVER-EVENT-ID:a
X-FEVER-TZID:Europe/Madrid
X-FEVER-CURRENT:FALSE
END:VEVENT
END:VCALENDAR
`, "\n", "\r\n")
	if got := write(t, newCalendar(window), r, second); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}
