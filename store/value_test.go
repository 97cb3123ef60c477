package store

import (
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"fever/event"
)

func TestValueLimits(t *testing.T) {
	t.Parallel()
	id, text := strings.Repeat("i", event.MaxIDBytes), strings.Repeat("é", event.MaxTextBytes/2)
	e := event.Event{
		Key:   event.Key{Provider: strings.Repeat("p", 63), BaseID: id, EventID: id},
		Title: text, OrganizerID: id, SellFrom: text, SellTo: text,
		Start: local("0000-01-01"), End: local("9999-12-31T23:59:59"),
	}
	for range event.MaxZones {
		e.Zones = append(e.Zones, event.Zone{ID: id, Name: text, Capacity: 1<<63 - 1, Price: price("1234567890.123456789"), Numbered: true})
	}
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	apply(t, s, snapshot(e.Provider, -1e9, e))
	got := records(t, s, everything)
	if len(got) != 1 || !reflect.DeepEqual(got[0].Event, e) || got[0].FirstSeen.Unix() != -1e9 {
		t.Error("an event at all of its limits does not come back")
	}
}

// TestNoZones encodes an event without zones before and after others, as the encoder
// keeps its buffers.
func TestNoZones(t *testing.T) {
	t.Parallel()
	var c encoder
	e := sample("a", 1, 0)
	first := slices.Clone(must(c.encode(&e)))
	e.Zones = nil
	if again := must(c.encode(&e)); !slices.Equal(again, first) {
		t.Errorf("%x for nil, not %x", again, first)
	}
	full := sample("a", 1, 3)
	must(c.encode(&full))
	if again := must(c.encode(&e)); !slices.Equal(again, first) {
		t.Errorf("%x after another event, not %x", again, first)
	}
}

// FuzzDecodeValue decodes anything that has the right checksum, as a file from a
// program with a bug could hold.
func FuzzDecodeValue(f *testing.F) {
	f.Fuzz(func(t *testing.T, key, b []byte) {
		b = binary.BigEndian.AppendUint32(b, checksum(key, b))
		e, _, _, errEntry := decodeEntry(key, b)
		r, err := decodeRecord(key, b)
		if err != nil {
			return
		}
		if errEntry == nil && (e.Key != r.Key || e.Title != r.Title || e.Start != r.Start || e.End != r.End) {
			t.Errorf("the entry is of %+v, the record of %+v", e, r)
		}
		if r.Validate() != nil {
			return
		}
		var c encoder
		fields := must(c.encode(&r.Event))
		again := must(seal(key, &value[cbor.RawMessage]{FirstSeen: r.FirstSeen.UnixMilli(), LastChanged: r.LastChanged.UnixMilli(), Event: fields}))
		second, err := decodeRecord(key, again)
		if err != nil || !reflect.DeepEqual(second, r) {
			t.Errorf("%+v came back as %+v, %v", r, second, err)
		}
	})
}
