package mapped

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"fever/internal/feedtest"
	"fever/provider/jsonscan"
)

// benchmarkRows returns rows with so many zones each, in JSON, and their mapping.
func benchmarkRows(rows, zones int) ([]byte, Mapping) {
	var b bytes.Buffer
	b.WriteString(`{"total": 1, "events": [`)
	for i := range rows {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"id": "%d", "name": "Concierto número %d", "description": "A text that the mapping does not read, as feeds have them, of some length.", "place": {"name": "Teatro", "lat": 40.41, "lon": -3.70}, "begin": "2026-05-%02dT20:30:00", "finish": "2026-05-%02dT23:00:00", "status": "open", "sectors": [`, i, i, i%28+1, i%28+1)
		for z := range zones {
			if z > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"sector": "%d", "label": "Grada %d", "left": %d, "amount": %d.%02d, "currency": "EUR"}`, z, z, z%500, 10+z%90, z%4*25)
		}
		b.WriteString("]}")
	}
	b.WriteString("]}\n")
	return b.Bytes(), Mapping{Rows: ".events[]", To: `select(.status != "closed") | {base_id: .id, title: .name, start: .begin, end: .finish,
		zones: [.sectors[] | {zone_id: .sector, name: .label, capacity: .left, price: .amount, currency}]}`}
}

// BenchmarkMap compares a mapping with decoding the same bytes to values.
func BenchmarkMap(b *testing.B) {
	for _, size := range []struct{ rows, zones int }{{2000, 3}, {100, 200}} {
		doc, mapping := benchmarkRows(size.rows, size.zones)
		run := func(name string, once func() error) {
			b.Run(fmt.Sprintf("%d_zones/%s", size.zones, name), func(b *testing.B) {
				b.SetBytes(int64(len(doc)))
				b.ReportAllocs()
				for b.Loop() {
					if err := once(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		format, err := New(mapping)
		if err != nil {
			b.Fatal(err)
		}
		run("map", func() error {
			got, err := feedtest.Read(format, bytes.NewReader(doc), "")
			if err == nil && len(got.Events) != size.rows {
				err = fmt.Errorf("%+v", got.Rejections)
			}
			return err
		})
		run("any", func() error {
			s := jsonscan.New(bytes.NewReader(doc))
			s.Any()
			return s.Err()
		})
		run("encoding_json", func() error {
			d := json.NewDecoder(bytes.NewReader(doc))
			d.UseNumber()
			var v any
			return d.Decode(&v)
		})
	}
}
