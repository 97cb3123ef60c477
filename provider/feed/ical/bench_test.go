package ical

import (
	"fmt"
	"strings"
	"testing"
)

// big returns a calendar of n events, of which six in ten repeat a few times.
func big(n int) string {
	var b strings.Builder
	for i := range n {
		day := fmt.Sprintf("2026%02d%02d", 10+i%3, 1+i%28)
		rule := ""
		if i%10 < 6 {
			rule = fmt.Sprintf("RRULE:FREQ=WEEKLY;COUNT=%d\r\nEXDATE;TZID=Europe/Madrid:%sT200000\r\n", 4+i%5, day)
		}
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:event-%d@example.org\r\nDTSTAMP:20261001T080000Z\r\nDTSTART;TZID=Europe/Madrid:%sT200000\r\nDTEND;TZID=Europe/Madrid:%sT223000\r\n%s"+
			"SUMMARY:Concierto número %d\\, con invitados\r\nDESCRIPTION:%s\r\nLOCATION:Sala %d\r\nSEQUENCE:%d\r\nSTATUS:CONFIRMED\r\nTRANSP:OPAQUE\r\nEND:VEVENT\r\n",
			i, day, day, rule, i, strings.Repeat("Una noche de música en directo con bandas de\r\n  varios países\\, y", 4), i%9, i%4)
	}
	return calendarOf(strings.TrimSuffix(strings.ReplaceAll(zoneOfSpain, "TZID:Here", "TZID:Europe/Madrid"), "\n") + "\n" + strings.TrimSuffix(b.String(), "\r\n"))
}

func BenchmarkDecode(b *testing.B) {
	doc := big(20000)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		got, err := read(b, doc, "")
		if err != nil || got.Rejected > 0 {
			b.Fatal(err, got.Rejections)
		}
		b.ReportMetric(float64(len(got.Events)), "events/op")
	}
}
