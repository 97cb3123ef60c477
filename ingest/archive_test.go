package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fever/archive"
	"fever/event"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
)

// openArchive opens an archive that is closed at the end.
func openArchive(t *testing.T, dir string) *archive.Archive {
	t.Helper()
	a, err := archive.Open(archive.Folder(dir), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() }) // it may be closed already
	return a
}

// documents says of each document in the archive of feverup: job, attempt, page, why no feed was made of it, why it
// was not committed ("?" if that is unknown), and the body.
func documents(t *testing.T, dir string) (all []string) {
	t.Helper()
	for doc, err := range archive.Documents(t.Context(), archive.Folder(dir), "feverup") {
		if err != nil {
			t.Fatal(err)
		}
		in, err := doc.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close()); err != nil {
			t.Fatal(err)
		}
		outcome := string(doc.Outcome.Failure)
		if !doc.Outcome.Known() {
			outcome = "?"
		}
		all = append(all, fmt.Sprintf("%d.%d page %d [%s] [%s] %s", doc.Job, doc.Attempt, doc.Page, doc.Failure, outcome, body))
	}
	return all
}

func wantDocuments(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := documents(t, dir); !slices.Equal(got, want) {
		t.Errorf("the archive has\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// A text is a format: each line is the id of an event. Some words stop it.
var text = feed.Format{Name: "text", Decode: func(doc *feed.Document, b *feed.Builder) error {
	first := make([]byte, 4)
	switch n, err := io.ReadFull(doc.Body, first); {
	case errors.Is(err, io.EOF):
		return nil
	case string(first[:n]) == "stop":
		return feed.Errorf(feed.KindMalformed, "the document ends here") // and is read no further
	case string(first[:n]) == "boom":
		panic("a bug")
	case string(first[:n]) == "bad ":
		b.Reject("1", "1", 1, "it is bad")
		_, err := io.Copy(io.Discard, doc.Body)
		return err
	}
	_, err := io.Copy(io.Discard, doc.Body)
	if err != nil {
		return err
	}
	start, err := event.ParseLocal("2030-01-01T20:00:00")
	if err != nil {
		return err
	}
	return b.Keep(event.Event{Key: event.Key{Provider: "feverup", BaseID: "1", EventID: "1"}, Title: "T", Start: start, Zones: []event.Zone{}}, 1)
}}

// A source has documents for an ingester, each for one request.
type source struct {
	bodies []string
	fails  error // of reading the body of the last one, after its first bytes
}

func (s *source) get(_ context.Context, last feed.Validators, _ *feed.Progress) (*feed.Document, error) {
	if len(s.bodies) == 0 {
		return nil, &feed.Error{Provider: "feverup", Kind: feed.KindConnection, Op: "fetch", Err: errors.New("nobody is there")}
	}
	body := s.bodies[0]
	s.bodies = s.bodies[1:]
	doc := &feed.Document{
		Body: io.NopCloser(strings.NewReader(body)), Op: "fetch from example.com", Page: feed.Page{Number: 1, Began: time.Now()},
		Validators: feed.Validators{ETag: `"` + body + `"`}, NotModified: last.ETag == `"`+body+`"`,
	}
	if s.fails != nil && len(s.bodies) == 0 {
		doc.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), &failing{s.fails}))
	}
	return doc, nil
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// archiving returns a fixture whose jobs read the documents of a source, and keep them.
func archiving(t *testing.T, s *source) (f *fixture, dir string) {
	t.Helper()
	f = &fixture{path: filepath.Join(t.TempDir(), "fever.db")}
	f.bolt = openStore(t, f.path)
	f.Ingester = New(f.bolt, slog.New(slog.NewTextHandler(&f.logged, nil)), 1, Provider{
		Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Get: s.get,
		Decode: func(doc *feed.Document) (*feed.Feed, error) { return feed.Decode(doc, text, "feverup", time.UTC) },
	})
	dir = filepath.Join(t.TempDir(), "archive")
	f.Archive = openArchive(t, dir)
	return f, dir
}

func TestArchive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // for the pauses between attempts
		s := new(source)
		f, dir := archiving(t, s)
		run := func(state store.State, bodies ...string) {
			t.Helper()
			s.bodies = bodies
			job, err := f.RunNow(t.Context(), "feverup", store.Manual, false)
			if err != nil || job.State != state {
				t.Fatalf("%+v, %v", job, err)
			}
		}
		run(store.Completed, "one")
		run(store.Completed, "one")                                 // not modified
		run(store.Completed, "stop and more", "two")                // the first attempt fails
		run(store.Failed, "stop", "stop")                           // both do
		run(store.Completed, "bad one")                             // its row is rejected
		run(store.Failed, "boom")                                   // nothing is kept of what was being read
		run(store.Failed)                                           // no answer
		s.fails = feed.Errorf(feed.KindTooLarge, "it is too large") // it does not come whole
		run(store.Failed, "stop")
		s.fails = nil
		job, err := f.Import(t.Context(), "feverup", false, func(ctx context.Context, p *feed.Progress) (*feed.Document, error) {
			s.bodies = []string{"by hand"}
			return s.get(ctx, feed.Validators{}, p)
		})
		if err != nil || job.State != store.Completed {
			t.Fatalf("%+v, %v", job, err)
		}
		wantDocuments(t, dir,
			"1.1 page 1 [] [] one",
			"3.1 page 1 [malformed] [] stop and more",
			"3.2 page 1 [] [] two",
			"4.1 page 1 [malformed] [malformed] stop",
			"4.2 page 1 [malformed] [malformed] stop",
			"5.1 page 1 [] [] bad one",
			"9.1 page 1 [] [] by hand",
		)
		if f.Unarchived.Load() != 0 {
			t.Errorf("%d errors:\n%s", f.Unarchived.Load(), f.logged.String())
		}
	})
}

