package ingest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fever/internal/postgrestest"
	"fever/provider/feed"
	"fever/store"
)

// steady is a source whose document never changes. Long makes its head too long for the archive.
type steady struct {
	long  bool
	asked []string // with which tags
}

func (s *steady) get(ctx context.Context, last feed.Validators, _ *feed.Progress) (*feed.Document, error) {
	s.asked = append(s.asked, last.ETag)
	doc, err := (&source{bodies: []string{"one"}}).get(ctx, last, nil)
	if s.long {
		doc.Op = strings.Repeat("long ", 200<<10)
	}
	return doc, err
}

// wantAsked wants that the feed was asked for with these tags since the last call.
func (s *steady) wantAsked(t *testing.T, tags ...string) {
	t.Helper()
	if !slices.Equal(s.asked, tags) {
		t.Errorf("asked with %q, want %q", s.asked, tags)
	}
	s.asked = nil
}

// A document that is missing in the archive is got by a later job, though it has not changed. While the archive fails that
// is tried once an hour.
func TestArchiveOwed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, dir := archiving(t, new(source))
		s := new(steady)
		f.targets[0].Get = s.get
		s.long = true
		for range 3 {
			manual(t, f.Ingester)
		}
		s.wantAsked(t, "", "", `"one"`)
		wantDocuments(t, dir)
		s.long = false
		manual(t, f.Ingester)
		s.wantAsked(t, `"one"`)
		time.Sleep(betweenOwed)
		if job := manual(t, f.Ingester); job.NotModified || job.Unchanged != 1 {
			t.Errorf("%+v", job)
		}
		manual(t, f.Ingester)
		s.wantAsked(t, "", `"one"`)
		wantDocuments(t, dir, "5.1 page 1 [] [] one")
	})
}

// TestArchiveOwedAnew has an archive that lacks the latest snapshot from the beginning on, and one whose files are
// removed while it is in use.
func TestArchiveOwedAnew(t *testing.T) {
	t.Parallel()
	f, _ := archiving(t, new(source))
	s := new(steady)
	f.targets[0].Get = s.get
	manual(t, f.Ingester)
	s.wantAsked(t, "")

	dir := filepath.Join(t.TempDir(), "another")
	again := New(f.bolt, f.log, 1, f.targets[0].Provider)
	again.Archive = openArchive(t, dir)
	if err := again.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	manual(t, again)
	manual(t, again)
	s.wantAsked(t, "", `"one"`)
	wantDocuments(t, dir, "2.1 page 1 [] [] one")

	if err := again.Archive.Close(); err != nil {
		t.Fatal(err)
	}
	third := New(f.bolt, f.log, 1, f.targets[0].Provider)
	third.Archive = openArchive(t, dir)
	if err := third.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	manual(t, third) // the archive has all
	s.wantAsked(t, `"one"`)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	manual(t, third)
	manual(t, third)
	s.wantAsked(t, "", `"one"`)
	wantDocuments(t, dir, "5.1 page 1 [] [] one")
}

// Processes with a database and an archive each do not ask for what another one has got.
func TestArchiveOwedToOthers(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	s := new(steady)
	p := provides(time.Hour, nil)
	p.Get, p.Decode = s.get, func(doc *feed.Document) (*feed.Feed, error) { return feed.Decode(doc, text, "feverup", time.UTC) }
	one, two := newReplica(t, place, p), newReplica(t, place, p)
	for _, r := range []*replica{one, two} {
		r.Archive = openArchive(t, filepath.Join(t.TempDir(), "archive"))
	}
	if job := byHand(t, one.Ingester); job.State != store.Completed || job.New != 1 {
		t.Fatalf("%+v", job)
	}
	if status := two.looks(t); status.Snapshot == 0 {
		t.Errorf("%+v", status)
	}
	byHand(t, two.Ingester)
	byHand(t, one.Ingester)
	s.wantAsked(t, "", `"one"`, `"one"`)
}
