package store

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fever/event"
)

// TestNoZones encodes an event without zones before and after others, as the Encoder
// keeps its buffers.
func TestNoZones(t *testing.T) {
	t.Parallel()
	var c Encoder
	e := event.Event{Title: "x", Zones: []event.Zone{}}
	first := slices.Clone(c.Encode(&e))
	e.Zones = nil
	if again := c.Encode(&e); !slices.Equal(again, first) {
		t.Errorf("%x for nil, not %x", again, first)
	}
	full := event.Event{Title: "y", Zones: make([]event.Zone, 3)}
	c.Encode(&full)
	if again := c.Encode(&e); !slices.Equal(again, first) {
		t.Errorf("%x after another event, not %x", again, first)
	}
}

// TestSameBytes encodes an event without a time zone, currencies and available zones after one
// that has them: it has the bytes that it had when no event could have them, as the Encoder keeps
// its buffers.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	var c Encoder
	plain := event.Event{Title: "x", Zones: []event.Zone{{ID: "1"}, {ID: "2"}}}
	first := slices.Clone(c.Encode(&plain))
	for _, z := range []event.Zone{{Available: true}, {Currency: "EUR"}} {
		full := event.Event{Title: "x", TimeZone: "UTC", Zones: []event.Zone{{ID: "1"}, z}}
		if other := c.Encode(&full); slices.Equal(other, first) {
			t.Errorf("%+v makes no difference", z)
		}
		if again := c.Encode(&plain); !slices.Equal(again, first) {
			t.Errorf("%x after another event, not %x", again, first)
		}
	}
	const want = "\x8aax`````\xf4``O\x82\x85a1`\x00`\xf4\x85a2`\x00`\xf4"
	if string(first) != want {
		t.Errorf("%q, not %q", first, want)
	}
}

// TestEncodeByHand compares what the Encoder writes with what the library makes of the same fields.
func TestEncodeByHand(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Lengths and numbers on both sides of those at which the head of an item gets longer.
		length := rapid.SampledFrom([]int{0, 1, 23, 24, 255, 256, 1024})
		text := rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat(rapid.SampledFrom([]string{"a", "é", "\x00", "\xff"}).Draw(t, "letter"), length.Draw(t, "length"))
		})
		number := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, -1, -24, -25}))
		zone := rapid.Custom(func(t *rapid.T) event.Zone {
			return event.Zone{
				ID: text.Draw(t, "id"), Name: text.Draw(t, "name"), Capacity: number.Draw(t, "capacity"), Numbered: rapid.Bool().Draw(t, "numbered"),
				Price:     must(parsePrice(rapid.SampledFrom([]string{"", "0", "20.5", "0.0000000000000000001", "9999999999999999999"}).Draw(t, "price"))),
				Available: rapid.IntRange(0, 5).Draw(t, "available") == 5, Currency: rapid.SampledFrom([]string{"", "", "EUR"}).Draw(t, "currency"),
			}
		})
		time := rapid.Custom(func(t *rapid.T) event.Local {
			return must(parseLocal(rapid.SampledFrom([]string{"", "2021-06-30", "2026-10-25T01:30:00[fold=1]"}).Draw(t, "time")))
		})
		var c Encoder
		for range rapid.IntRange(1, 3).Draw(t, "events") {
			e := event.Event{
				Title: text.Draw(t, "title"), OrganizerID: text.Draw(t, "organizer"), TimeZone: rapid.SampledFrom([]string{"", "Europe/Madrid"}).Draw(t, "zone"),
				Start: time.Draw(t, "start"), End: time.Draw(t, "end"), SellFrom: text.Draw(t, "from"), SellTo: text.Draw(t, "to"), SoldOut: rapid.Bool().Draw(t, "sold out"),
				Zones: rapid.SliceOfN(zone, 0, length.Draw(t, "zones")/40).Draw(t, "zone"),
			}
			fields, extras, extra := []zoneFields{}, []zoneExtras(nil), false
			for _, z := range e.Zones {
				fields = append(fields, zoneFields{ID: z.ID, Name: z.Name, Capacity: z.Capacity, Price: z.Price.String(), Numbered: z.Numbered})
				extras = append(extras, zoneExtras{Available: z.Available, Currency: z.Currency})
				extra = extra || z.Available || z.Currency != ""
			}
			zones := must(encoding.Marshal(fields))
			if extra {
				zones = append(zones, must(encoding.Marshal(extras))...)
			}
			lowest, highest := e.PriceRange()
			want := must(encoding.Marshal(&eventFields{
				Title: e.Title, Organizer: e.OrganizerID, Start: zoned(e.Start, e.TimeZone), End: e.End.String(), SellFrom: e.SellFrom, SellTo: e.SellTo,
				SoldOut: e.SoldOut, Lowest: lowest.String(), Highest: highest.String(), Zones: zones,
			}))
			if got := c.Encode(&e); !bytes.Equal(got, want) {
				t.Fatalf("%x, not %x", got, want)
			}
		}
	})
}

