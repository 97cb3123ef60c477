package inspect

import (
	"io"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// TestFindTitle looks for rows that were rejected, by a part of a title.
func TestFindTitle(t *testing.T) {
	t.Parallel()
	format := feed.Format{Decode: func(_ *feed.Document, b *feed.Builder) error {
		b.Reject("1", "1", 1, "no title was read")
		b.RejectEvent(event.Key{BaseID: "2", EventID: "2"}, "La  Bohème in der Straße", 2, "no start")
		b.Ignore(3)
		return b.Keep(show(t, "4", "Tosca", "2027-01-01", "", ""), 4)
	}}
	for title, want := range map[string]Found{
		"boheme":    {Line: 2, Fate: Rejected, Why: "no start"},
		"BOHÈME IN": {Line: 2, Fate: Rejected, Why: "no start"},
		"STRASSE":   {Line: 2, Fate: Rejected, Why: "no start"},
		"Tosca":     {}, // it was kept
		"Carmen":    {},
		"2":         {}, // an id is none
	} {
		doc := &feed.Document{Body: io.NopCloser(strings.NewReader("")), Op: "read"}
		found, err := Find(doc, format, "test", time.UTC, []Wanted{{Title: Folded(title)}})
		if err != nil || len(found) != 1 || found[0] != want {
			t.Errorf("%q: %+v, %v, want %+v", title, found, err, want)
		}
	}
}
