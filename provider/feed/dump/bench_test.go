package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/provider/jsonscan"
)

// BenchmarkDecode is for the events of [feedtest.Big]. What they are as XML, and what their dump
// costs without the rules of a record, is measured beside it.
func BenchmarkDecode(b *testing.B) {
	asXML := feedtest.Big()
	snapshot, err := readXML(bytes.NewReader(asXML))
	if err != nil {
		b.Fatal(err)
	}
	asJSON, _ := dumped(b, snapshot.Events)
	feeds := func(read func(io.Reader) (*feed.Feed, error)) func(*testing.B, io.Reader) {
		return func(b *testing.B, r io.Reader) {
			snapshot, err := read(r)
			if err != nil {
				b.Fatal(err)
			}
			feedtest.CheckBig(b, snapshot.Events)
		}
	}
	scanned := func(read func(*jsonscan.Scanner)) func(*testing.B, io.Reader) {
		return func(b *testing.B, r io.Reader) {
			s := jsonscan.New(r)
			for s.Kind() != jsonscan.End {
				read(s)
			}
			if s.Err() != nil {
				b.Fatal(s.Err())
			}
		}
	}
	for _, test := range []struct {
		name   string
		doc    []byte
		decode func(*testing.B, io.Reader)
	}{
		{"fever", asJSON, feeds(read)},
		{"feverup", asXML, feeds(readXML)},
		{"any", asJSON, scanned(func(s *jsonscan.Scanner) { s.Any() })},
		{"skip", asJSON, scanned((*jsonscan.Scanner).Skip)},
		{"encoding-json-any", asJSON, func(b *testing.B, r io.Reader) {
			d := json.NewDecoder(r)
			d.UseNumber()
			for {
				var v any
				if err := d.Decode(&v); errors.Is(err, io.EOF) {
					return
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.SetBytes(int64(len(test.doc)))
			b.ReportAllocs()
			for b.Loop() {
				test.decode(b, bytes.NewReader(test.doc))
			}
		})
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
