package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
	"fever/store/storetest"
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

// exampleJobs are the jobs of that file, the newest first. The last but one is the
// example of the documentation.
var exampleJobs = []store.Job{
	{ID: 4, Provider: "feverup", Trigger: store.Manual, State: store.Running, Started: exampleRecord.LastChanged.Add(2 * time.Minute)},
	{
		ID: 3, Provider: "feverup", Trigger: store.Schedule, State: store.Failed,
		Scheduled: exampleRecord.LastChanged.Add(time.Minute),
		Started:   exampleRecord.LastChanged.Add(time.Minute),
		Finished:  exampleRecord.LastChanged.Add(time.Minute + 30*time.Second),
		Attempts:  3, HTTPStatus: 503, Kind: "timeout", Message: "fetch from example.com: not done within 10s",
	},
	{
		ID: 2, Provider: "feverup", Trigger: store.Schedule, State: store.Completed,
		Scheduled: time.Date(2021, 2, 1, 10, 1, 0, 0, time.UTC),
		Started:   exampleRecord.LastChanged,
		Finished:  exampleRecord.LastChanged.Add(1250 * time.Millisecond),
		Attempts:  2, HTTPStatus: 200, Bytes: 1771,
		Seen: 3, Changed: 1, Ignored: 1, Rejected: 1,
		Rejections: []feed.Rejection{{BaseID: "444", EventID: "1642", Line: 21, Reason: "no such day"}},
	},
	{
		ID: 1, Provider: "feverup", Trigger: store.StartUp, State: store.Completed,
		Scheduled: exampleRecord.FirstSeen, Started: exampleRecord.FirstSeen, Finished: exampleRecord.FirstSeen.Add(time.Second),
		Attempts: 1, HTTPStatus: 200, Bytes: 1024, Seen: 1, New: 1,
	},
}

var exampleValidators = feed.Validators{
	ETag:         `"6a5e"`,
	LastModified: "Mon, 01 Feb 2021 10:01:00 GMT",
	Digest:       sha256.Sum256([]byte("fever")),
	Source:       "f3a1",
}

