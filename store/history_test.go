package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"fever/event"
)

// TestUndoIsSmall changes one zone of many.
func TestUndoIsSmall(t *testing.T) {
	t.Parallel()
	e := event.Event{Key: event.Key{Provider: "a", BaseID: "1", EventID: "1"}, Title: "Camela"}
	for n := range 130 {
		e.Zones = append(e.Zones, event.Zone{ID: fmt.Sprint(n), Name: "Platea", Capacity: 200})
	}
	var enc Encoder
	before := bytes.Clone(enc.Encode(&e))
	e.Zones[64].Capacity = 199
	u := Undo{At: 1764345600000, Job: 70000, Current: true, LastChanged: 1764342000000}
	u.SetEvent(before, enc.Encode(&e))
	value := must(u.Encode(UndoKey(e.Bytes(), 1<<20)))
	if len(before) < 1500 || len(value) > 40 {
		t.Errorf("%d bytes for a change of an event of %d", len(value), len(before))
	}
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
			if got, err := u.event(after); err == nil && len(got) > len(after)+len(u.Middle) {
				t.Errorf("%d bytes of %d and %d", len(got), len(after), len(u.Middle))
			}
		}
		if bytes.Equal(before, after) || len(before) == 0 || len(after) == 0 {
			return
		}
		var u Undo
		u.SetEvent(before, after)
		if got, err := u.event(after); err != nil || !bytes.Equal(got, before) {
			t.Errorf("%q is back at %q, not %q: %v", after, got, before, err)
		}
		if event, position, err := ParseUndoKey(key); err == nil && !bytes.Equal(UndoKey(event, position), key) {
			t.Errorf("key %q is of %q at %d", key, event, position)
		}
	})
}
