package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fever/event"
)

// TestUndoIsSmall changes a few zones of many: what is kept of it does not depend on where they are, or on
// whether the numbers have fewer digits then.
func TestUndoIsSmall(t *testing.T) {
	t.Parallel()
	sell := func(n int) func(*event.Event) { return func(e *event.Event) { e.Zones[n].Capacity-- } }
	for name, tc := range map[string]struct {
		most   int
		change func(e *event.Event)
	}{
		"one count":              {40, sell(150)},
		"one count from 256":     {50, sell(256)},
		"one count from 24":      {50, sell(24)},
		"first and last":         {50, func(e *event.Event) { sell(1)(e); sell(299)(e) }},
		"sold out, and cheapest": {70, func(e *event.Event) { e.Zones[1].Capacity = 0 }},
		"title":                  {90, func(e *event.Event) { e.Title = "Camela, and guests" }},
		"title and a count":      {60, func(e *event.Event) { e.Title += "!"; sell(256)(e) }},
		"a zone less":            {80, func(e *event.Event) { sell(2)(e); e.Zones = slices.Delete(e.Zones, 100, 101) }},
		"a zone more":            {70, func(e *event.Event) { sell(2)(e); e.Zones = slices.Insert(e.Zones, 100, event.Zone{ID: "new"}) }},
		"fewer and more zones": {120, func(e *event.Event) {
			e.Zones = slices.Insert(slices.Delete(e.Zones, 100, 102), 250, event.Zone{ID: "new"}, event.Zone{ID: "newer"})
		}},
		"a currency": {60, func(e *event.Event) { e.Zones[0].Currency = "EUR" }},
		"all counts": {1800, func(e *event.Event) {
			for n := range e.Zones {
				sell(n)(e)
			}
		}},
	} {
		e := event.Event{Key: event.Key{Provider: "a", BaseID: "1", EventID: "1"}, Title: "Camela"}
		for n := range 300 {
			e.Zones = append(e.Zones, event.Zone{ID: fmt.Sprint(n), Name: "Platea", Capacity: int64(max(n, 1)), Price: must(parsePrice(fmt.Sprint(n)))})
		}
		var enc Encoder
		before := bytes.Clone(enc.Encode(&e))
		tc.change(&e)
		u := Undo{At: 1764345600000, Job: 70000, Current: true, LastChanged: 1764342000000}
		u.SetEvent(before, enc.Encode(&e))
		value := must(u.Encode(UndoKey(e.Bytes(), 1<<20)))
		if len(before) < 4500 || len(value) > tc.most {
			t.Errorf("%s: %d bytes for a change of an event of %d, more than %d: %v", name, len(value), len(before), tc.most, u.Edits)
		}
	}
}

// TestVersions changes an event in any way and any number of times. Each version comes back as it was.
func TestVersions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.Custom(func(t *rapid.T) event.Zone {
			return event.Zone{
				ID:       rapid.SampledFrom([]string{"1", "2", "3", "40", strings.Repeat("4", 30), ""}).Draw(t, "id"),
				Name:     rapid.SampledFrom([]string{"", "Platea", "Grada"}).Draw(t, "name"),
				Capacity: rapid.SampledFrom([]int64{0, 23, 24, 255, 256, 65535, 65536, 1 << 40}).Draw(t, "capacity"),
				Price:    must(parsePrice(rapid.SampledFrom([]string{"", "20", "20.5"}).Draw(t, "price"))),
				Currency: rapid.SampledFrom([]string{"", "", "", "EUR"}).Draw(t, "currency"),
			}
		})
		e := event.Event{Key: event.Key{Provider: "a", BaseID: "1", EventID: "1"}, Title: "Camela", Zones: rapid.SliceOfN(zone, 0, 40).Draw(t, "zones")}
		if err := e.Start.UnmarshalText([]byte("2021-06-30")); err != nil {
			t.Fatal(err)
		}
		var enc Encoder
		key, v := e.Bytes(), Value{FirstSeen: 1, LastChanged: 1, Event: bytes.Clone(enc.Encode(&e))}
		want := []event.Event{e}
		var undos []StoredUndo
		position, current := uint64(0), true
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			u := Undo{At: v.LastChanged + 1, Job: 7, Current: current, LastChanged: v.LastChanged}
			e.Zones = slices.Clone(e.Zones)
			switch at := rapid.IntRange(0, len(e.Zones)).Draw(t, "at"); rapid.IntRange(0, 5).Draw(t, "change") {
			case 0:
				e.Title += rapid.SampledFrom([]string{"!", ", and guests of all kinds"}).Draw(t, "title")
			case 1:
				e.Zones = rapid.SliceOfN(zone, 0, 40).Draw(t, "zones")
			case 2:
				e.Zones = slices.Delete(e.Zones, at, len(e.Zones))
			case 3:
				e.Zones = slices.Insert(e.Zones, at, zone.Draw(t, "zone"))
			case 4:
				e.SoldOut = !e.SoldOut
			case 5:
				for i := range e.Zones[at:] {
					e.Zones[at+i].Capacity += 3
				}
			}
			after := bytes.Clone(enc.Encode(&e))
			if bytes.Equal(after, v.Event) {
				continue
			}
			u.SetEvent(v.Event, after)
			v.Event, v.LastChanged = after, u.At
			value := must(u.Encode(UndoKey(key, position)))
			undos = append(undos, StoredUndo{position, value})
			position += UndoSize(value)
			want = append(want, e)
		}
		for version, err := range Versions(key, v, current, undos) {
			if err != nil {
				t.Fatal(err)
			}
			e := want[len(want)-1]
			if want = want[:len(want)-1]; !bytes.Equal(enc.Encode(&version.Event), new(Encoder).Encode(&e)) {
				t.Fatalf("a version is\n%+v\nnot\n%+v", version.Event, e)
			}
		}
		if len(want) > 0 {
			t.Fatalf("%d versions are missing", len(want))
		}
	})
}

