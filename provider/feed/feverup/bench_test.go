package feverup

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"fever/event"
	"fever/internal/feedtest"
)

func BenchmarkDecode(b *testing.B) {
	latin1, err := charmap.ISO8859_1.NewEncoder().Bytes(bytes.Replace(feedtest.Big(), []byte("UTF-8"), []byte("ISO-8859-1"), 1))
	if err != nil {
		b.Fatal(err)
	}
	for name, doc := range map[string][]byte{"utf-8": feedtest.Big(), "iso-8859-1": latin1} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				snapshot, err := decode(bytes.NewReader(doc))
				if err != nil {
					b.Fatal(err)
				}
				feedtest.CheckBig(b, snapshot.Events)
			}
		})
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
	doc := feedtest.Big()
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
		feedtest.CheckBig(b, events)
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
