package dump

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"fever/internal/feedtest"
)

// BenchmarkDecode is for the events of [feedtest.Big], as they are dumped.
func BenchmarkDecode(b *testing.B) {
	snapshot, err := readXML(bytes.NewReader(feedtest.Big()))
	if err != nil {
		b.Fatal(err)
	}
	doc, _ := dumped(b, snapshot.Events)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		snapshot, err := read(bytes.NewReader(doc))
		if err != nil {
			b.Fatal(err)
		}
		feedtest.CheckBig(b, snapshot.Events)
	}
}

// An event costs few allocations, however many zones it has. Not parallel: what other tests
// allocate would count.
func TestAllocations(t *testing.T) {
	const events, zones, most = 100, 300, 20
	record := func(id int) string {
		var b strings.Builder
		fmt.Fprintf(&b, `{"base_id":"%d","event_id":"%[1]d","title":"Concierto número %[1]d","start":"2026-01-01T20:00:00","sold_out":false,"zones":[`, id)
		for z := range zones {
			if z > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"zone_id":"%d","name":"Grada %[1]d","capacity":%[1]d,"price":%d.50,"numbered":true}`, id*zones+z, z%90)
		}
		b.WriteString("]}\n")
		return b.String()
	}
	var doc strings.Builder
	for i := range events {
		doc.WriteString(record(i))
	}
	decode := func(doc string) float64 {
		return testing.AllocsPerRun(3, func() {
			if got, err := read(strings.NewReader(doc)); err != nil || got.Rejected > 0 || len(got.Events[0].Zones) != zones {
				t.Fatal(got, err)
			}
		})
	}
	one, all := decode(record(0)), decode(doc.String())
	if perEvent := (all - one) / (events - 1); perEvent > most {
		t.Errorf("%.1f allocations for each event of %d zones, more than %d", perEvent, zones, most)
	} else {
		t.Logf("%.1f allocations for each event of %d zones", perEvent, zones)
	}
}