// The pages of a job are dropped together if they brought nothing new, and kept if one has changed
// or cannot be got.
func TestArchivePages(t *testing.T) {
	t.Parallel()
	f := &fixture{path: filepath.Join(t.TempDir(), "fever.db")}
	f.bolt = openStore(t, f.path)
	bodies, broken := []string{"one", "two"}, 0
	page := func(number int) (*feed.Document, error) {
		if number == broken {
			return nil, &feed.Error{Provider: "feverup", Kind: feed.KindHTTPStatus, Op: "fetch", Err: errors.New("no"), HTTPStatus: http.StatusForbidden}
		}
		body := bodies[number-1]
		doc := &feed.Document{Body: io.NopCloser(strings.NewReader(body)), Page: feed.Page{Number: number, Began: time.Now()}}
		copy(doc.Validators.Digest[:], body)
		return doc, nil
	}
	f.Ingester = New(f.bolt, slog.New(slog.NewTextHandler(&f.logged, nil)), 1, Provider{
		Name: "feverup", Location: time.UTC, Attempts: 1, Every: time.Hour, Paged: true,
		Get:     func(context.Context, feed.Validators, *feed.Progress) (*feed.Document, error) { return page(1) },
		GetPage: func(_ context.Context, p *feed.Page, _ *feed.Progress) (*feed.Document, error) { return page(p.Number) },
		Decode: func(doc *feed.Document) (*feed.Feed, error) {
			got, err := feed.Decode(doc, text, "feverup", time.UTC)
			if err == nil && doc.Page.Number < len(bodies) {
				got.Next = &feed.Page{Number: doc.Page.Number + 1}
			}
			return got, err
		},
	})
	dir := filepath.Join(t.TempDir(), "archive")
	f.Archive = openArchive(t, dir)
	run := func() {
		t.Helper()
		if _, err := f.RunNow(t.Context(), "feverup", store.Manual, false); err != nil {
			t.Fatal(err)
		}
	}
	run()
	run() // the same
	bodies[1] = "changed"
	run()
	broken = 2
	run()
	wantDocuments(t, dir,
		"1.1 page 1 [] [] one", "1.2 page 2 [] [] two",
		"3.1 page 1 [] [] one", "3.2 page 2 [] [] changed",
		"4.1 page 1 [] [http_status] one",
	)
}

// archivingChanges returns a feed of changes, with items and a table, whose pages are kept.
func archivingChanges(t *testing.T) (s *stream, dir string) {
	t.Helper()
	s = offline(t, func(*feed.Page) error { return nil })
	s.withTable()
	s.restart(t)
	dir = filepath.Join(t.TempDir(), "archive")
	s.Archive = openArchive(t, dir)
	s.table.Put("p", item("Parent ", 0))
	for i := range 3 {
		s.feed.Put(fmt.Sprint(i), child("x", "p"))
	}
	return s, dir
}

