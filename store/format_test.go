package store

import (
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
)

// exampleRecord is the event of the examples in docs/store-format.md, and of the file
// in testdata.
var exampleRecord = event.Record{
	Event: event.Event{
		Key:      event.Key{Provider: "feverup", BaseID: "291", EventID: "291"},
		Title:    "Camela en concierto",
		Start:    local("2021-06-30T21:00:00"),
		End:      local("2021-06-30T21:30:00"),
		SellFrom: "2020-07-01T00:00:00",
		SellTo:   "2021-06-30T20:00:00",
		Zones: []event.Zone{
			{ID: "40", Name: "Platea", Capacity: 243, Price: price("20"), Numbered: true},
			{ID: "38", Name: "Grada 2", Capacity: 0, Price: price("15.50")},
		},
	},
	FirstSeen:   time.Date(2021, 2, 1, 10, 0, 0, 0, time.UTC),
	LastChanged: time.Date(2021, 2, 1, 10, 1, 0, 500e6, time.UTC),
	Current:     true,
}

// TestFormat compares the examples of the documentation with what is written: the
// format cannot change without it.
func TestFormat(t *testing.T) {
	t.Parallel()
	page := string(read(t, filepath.Join("..", "docs", "store-format.md")))
	got := make(map[string]string)
	for _, block := range regexp.MustCompile("(?s)```hex\n# (.*?)\n(.*?)```").FindAllStringSubmatch(page, -1) {
		digits := regexp.MustCompile(`#.*|\s`).ReplaceAllString(block[2], "")
		got[block[1]] = digits
	}
	s := newStore(t)
	applyExample(t, s)
	want := make(map[string]string)
	err := s.view(func(tx *bbolt.Tx) error {
		key := exampleRecord.Bytes()
		want["key of an event"] = hex.EncodeToString(key)
		want["value of an event"] = hex.EncodeToString(tx.Bucket(eventsBucket).Get(key))
		want["value of the provider feverup"] = hex.EncodeToString(tx.Bucket(providersBucket).Get([]byte("feverup")))
		want["value of application"] = hex.EncodeToString(tx.Bucket(metaBucket).Get([]byte("application")))
		want["value of format"] = hex.EncodeToString(tx.Bucket(metaBucket).Get([]byte("format")))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("documented are\n%v\nnot\n%v", got, want)
	}
}

// TestOldFile reads a file that this format was first written to, and writes to it.
func TestOldFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fever.db")
	if err := os.WriteFile(path, read(t, filepath.Join("testdata", "format-1.bbolt")), 0o600); err != nil {
		t.Fatal(err)
	}
	checkFile(t, path)
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := records(t, s, everything); len(got) != 1 || !reflect.DeepEqual(got[0], exampleRecord) {
		t.Errorf("stored are %+v, not %+v", got, exampleRecord)
	}
	if got := apply(t, s, snapshot("feverup", 1)); got.Gone != 1 {
		t.Errorf("applied %+v", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	checkFile(t, path)
}

// applyExample brings exampleRecord about.
func applyExample(t *testing.T, s *Store) {
	t.Helper()
	snap := Snapshot{Provider: "feverup", TimeZone: "Europe/Madrid", Taken: exampleRecord.FirstSeen}
	snap.Events = []event.Event{exampleRecord.Event}
	snap.Events[0].SoldOut = true
	apply(t, s, snap)
	snap.Events[0].SoldOut = false
	snap.Taken = exampleRecord.LastChanged
	apply(t, s, snap)
}