// TestFormat compares the examples of the documentation with what is written: the
// format cannot change without it.
func TestFormat(t *testing.T) {
	t.Parallel()
	page := string(read(t, filepath.Join("..", "..", "docs", "store-format.md")))
	got := make(map[string]string)
	for _, block := range regexp.MustCompile("(?s)```hex\n# (.*?)\n(.*?)```").FindAllStringSubmatch(page, -1) {
		digits := regexp.MustCompile(`#.*|\s`).ReplaceAllString(block[2], "")
		got[block[1]] = digits
	}
	s := newStore(t)
	s.History = storetest.History
	applyExample(t, s)
	want := make(map[string]string)
	err := s.view(func(tx *bbolt.Tx) error {
		key := exampleRecord.Bytes()
		undo := store.UndoKey(key, 0)
		want["key of an undo"] = hex.EncodeToString(undo)
		want["value of an undo"] = hex.EncodeToString(tx.Bucket(historyBucket).Get(undo))
		want["key of an event"] = hex.EncodeToString(key)
		want["value of an event"] = hex.EncodeToString(tx.Bucket(eventsBucket).Get(key))
		want["mark of an event"] = hex.EncodeToString(tx.Bucket(currentBucket).Get(key))
		want["value of the provider feverup"] = hex.EncodeToString(tx.Bucket(providersBucket).Get([]byte("feverup")))
		key = store.JobKey("feverup", 2)
		want["key of a job"] = hex.EncodeToString(key)
		want["value of a job"] = hex.EncodeToString(tx.Bucket(jobsBucket).Get(key))
		want["key of a revision"] = hex.EncodeToString(revisionKey(2, exampleRecord.Bytes()))
		if tx.Bucket(revisionsBucket).Get(revisionKey(2, exampleRecord.Bytes())) == nil {
			t.Error("the example has no such revision")
		}
		want["key of the store's revision"] = hex.EncodeToString(headKey)
		want["value of the store's revision"] = hex.EncodeToString(tx.Bucket(revisionsBucket).Get(headKey))
		want["value of application"] = hex.EncodeToString(tx.Bucket(metaBucket).Get([]byte("application")))
		want["value of format"] = hex.EncodeToString(tx.Bucket(metaBucket).Get([]byte("format")))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	value, err := zonedValue()
	if err != nil {
		t.Fatal(err)
	}
	want["value of an event in a time zone of its own"] = hex.EncodeToString(value)
	key := store.ItemKey("feverup", "", "Session/7")
	item := store.StoredItem{Generation: 2, Keys: []event.Key{exampleRecord.Key}, Parent: "Series/1", Row: []byte(`{"id":7}`)}
	want["key of an item"] = hex.EncodeToString(key)
	want["value of an item"] = hex.EncodeToString(must(item.Encode(key)))
	want["key of a name"] = hex.EncodeToString(item.ItemNames(key)[0])
	streaming := store.Provider{TimeZone: "UTC", Validators: feed.Validators{Source: "f3a1"}, Stream: store.Stream{Generation: 2, Cursor: []byte("{}")}}
	want["value of the provider feverup with a feed of changes"] = hex.EncodeToString(must(streaming.Encode([]byte("feverup"))))
	if !maps.Equal(got, want) {
		t.Errorf("documented are\n%v\nnot\n%v", got, want)
	}
}

// zonedValue returns the stored value of an event that has all that only some events have.
func zonedValue() ([]byte, error) {
	e := event.Event{
		Key:      exampleRecord.Key,
		Title:    "Camela",
		TimeZone: "Europe/London",
		Zones:    []event.Zone{{ID: "40", Price: price("20"), Available: true, Currency: "GBP"}, {ID: "38"}},
	}
	if err := e.Start.UnmarshalText([]byte("2026-10-25T01:30:00[fold=1]")); err != nil {
		return nil, err
	}
	var enc store.Encoder
	v := store.Value{Revision: 3, FirstSeen: exampleRecord.FirstSeen.UnixMilli(), LastChanged: exampleRecord.FirstSeen.UnixMilli(), Event: enc.Encode(&e)}
	return v.Encode(e.Bytes())
}

// oldFile copies the file that an older format was first written to.
func oldFile(t *testing.T, format uint64) (path string, content []byte) {
	t.Helper()
	path, content = filepath.Join(t.TempDir(), "fever.db"), read(t, filepath.Join("testdata", fmt.Sprintf("format-%d.bbolt", format)))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// formatOf returns the format of a store's file.
func formatOf(t *testing.T, s *Store) (format uint64) {
	t.Helper()
	err := s.view(func(tx *bbolt.Tx) (err error) {
		format, err = identify(s.path, tx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return format
}

// TestOldFile reads a file of each older format as it is, converts it, and writes to it.
func TestOldFile(t *testing.T) {
	t.Parallel()
	for _, old := range []struct {
		format  uint64
		at      store.Revision // of what is stored
		changes int            // since the revision before
	}{
		{format: 1, at: 1, changes: -1}, // they cannot be told
		{format: 2, at: 2, changes: 1},
		{format: 3, at: 2, changes: 1},
		{format: 4, at: 2, changes: 1},
	} {
		t.Run(fmt.Sprintf("format %d", old.format), func(t *testing.T) {
			t.Parallel()
			path, content := oldFile(t, old.format)
			checkFile(t, path)
			check := func(s *Store, format uint64, jobsOf []store.Job) {
				t.Helper()
				if got := formatOf(t, s); got != format {
					t.Errorf("format %d", got)
				}
				if got := records(t, s, everything); len(got) != 1 || !reflect.DeepEqual(got[0], exampleRecord) {
					t.Errorf("stored are %+v, not %+v", got, exampleRecord)
				}
				if got := jobs(t, s, store.JobFilter{}); !reflect.DeepEqual(got, jobsOf) {
					t.Errorf("jobs are %+v, not %+v", got, jobsOf)
				}
				if got, err := s.Validators(t.Context(), "feverup"); err != nil || got != exampleValidators {
					t.Errorf("validators are %+v, %v, not %+v", got, err, exampleValidators)
				}
				if loaded, at, err := s.Load(t.Context()); err != nil || at != old.at || len(loaded) != 1 {
					t.Errorf("%d entries of revision %d, %v", len(loaded), at, err)
				}
				if got, _, err := s.Changes(t.Context(), old.at-1); errors.Is(err, store.ErrRewritten) != (old.changes < 0) || len(got) != max(old.changes, 0) {
					t.Errorf("changes since %d: %d, %v", old.at-1, len(got), err)
				}
				if got, at, err := s.Changes(t.Context(), old.at); err != nil || at != old.at || len(got) != 0 {
					t.Errorf("changes since %d: %d up to %d, %v", old.at, len(got), at, err)
				}
			}
			r, err := OpenReadOnly(path)
			if err != nil {
				t.Fatal(err)
			}
			interrupted := slices.Clone(exampleJobs)
			interrupted[0].Interrupt(time.Time{})
			check(r, old.format, interrupted)
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(read(t, path), content) {
				t.Error("reading changed the file")
			}
			for range 2 { // the second time it is converted already
				s, err := Open(path, keep)
				if err != nil {
					t.Fatal(err)
				}
				check(s, formatVersion, exampleJobs)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				checkFile(t, path)
			}
			s, err := Open(path, keep)
			if err != nil {
				t.Fatal(err)
			}
			same := snapshot("feverup", 1, exampleRecord.Event)
			same.TimeZone = "Europe/Madrid"
			if got := apply(t, s, same); got.Unchanged != 1 || got.Revision != old.at {
				t.Errorf("applied %+v, which was stored", got)
			}
			second := sample("feverup", 1, 1)
			if got := apply(t, s, snapshot("feverup", 1, second)); got.Gone != 1 || got.Revision != old.at+1 {
				t.Errorf("applied %+v", got) // the example is as it was, but in UTC now
			}
			if _, _, err := s.Changes(t.Context(), old.at); !errors.Is(err, store.ErrRewritten) {
				t.Errorf("the zone has changed: %v", err)
			}
			s.History = storetest.History
			first := exampleRecord.Event
			first.SoldOut = true
			if got := apply(t, s, snapshot("feverup", 2, first, second)); got.Changed != 1 || got.Revision != old.at+2 {
				t.Errorf("applied %+v", got)
			}
			if got, at, err := s.Changes(t.Context(), old.at+1); err != nil || at != old.at+2 || len(got) != 1 || !reflect.DeepEqual(got[0], event.NewEntry(&first, utc)) {
				t.Errorf("changes since %d: %d up to %d, %v", old.at+1, len(got), at, err)
			}
			versions := storetest.Versions(t, s, first.Key)
			if len(versions) != 2 || !versions[0].SoldOut || versions[1].SoldOut || !versions[1].At.Equal(exampleRecord.LastChanged) {
				t.Errorf("the versions are %+v", versions)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			checkFile(t, path)
		})
	}
}

// applyExample brings exampleRecord, exampleJobs and exampleValidators about.
func applyExample(t *testing.T, s *Store) {
	t.Helper()
	snap := store.Snapshot{Provider: "feverup", TimeZone: "Europe/Madrid", Taken: exampleRecord.FirstSeen}
	snap.Events = []event.Event{exampleRecord.Event}
	snap.Events[0].SoldOut = true
	for _, job := range slices.Backward(exampleJobs) {
		began, err := s.Begin(t.Context(), store.Job{Provider: job.Provider, Trigger: job.Trigger, Scheduled: job.Scheduled, Started: job.Started})
		if err != nil || began.ID != job.ID {
			t.Fatalf("began %+v, %v", began, err)
		}
		switch job.State {
		case store.Completed:
			if _, _, err = s.Apply(t.Context(), snap, job); err != nil {
				t.Fatal(err)
			}
			snap.Events[0].SoldOut = false
			snap.Taken, snap.Validators = exampleRecord.LastChanged, exampleValidators
		case store.Failed:
			if err := s.Finish(t.Context(), job, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}
