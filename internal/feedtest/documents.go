package feedtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"fever/event"
)

// Documents returns the files that match the patterns, by their name.
func Documents(tb testing.TB, least int, patterns ...string) map[string][]byte {
	tb.Helper()
	documents := make(map[string][]byte)
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			tb.Fatalf("no file is %s: %v", pattern, err)
		}
		for _, path := range paths {
			document, err := os.ReadFile(path)
			if err != nil {
				tb.Fatal(err)
			}
			documents[filepath.Base(path)] = document
		}
	}
	if len(documents) < least {
		tb.Fatalf("%d documents, where there were %d", len(documents), least)
	}
	return documents
}

// Names returns the names of the documents in their order.
func Names(documents map[string][]byte) []string { return slices.Sorted(maps.Keys(documents)) }

// JSON returns a value as JSON, to compare it.
func JSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// Big returns a planList of 100 MB: 2,000 base plans with two plans each, and 300 zones in
// each of these.
var Big = sync.OnceValue(func() []byte {
	const bases, zones = 2000, 300
	var b bytes.Buffer
	b.Grow(120 << 20)
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<planList version=\"1.0\">\n  <output>\n")
	for base := range bases {
		fmt.Fprintf(&b, "    <base_plan base_plan_id=\"%d\" sell_mode=\"online\" organizer_company_id=\"%d\" title=\"Concierto número %d &amp; más\">\n",
			base, base%17, base)
		for plan := range 2 {
			day := fmt.Sprintf("2026-%02d-%02dT", 1+base%12, 1+base%28)
			fmt.Fprintf(&b, "      <plan plan_id=\"%d\" plan_start_date=\"%s%02d:00:00\" plan_end_date=\"%s23:30:00\""+
				" sell_from=\"2025-01-01T00:00:00\" sell_to=\"%s19:50:00\" sold_out=\"false\">\n",
				base*2+plan, day, 20+plan, day, day)
			for z := range zones {
				fmt.Fprintf(&b, "        <zone zone_id=\"%d\" capacity=\"%d\" price=\"%d.%02d\" name=\"Grada %d\" numbered=\"%t\"/>\n",
					base*zones+z, (base+z)%500, 10+z%90, z%4*25, z, z%2 == 0)
			}
			b.WriteString("      </plan>\n")
		}
		b.WriteString("    </base_plan>\n")
	}
	b.WriteString("  </output>\n</planList>\n")
	return b.Bytes()
})

// CheckBig fails when the events are not those of [Big].
func CheckBig(tb testing.TB, events []event.Event) {
	tb.Helper()
	if len(events) != 4000 {
		tb.Fatalf("%d events", len(events))
	}
	last := &events[len(events)-1]
	if last.Title != "Concierto número 1999 & más" || len(last.Zones) != 300 || last.Zones[299].Name != "Grada 299" || last.Zones[299].Price.String() != "39.75" {
		tb.Fatalf("%+v", last)
	}
}

// Repeat returns a reader of a text again and again.
func Repeat(text string) io.Reader { return &repeated{s: text} }

type repeated struct {
	s  string
	at int
}

func (r *repeated) Read(b []byte) (int, error) {
	n := copy(b, r.s[r.at:])
	r.at = (r.at + n) % len(r.s)
	return n, nil
}
