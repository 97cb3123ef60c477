package provider

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"fever/event"
	"fever/provider/feed"
)

// bigFeed returns a feed of 100 MB: 2,000 base events with two occurrences each, and
// 300 zones in each of these.
var bigFeed = sync.OnceValue(func() []byte {
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

func BenchmarkDecode(b *testing.B) {
	latin1, err := charmap.ISO8859_1.NewEncoder().Bytes(bytes.Replace(bigFeed(), []byte("UTF-8"), []byte("ISO-8859-1"), 1))
	if err != nil {
		b.Fatal(err)
	}
	for name, doc := range map[string][]byte{"utf-8": bigFeed(), "iso-8859-1": latin1} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				snapshot, err := decodeXML(bytes.NewReader(doc), plainly)
				if err != nil {
					b.Fatal(err)
				}
				checkBig(b, snapshot.Events)
			}
		})
	}
}

func checkBig(b *testing.B, events []event.Event) {
	b.Helper()
	if len(events) != 4000 {
		b.Fatalf("%d events", len(events))
	}
	last := &events[len(events)-1]
	if last.Title != "Concierto número 1999 & más" || len(last.Zones) != 300 || last.Zones[299].Name != "Grada 299" || last.Zones[299].Price.String() != "39.75" {
		b.Fatalf("%+v", last)
	}
}

// BenchmarkScan is the part of the scanner in BenchmarkDecode.
func BenchmarkScan(b *testing.B) {
	doc := bigFeed()
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		s := newScanner(bytes.NewReader(doc), 0)
		if err := s.begin(""); err != nil {
			b.Fatal(err)
		}
		starts := 0
		for token := startTag; token != endDocument; {
			var err error
			if token, err = s.next(); err != nil {
				b.Fatal(err)
			}
			if token == startTag {
				starts++
			}
		}
		if want := 2 + 2000*(1+2*(1+300)); starts != want {
			b.Fatalf("%d elements, want %d", starts, want)
		}
	}
}

// The elements of a feed as people describe them to encoding/xml.
type (
	xmlGroup struct {
		ID       string   `xml:"base_plan_id,attr"`
		SellMode string   `xml:"sell_mode,attr"`
		Title    string   `xml:"title,attr"`
		Plans    []xmlRow `xml:"plan"`
	}
	xmlRow struct {
		ID      string    `xml:"plan_id,attr"`
		Start   string    `xml:"plan_start_date,attr"`
		End     string    `xml:"plan_end_date,attr"`
		From    string    `xml:"sell_from,attr"`
		To      string    `xml:"sell_to,attr"`
		SoldOut bool      `xml:"sold_out,attr"`
		Zones   []xmlZone `xml:"zone"`
	}
	xmlZone struct {
		ID       string `xml:"zone_id,attr"`
		Capacity int64  `xml:"capacity,attr"`
		Price    string `xml:"price,attr"`
		Name     string `xml:"name,attr"`
		Numbered bool   `xml:"numbered,attr"`
	}
)

// BenchmarkDecodeEncodingXML is what BenchmarkDecode is measured against: the same
// events out of the same feed by DecodeElement, group by group, with no checks.
func BenchmarkDecodeEncodingXML(b *testing.B) {
	doc := bigFeed()
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var events []event.Event
		d := xml.NewDecoder(bytes.NewReader(doc))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			start, ok := token.(xml.StartElement)
			if !ok || !strings.HasPrefix(start.Name.Local, "base_") {
				continue
			}
			var g xmlGroup
			if err := d.DecodeElement(&g, &start); err != nil {
				b.Fatal(err)
			}
			for _, row := range g.Plans {
				events = append(events, row.event(b, &g))
			}
		}
		checkBig(b, events)
	}
}

func (row *xmlRow) event(b *testing.B, g *xmlGroup) event.Event {
	e := event.Event{
		Key:   event.Key{Provider: "test", BaseID: g.ID, EventID: row.ID},
		Title: g.Title, SellFrom: row.From, SellTo: row.To, SoldOut: row.SoldOut,
		Zones: make([]event.Zone, len(row.Zones)),
	}
	var err1, err2 error
	e.Start, err1 = event.ParseLocal(row.Start)
	e.End, err2 = event.ParseLocal(row.End)
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	for i, z := range row.Zones {
		price, err := event.ParsePrice(z.Price)
		if err != nil {
			b.Fatal(err)
		}
		e.Zones[i] = event.Zone{ID: z.ID, Name: z.Name, Capacity: z.Capacity, Price: price, Numbered: z.Numbered}
	}
	return e
}

// BenchmarkDecodeJSON is for the events of BenchmarkDecode, as they are dumped.
func BenchmarkDecodeJSON(b *testing.B) {
	snapshot, err := decodeXML(bytes.NewReader(bigFeed()), plainly)
	if err != nil {
		b.Fatal(err)
	}
	doc, _ := dumped(b, snapshot.Events)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		snapshot, err := decodeJSON(bytes.NewReader(doc), plainly)
		if err != nil {
			b.Fatal(err)
		}
		checkBig(b, snapshot.Events)
	}
}

// BenchmarkAnswer is what becomes of an answer that is there: of one that is new, and
// of one that was the last, too. The bytes are those after decompression.
func BenchmarkAnswer(b *testing.B) {
	p, err := New(Config{Name: "bench", URL: "http://a", Timeout: plenty, MaxBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	for coding, body := range map[string][]byte{"identity": bigFeed(), "gzip": gzipped(b, bigFeed())} {
		answer := func(last feed.Validators) *feed.Feed {
			x := &exchange{answer: &http.Response{
				StatusCode: http.StatusOK,
				Header:     http.Header{"Content-Encoding": {coding}},
				Body:       io.NopCloser(bytes.NewReader(body)),
			}}
			snapshot, err := p.answer(b.Context(), x, last, nil)
			if err != nil {
				b.Fatal(err)
			}
			return snapshot
		}
		last := answer(feed.Validators{}).Validators
		b.Run(coding+"/new", func(b *testing.B) {
			b.SetBytes(int64(len(bigFeed())))
			b.ReportAllocs()
			for b.Loop() {
				checkBig(b, answer(feed.Validators{}).Events)
			}
		})
		b.Run(coding+"/same", func(b *testing.B) {
			b.SetBytes(int64(len(bigFeed())))
			b.ReportAllocs()
			for b.Loop() {
				if snapshot := answer(last); !snapshot.NotModified || snapshot.Events != nil {
					b.Fatalf("%+v", snapshot)
				}
			}
		})
	}
}