// A feed of changes: each page that has items, with what became of it. Pages that only say that
// there is nothing new are not kept.
func TestArchiveChanges(t *testing.T) {
	t.Parallel()
	s, dir := archivingChanges(t)
	s.complete(t)
	s.complete(t) // nothing new
	pages := 0
	for doc, err := range archive.Documents(t.Context(), archive.Folder(dir), "feverup") {
		if err != nil || doc.Generation != 1 || doc.Outcome.Failure != "" || !doc.Outcome.Known() {
			t.Errorf("%+v, %v", doc, err)
		}
		if pages++; pages == 1 && doc.Table != "parent" {
			t.Errorf("the first page is of %q", doc.Table)
		}
	}
	first := pages
	s.feed.Put("4", child("y", "p"))
	s.complete(t)
	if got := len(documents(t, dir)); first < 2 || got != first+1 {
		t.Errorf("%d documents, and %d when an item is new", first, got)
	}
}

// TestReplayChanges has the clock of the store be off from that of the process. A replay makes the same of the pages.
func TestReplayChanges(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := archivingChanges(t)
			s.ahead.Store(int64(off))
			s.complete(t)
			s.table.Put("p", item("Parents ", 0))
			s.feed.Delete("1")
			s.complete(t)

			again := offline(t, func(*feed.Page) error { return nil })
			again.withTable()
			again.restart(t)
			byJob := make(map[uint64][]archive.Document)
			for doc, err := range archive.Documents(t.Context(), archive.Folder(dir), "feverup") {
				if err != nil {
					t.Fatal(err)
				}
				byJob[doc.Job] = append(byJob[doc.Job], doc)
			}
			for _, job := range slices.Sorted(maps.Keys(byJob)) {
				if record, err := again.Replay(t.Context(), "feverup", byJob[job], false); err != nil || record.State != store.Completed {
					t.Fatalf("%+v, %v", record, err)
				}
			}
			want, got := records(t, s.bolt), records(t, again.bolt)
			if !reflect.DeepEqual(got, want) || len(want) != 3 {
				t.Errorf("replayed:\n%+v\nwant\n%+v", got, want)
			}
			for _, r := range want {
				if away := time.Since(r.LastChanged) + off; away.Abs() > 5*time.Minute {
					t.Errorf("%s has changed %v ago by the clock of the store", r.Key, away)
				}
			}
		})
	}
}