// history returns what a store has of an event that changed twice.
func history(t *testing.T) (key []byte, v Value, undos []StoredUndo) {
	t.Helper()
	e := event.Event{Key: event.Key{Provider: "a", BaseID: "1", EventID: "1"}, Title: "Camela"}
	if err := e.Start.UnmarshalText([]byte("2021-06-30")); err != nil {
		t.Fatal(err)
	}
	var enc Encoder
	key, v = e.Bytes(), Value{FirstSeen: 1, LastChanged: 1, Event: bytes.Clone(enc.Encode(&e))}
	position := uint64(100)
	for at := range int64(2) {
		u := Undo{At: at + 2, Job: 7, Current: true, LastChanged: v.LastChanged}
		e.Title += "!"
		after := bytes.Clone(enc.Encode(&e))
		u.SetEvent(v.Event, after)
		v.Event, v.LastChanged = after, u.At
		undos = append(undos, StoredUndo{position, must(u.Encode(UndoKey(key, position)))})
		position += UndoSize(undos[at].Value)
	}
	return key, v, undos
}

// TestVersionsBroken has what no store writes.
func TestVersionsBroken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(v *Value, undos []StoredUndo)
		say   string
	}{
		"as it was written": {func(*Value, []StoredUndo) {}, ""},
		"other values": {func(v *Value, _ []StoredUndo) {
			v.Event[len(v.Event)-1] ^= 1
		}, "history of event"},
		"other time": {func(v *Value, _ []StoredUndo) { v.LastChanged++ }, "of another time"},
		"a hole": {func(_ *Value, undos []StoredUndo) {
			u := must(DecodeUndo(UndoKey([]byte("a\x001\x001"), undos[0].Position), undos[0].Value))
			undos[0].Position--
			undos[0].Value = must(u.Encode(UndoKey([]byte("a\x001\x001"), undos[0].Position)))
		}, "it has a hole"},
		"a damaged undo":            {func(_ *Value, undos []StoredUndo) { undos[1].Value[3] ^= 1 }, "checksum"},
		"the undo of another event": {func(_ *Value, undos []StoredUndo) { undos[1] = undos[0] }, "history of event"},
	} {
		key, v, undos := history(t)
		tc.spoil(&v, undos)
		var titles []string
		var failed error
		for version, err := range Versions(key, v, true, undos) {
			if failed = err; err == nil {
				titles = append(titles, version.Title)
			}
		}
		switch {
		case tc.say == "":
			if got := strings.Join(titles, " "); failed != nil || got != "Camela!! Camela! Camela" {
				t.Errorf("%s: %s, %v", name, got, failed)
			}
		case failed == nil || !strings.Contains(failed.Error(), tc.say):
			t.Errorf("%s: %q, %v", name, titles, failed)
		}
	}
}

// FuzzUndo takes a change back with anything that has the right checksum. What is accepted is what
// fever writes.
func FuzzUndo(f *testing.F) {
	u := Undo{At: 2, Job: 1, Current: true, LastChanged: 1}
	u.SetEvent([]byte("tickets: 243, price: 20"), []byte("tickets: 24, price: 20"))
	key := UndoKey([]byte("a\x001\x001"), 3)
	b := must(u.Encode(key))
	f.Add(key, b[:len(b)-sumBytes], []byte("tickets: 24, price: 20"), []byte("tickets: 243, price: 20"))
	f.Fuzz(func(t *testing.T, key, b, after, before []byte) {
		b = binary.BigEndian.AppendUint32(b, checksum(key, b))
		if u, err := DecodeUndo(key, b); err == nil {
			if again := must(u.Encode(key)); !bytes.Equal(again, b) {
				t.Errorf("%+v is %x, not %x", u, again, b)
			}
			if got, err := u.event(after); err == nil && len(got) > len(after)+len(b) {
				t.Errorf("%d bytes of %d and %d", len(got), len(after), len(b))
			}
		}
		if bytes.Equal(before, after) || len(before) == 0 || len(after) == 0 {
			return
		}
		var u Undo
		u.SetEvent(before, after)
		if got, err := u.event(after); err != nil || !bytes.Equal(got, before) {
			t.Errorf("%q is back at %q, not %q: %v, %v", after, got, before, u.Edits, err)
		}
		if event, position, err := ParseUndoKey(key); err == nil && !bytes.Equal(UndoKey(event, position), key) {
			t.Errorf("key %q is of %q at %d", key, event, position)
		}
	})
}