// FuzzDecodeValue decodes anything that has the right checksum, as a file from a
// program with a bug could hold.
func FuzzDecodeValue(f *testing.F) {
	f.Fuzz(func(t *testing.T, key, b []byte) {
		b = binary.BigEndian.AppendUint32(b, checksum(key, b))
		e, _, _, errEntry := DecodeEntry(key, b)
		r, err := DecodeRecord(key, b)
		if err != nil {
			return
		}
		if errEntry == nil && (e.Key != r.Key || e.Title != r.Title || e.TimeZone != r.TimeZone || e.Start != r.Start || e.End != r.End) {
			t.Errorf("the entry is of %+v, the record of %+v", e, r)
		}
		var c Encoder
		if _, revision, err := c.CheckRecord(key, b); err == nil {
			v := must(DecodeValue(key, b))
			if again := must(v.Encode(key)); v.Revision != revision || revision != must(VerifyValue(key, b)) || !slices.Equal(again, b) {
				t.Errorf("revision %d: %+v, %x", revision, v, again)
			}
		}
		if r.Validate() != nil {
			return
		}
		fields := c.Encode(&r.Event)
		again := must((&Value{FirstSeen: r.FirstSeen.UnixMilli(), LastChanged: r.LastChanged.UnixMilli(), Event: fields}).Encode(key))
		second, err := DecodeRecord(key, again)
		if err != nil || !reflect.DeepEqual(second, r) {
			t.Errorf("%+v came back as %+v, %v", r, second, err)
		}
	})
}

// FuzzDecodeItem decodes anything that has the right checksum as an item: what is accepted is
// what fever writes.
func FuzzDecodeItem(f *testing.F) {
	key := ItemKey("a", "", "Session/7")
	item := StoredItem{Generation: 2, Keys: []event.Key{{Provider: "a", BaseID: "1", EventID: "2"}}, Parent: "Series/1", Row: []byte("{}")}
	b := must(item.Encode(key))
	f.Add(key, b[:len(b)-sumBytes])
	f.Fuzz(func(t *testing.T, key, b []byte) {
		b = binary.BigEndian.AppendUint32(b, checksum(key, b))
		i, err := DecodeItem(key, b)
		if err != nil {
			return
		}
		provider, table, id, err := ParseItemKey(key)
		if err != nil || !bytes.Equal(ItemKey(provider, table, id), key) {
			t.Errorf("key %q: %v", key, err)
		}
		if again := must(i.Encode(key)); !bytes.Equal(again, b) {
			t.Errorf("%+v is %x, not %x", i, again, b)
		}
		for _, name := range i.ItemNames(key) {
			if !bytes.HasSuffix(name, slices.Concat([]byte{0}, []byte(table), []byte{0}, []byte(id))) {
				t.Errorf("name %q of the item %q", name, key)
			}
		}
	})
}