func records(t *testing.T, st store.Store) (all []event.Record) {
	t.Helper()
	for r, err := range st.Records(t.Context(), store.Filter{Window: event.Always}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// With an archive that cannot be written to, snapshots are stored. It is logged, and counted if documents are missing.
// Once it can be written to, it gets what is missing, which has not changed.
func TestArchiveFails(t *testing.T) {
	t.Parallel()
	s := &source{bodies: []string{"one"}}
	f, dir := archiving(t, s)
	if err := os.WriteFile(filepath.Join(dir, "feverup"), nil, 0o600); err != nil { // where the folder should be
		t.Fatal(err)
	}
	job, err := f.RunNow(t.Context(), "feverup", store.Manual, false)
	if err != nil || job.State != store.Completed || job.New != 1 {
		t.Errorf("%+v, %v", job, err)
	}
	if f.Unarchived.Load() == 0 || !strings.Contains(f.logged.String(), "documents are not in the archive; the job goes on") {
		t.Errorf("%d errors: %s", f.Unarchived.Load(), f.logged.String())
	}
	before := f.Unarchived.Load()
	s.bodies = []string{"one"}
	if job, err := f.RunNow(t.Context(), "feverup", store.Manual, false); err != nil || !job.NotModified {
		t.Errorf("%+v, %v", job, err)
	}
	if f.Unarchived.Load() != before || !strings.Contains(f.logged.String(), "no document is missing so far") {
		t.Errorf("%d errors when nothing was new: %s", f.Unarchived.Load()-before, f.logged.String())
	}
	if err := os.Remove(filepath.Join(dir, "feverup")); err != nil {
		t.Fatal(err)
	}
	s.bodies = []string{"one"}
	if job, err := f.RunNow(t.Context(), "feverup", store.Manual, false); err != nil || job.NotModified {
		t.Errorf("%+v, %v", job, err)
	}
	wantDocuments(t, dir, "3.1 page 1 [] [] one")
}

// A dying store ends a process at a commit: before or after it.
type dying struct {
	*bolt.Store
	after bool
}

func (d *dying) Apply(ctx context.Context, snap store.Snapshot, job store.Job) (a store.Applied, j store.Job, err error) {
	if d.after {
		a, j, err = d.Store.Apply(ctx, snap, job)
	}
	return a, j, errors.Join(err, store.ErrUncertain)
}

// What became of documents whose process has ended is found out by the next job.
func TestArchiveSettles(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		s := &source{bodies: []string{"one"}}
		f, dir := archiving(t, s)
		f.store = &dying{f.bolt, after}
		if _, err := f.RunNow(t.Context(), "feverup", store.Manual, false); err != nil {
			t.Fatal(err)
		}
		wantDocuments(t, dir, "1.1 page 1 [] [?] one")
		f.store = f.bolt
		if err := f.Archive.Close(); err != nil {
			t.Fatal(err)
		}
		f.Archive = openArchive(t, dir)
		s.bodies = []string{"two"}
		if _, err := f.RunNow(t.Context(), "feverup", store.Manual, false); err != nil {
			t.Fatal(err)
		}
		outcome := feed.KindInterrupted
		if after {
			outcome = ""
		}
		wantDocuments(t, dir, fmt.Sprintf("1.1 page 1 [] [%s] one", outcome), "2.1 page 1 [] [] two")
	}
}

// Forget and Rename reach the archive.
func TestArchiveEdit(t *testing.T) {
	t.Parallel()
	s := new(source)
	f, dir := archiving(t, s)
	for _, body := range []string{"one", "two"} {
		s.bodies = []string{body}
		if _, err := f.RunNow(t.Context(), "feverup", store.Manual, false); err != nil {
			t.Fatal(err)
		}
	}
	names := func(want ...string) {
		t.Helper()
		if got, err := archive.Folder(dir).Providers(t.Context()); !slices.Equal(got, want) || err != nil {
			t.Errorf("the archive has documents of %q, %v", got, err)
		}
	}
	before, err := store.ParseCutoff("2000-01-01")
	if err != nil {
		t.Fatal(err)
	}
	for _, f2 := range []store.Forgetting{{Provider: "feverup", DryRun: true}, {Provider: "feverup", GoneBefore: before}} {
		if _, err := f.Forget(t.Context(), f2); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Rename(t.Context(), store.Renaming{From: "feverup", To: "other", DryRun: true}); err != nil {
		t.Fatal(err)
	}
	names("feverup")
	if _, err := f.Rename(t.Context(), store.Renaming{From: "feverup", To: "other"}); err != nil {
		t.Fatal(err)
	}
	names("other")
	if _, err := f.Forget(t.Context(), store.Forgetting{Provider: "other"}); err != nil {
		t.Fatal(err)
	}
	names()
	var left bytes.Buffer
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		fmt.Fprintln(&left, filepath.Base(path))
		return err
	})
	if err != nil || left.String() != "archive\nlock\n" {
		t.Errorf("left is %s, %v", left.String(), err)
	}
}

// Two data files write to one archive in turn. It is said once that this must not be, by a process that finds what the
// other one has written.
func TestArchiveOfTwo(t *testing.T) {
	t.Parallel()
	s := new(source)
	first, dir := archiving(t, s)
	second, _ := archiving(t, s)
	run := func(f *fixture, body string, told int) {
		t.Helper()
		f.Archive = openArchive(t, dir)
		for n := range 2 {
			s.bodies = []string{fmt.Sprint(body, n)}
			if job, err := f.RunNow(t.Context(), "feverup", store.Manual, false); err != nil || job.State != store.Completed {
				t.Fatalf("%+v, %v", job, err)
			}
		}
		if err := f.Archive.Close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(f.logged.String(), "another data file or database uses it"); got != told {
			t.Errorf("it was told %d times, want %d: %s", got, told, f.logged.String())
		}
	}
	if err := first.Archive.Close(); err != nil {
		t.Fatal(err)
	}
	run(first, "one", 0)
	run(first, "two", 0)
	run(second, "new", 0) // a new data file may go on with an archive
	run(first, "three", 1)
	run(first, "four", 1)
	run(second, "five", 1)
}
