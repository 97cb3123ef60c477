package replay_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"fever/archive"
	"fever/event"
	"fever/ingest"
	"fever/provider/feed"
	"fever/replay"
	"fever/store"
	"fever/store/bolt"
)

// text is a format: each line has the id of an event and its title.
var text = feed.Format{Name: "text", Decode: func(doc *feed.Document, b *feed.Builder) error {
	start, err := event.ParseLocal("2030-01-01T20:00:00")
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(doc.Body)
	for lines.Scan() {
		id, title, ok := strings.Cut(lines.Text(), " ")
		if !ok {
			return feed.Errorf(feed.KindMalformed, "the line has no title")
		}
		err := b.Keep(event.Event{Key: event.Key{BaseID: "1", EventID: id}, Title: title, Start: start, Zones: []event.Zone{}}, 1)
		if err != nil {
			return err
		}
	}
	return lines.Err()
}}

// loud is the format with another mapping: titles are in capitals, and an event is not read.
var loud = feed.Format{Name: "text", Decode: func(doc *feed.Document, b *feed.Builder) error {
	body, err := io.ReadAll(doc.Body)
	if err != nil {
		return err
	}
	var lines []string
	for line := range strings.Lines(strings.ToUpper(string(body))) {
		if !strings.HasPrefix(line, "1 ") {
			lines = append(lines, line)
		}
	}
	other := *doc
	other.Body = io.NopCloser(strings.NewReader(strings.Join(lines, "")))
	return text.Decode(&other, b)
}}

func openStore(t testing.TB, path string) *bolt.Store {
	t.Helper()
	st, err := bolt.Open(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// newIngester returns an ingester of the provider p that gets the document that is asked for next.
func newIngester(st store.Store, format feed.Format, next *string) *ingest.Ingester {
	return newIngesterOf("p", st, format, next)
}

func newIngesterOf(name string, st store.Store, format feed.Format, next *string) *ingest.Ingester {
	return ingest.New(st, slog.New(slog.DiscardHandler), 1, ingest.Provider{
		Name: name, Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1, Suspect: ingest.Refuse,
		Begin: func(string) *feed.Page { return &feed.Page{Number: 1} },
		Get: func(_ context.Context, last feed.Validators, _ *feed.Progress) (*feed.Document, error) {
			if *next == "away" {
				return nil, &feed.Error{Provider: name, Kind: feed.KindConnection, Op: "fetch", Err: errors.New("nobody is there")}
			}
			return documentOf(*next, last), nil
		},
		Decode: func(doc *feed.Document) (*feed.Feed, error) { return feed.Decode(doc, format, name, time.UTC) },
	})
}

func documentOf(body string, last feed.Validators) *feed.Document {
	tag := fmt.Sprintf("%q", body)
	return &feed.Document{
		Body: io.NopCloser(strings.NewReader(body)), Op: "fetch from example.com", Page: feed.Page{Number: 1, Began: time.Now()},
		Validators: feed.Validators{ETag: tag, Digest: [32]byte{1: byte(len(body)), 2: 1}}, NotModified: last.ETag == tag,
	}
}

// A history is a store with an archive, to which things happen.
type history struct {
	testing.TB
	dir  string
	next string
	st   *bolt.Store
	g    *ingest.Ingester
}

func newHistory(t testing.TB) *history {
	h := &history{TB: t, dir: filepath.Join(t.TempDir(), "archive")}
	h.st = openStore(t, filepath.Join(t.TempDir(), "stored.db"))
	h.st.History = 90 * 24 * time.Hour
	h.g = newIngester(h.st, text, &h.next)
	return h
}

func (h *history) archive() {
	h.Helper()
	h.g.Archive = openArchive(h, h.dir)
}

func openArchive(t testing.TB, folder string) *archive.Archive {
	t.Helper()
	a, err := archive.Open(archive.Folder(folder), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (h *history) close() {
	h.Helper()
	if h.g.Archive == nil {
		return
	}
	if err := h.g.Archive.Close(); err != nil {
		h.Fatal(err)
	}
}

// fetch runs a job that gets a document, or fails if that is "away".
func (h *history) fetch(document string) store.Job {
	h.Helper()
	time.Sleep(time.Minute)
	h.next = document
	job, err := h.g.RunNow(h.Context(), "p", store.Schedule, false)
	if err != nil {
		h.Fatal(err)
	}
	return job
}

func (h *history) give(document string) {
	h.Helper()
	time.Sleep(time.Minute)
	_, err := h.g.Import(h.Context(), "p", false, func(context.Context, *feed.Progress) (*feed.Document, error) {
		return documentOf(document, feed.Validators{}), nil
	})
	if err != nil {
		h.Fatal(err)
	}
}

func (h *history) forget(before string) {
	h.Helper()
	time.Sleep(time.Minute)
	f := store.Forgetting{Provider: "p"}
	if before != "" {
		var err error
		if f.GoneBefore, err = store.ParseCutoff(before); err != nil {
			h.Fatal(err)
		}
	}
	if _, err := h.g.Forget(h.Context(), f); err != nil && !errors.Is(err, store.ErrNothing) {
		h.Fatal(err)
	}
}

// replay replays all with a format, and returns the merge with what is stored.
func (h *history) replay(format feed.Format) (m replay.Merge, result replay.Result) {
	h.Helper()
	folder, err := os.MkdirTemp(h.TempDir(), "")
	if err != nil {
		h.Fatal(err)
	}
	made := openStore(h, filepath.Join(folder, "replayed.db"))
	made.History = 90 * 24 * time.Hour
	var none string
	result, err = replay.Provider(h.Context(), newIngester(made, format, &none), archive.Folder(h.dir), "p", replay.Range{Store: h.st, At: time.Now()})
	if err != nil {
		h.Fatal(err)
	}
	return replay.Merge{Stored: h.st, Replayed: made, Results: map[string]replay.Result{"p": result}}, result
}

// differences returns what differs, a line each.
func differences(t testing.TB, m *replay.Merge) (all []string) {
	t.Helper()
	show := func(r *event.Record) string {
		if r == nil {
			return "none"
		}
		return fmt.Sprintf("%s %t %s %s", r.Title, r.Current, r.FirstSeen.Format(time.TimeOnly), r.LastChanged.Format(time.TimeOnly))
	}
	for d, err := range m.Differences(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		r := d.After
		if r == nil {
			r = d.Before
		}
		all = append(all, fmt.Sprintf("%s: %s, was %s", r.EventID, show(d.After), show(d.Before)))
	}
	return all
}

// versions returns what the events of a store are and were, a line each.
func versions(t testing.TB, st store.Store) (all []string) {
	t.Helper()
	for r, err := range st.Records(t.Context(), store.Filter{Window: event.Always}) {
		if err != nil {
			t.Fatal(err)
		}
		for v, err := range st.Versions(t.Context(), r.Key) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%s: %s %t %s by %d", r.EventID, v.Title, v.Current, v.At.Format(time.TimeOnly), v.Job))
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return strings.Compare(a[:2], b[:2]) })
	return all
}

// A step is something that happens to a provider.
type step struct{ what, document string }

// run has the steps happen, with an archive from one of them on, and returns how a replay with the same format
// differs from what is stored.
func run(t *testing.T, steps []step, begins int) string {
	h := newHistory(t)
	for i, s := range steps {
		if i == begins {
			h.archive()
		}
		switch s.what {
		case "give":
			h.give(s.document)
		case "forget gone":
			h.forget("2031-01-01")
		case "forget":
			h.forget("")
		case "restart":
			h.close()
			if i >= begins {
				h.archive()
			}
		default:
			h.fetch(s.document)
		}
	}
	h.close()
	m, result := h.replay(text)
	defer func() { _ = errors.Join(m.Replayed.Close(), h.st.Close()) }() // before the next history
	if len(result.Wrong) > 0 {
		return fmt.Sprintf("wrong: %v", result.Wrong)
	}
	if got := differences(t, &m); len(got) > 0 {
		return fmt.Sprintf("what differs: %q", got)
	}
	parts, compare := store.Compared(m.Parts(t.Context(), false))
	for _, err := range parts {
		if err != nil {
			return err.Error()
		}
	}
	if err := compare(h.st.Parts(t.Context(), false)); err != nil {
		return err.Error()
	}
	return ""
}

// TestModel has random things happen to a provider. A replay with the same format gives the same bytes,
// whenever the archive began.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		document := rapid.Custom(func(rt *rapid.T) string {
			var lines strings.Builder
			for id := range 4 {
				if title := rapid.IntRange(0, 2).Draw(rt, "title"); title > 0 {
					fmt.Fprintf(&lines, "%d title %d\n", id, title)
				}
			}
			return lines.String()
		})
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			what := rapid.SampledFrom([]string{"fetch", "fetch", "fetch", "give", "away", "broken", "forget gone", "forget", "restart"}).Draw(rt, "what")
			switch what {
			case "away", "broken":
				return step{what, what}
			}
			return step{what, document.Draw(rt, "document")}
		}), 1, 12).Draw(rt, "steps")
		begins := rapid.IntRange(0, len(steps)-1).Draw(rt, "the archive begins") * rapid.IntRange(0, 1).Draw(rt, "late")
		var differs string
		synctest.Test(t, func(t *testing.T) { differs = run(t, steps, begins) })
		if differs != "" {
			rt.Fatal(differs)
		}
	})
}

// TestOtherFormat replays with another mapping: what the archive tells of is read anew, and what is
// older stays.
func TestOtherFormat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		h.fetch("0 before\n1 a\n2 b\n")
		h.fetch("1 a\n2 b\n")
		h.archive()
		h.fetch("1 a\n2 b\n3 c\n")
		h.fetch("1 a\n2 b2\n")
		h.close()
		m, result := h.replay(loud)
		if result.Committed != 2 || len(result.Wrong) > 0 {
			t.Fatalf("result: %+v", result)
		}
		want := []string{
			"1: none, was a true 00:01:00 00:01:00",
			"2: B2 true 00:01:00 00:04:00, was b2 true 00:01:00 00:04:00",
			"3: C false 00:03:00 00:03:00, was c false 00:03:00 00:03:00",
		}
		if got := differences(t, &m); !slices.Equal(got, want) {
			t.Errorf("differences:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if m.Kept != 1 {
			t.Errorf("kept %d", m.Kept)
		}
		filled := openStore(t, filepath.Join(t.TempDir(), "filled.db"))
		if err := filled.Fill(t.Context(), m.Parts(t.Context(), true)); err != nil {
			t.Fatal(err)
		}
		if err := filled.Check(); err != nil {
			t.Error(err)
		}
		// That of 0 is as it is stored, and the others are those of the documents.
		wantVersions := []string{
			"0: before false 00:02:00 by 2", "0: before true 00:01:00 by 0",
			"2: B2 true 00:04:00 by 4", "2: B true 00:03:00 by 0",
			"3: C false 00:04:00 by 4", "3: C true 00:03:00 by 0",
		}
		if got := versions(t, filled); !slices.Equal(got, wantVersions) {
			t.Errorf("versions:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wantVersions, "\n"))
		}
		_, revision, err := h.st.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := filled.Changes(t.Context(), revision); !errors.Is(err, store.ErrRewritten) {
			t.Errorf("changes since what was stored: %v", err)
		}
	})
}

// TestSameMoment replays a provider to which another one was renamed, whose job began in the same moment: its documents
// are missed, although the archive has some of that moment.
func TestSameMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		h.archive()
		h.fetch("0 a\n")
		other := newIngesterOf("q", h.st, text, &h.next)
		if job, err := other.RunNow(t.Context(), "q", store.Schedule, false); err != nil || job.New != 1 {
			t.Fatalf("%+v, %v", job, err)
		}
		if _, err := h.g.Rename(t.Context(), store.Renaming{From: "q", To: "p"}); err != nil {
			t.Fatal(err)
		}
		h.close()
		if _, result := h.replay(text); result.Committed != 1 || len(result.Wrong) != 1 || !strings.Contains(result.Wrong[0].Error(), "job 2 of") {
			t.Errorf("result: %+v", result)
		}
	})
}

// TestHistoryOfDocuments replays what is stored without a history: the documents tell it, no
// more of it than is asked for.
func TestHistoryOfDocuments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		h.st.History = 0
		h.fetch("1 before\n2 b\n")
		h.archive()
		h.fetch("away") // so the replay counts other jobs
		h.fetch("1 a\n2 b\n")
		h.fetch("1 a\n")
		h.fetch("1 c\n")
		h.close()
		m, result := h.replay(text)
		if result.Committed != 3 || len(result.Wrong) > 0 {
			t.Fatalf("result: %+v", result)
		}
		if got := differences(t, &m); len(got) > 0 {
			t.Errorf("differences: %q", got)
		}
		began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // in the bubble
		for _, test := range []struct {
			since time.Time
			want  []string
		}{
			// The documents do not tell when the values of 2 came, so what they tell does not lead to them.
			{time.Time{}, []string{"1: c true 00:05:00 by 5", "1: a true 00:03:00 by 0", "2: b false 00:01:00 by 0"}},
			{began.Add(5 * time.Minute), []string{"1: c true 00:05:00 by 5", "1: a true 00:03:00 by 0", "2: b false 00:01:00 by 0"}},
			{began.Add(6 * time.Minute), []string{"1: c true 00:05:00 by 0", "2: b false 00:01:00 by 0"}},
		} {
			m := replay.Merge{Stored: h.st, Replayed: m.Replayed, Results: m.Results, Since: test.since}
			filled := openStore(t, filepath.Join(t.TempDir(), "filled.db"))
			if err := filled.Fill(t.Context(), m.Parts(t.Context(), false)); err != nil {
				t.Fatal(err)
			}
			if err := filled.Check(); err != nil {
				t.Error(err)
			}
			if got := versions(t, filled); !slices.Equal(got, test.want) {
				t.Errorf("since %s: versions:\n%s\nwant\n%s", test.since, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		}
	})
}

// TestForgettingAgain replays a forgetting: its record says when it was, not when it was replayed.
func TestForgettingAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		h.archive()
		h.fetch("1 a\n2 b\n")
		h.fetch("1 a\n")
		h.forget("2031-01-01")
		h.close()
		forgotten := func(st *bolt.Store) (at time.Time) {
			for job, err := range st.Jobs(t.Context(), store.JobFilter{}) {
				if err != nil {
					t.Fatal(err)
				}
				if job.Trigger == store.Forget {
					if job.Gone != 1 || job.Finished.Before(job.Started) {
						t.Errorf("record %+v", job)
					}
					return job.Started.Truncate(time.Millisecond)
				}
			}
			t.Fatal("there is no record")
			return at
		}
		want := forgotten(h.st)
		time.Sleep(time.Hour)
		m, result := h.replay(text)
		if got := forgotten(m.Replayed.(*bolt.Store)); len(result.Wrong) > 0 || !got.Equal(want) {
			t.Errorf("forgotten at %v, want %v; %+v", got, want, result)
		}
	})
}

// lose removes segments of the archive, by their order.
func (h *history) lose(segments ...int) {
	h.Helper()
	all, err := filepath.Glob(filepath.Join(h.dir, "p", "*.segment"))
	if err != nil {
		h.Fatal(err)
	}
	for _, i := range segments {
		if err := os.Remove(all[i]); err != nil {
			h.Fatal(err)
		}
	}
}

// TestMissing replays without the documents of some jobs. What they were the last to tell is as stored, and all else as the
// other documents tell it.
func TestMissing(t *testing.T) {
	t.Parallel()
	documents := []string{
		"1 a\n2 a\n3 a\n4 a\n",
		"1 a\n2 b\n3 b\n4 a\n",
		"1 a\n2 c\n3 c\n4 a\n",
		"1 a\n3 c\n5 a\n",
	}
	for _, test := range []struct {
		name    string
		missing []int // jobs, from 0 on
		format  feed.Format
		later   int // events that stay
		want    []string
	}{
		{"in the middle", []int{2}, text, 1, nil},
		{"the last", []int{3}, text, 0, nil},
		{"the last two", []int{2, 3}, text, 2, nil},
		{"all but the first", []int{1, 2, 3}, text, 2, nil},
		{"in the middle, with another mapping", []int{2}, loud, 1, []string{
			"3: C true 00:01:00 03:04:00, was c true 00:01:00 02:03:00",
			"4: A false 00:01:00 00:01:00, was a false 00:01:00 00:01:00",
			"5: A true 03:04:00 03:04:00, was a true 03:04:00 03:04:00",
		}},
		{"the last two, with another mapping", []int{2, 3}, loud, 2, []string{
			"4: A false 00:01:00 00:01:00, was a false 00:01:00 00:01:00",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(t)
				for _, document := range documents {
					h.archive()
					h.fetch(document)
					h.close()
					time.Sleep(25 * time.Hour) // the next job begins a segment
				}
				h.lose(test.missing...)
				m, result := h.replay(test.format)
				if len(result.Wrong) != len(test.missing) {
					t.Errorf("result: %+v", result)
				}
				got := differences(t, &m)
				if !slices.Equal(got, test.want) || m.Later != test.later {
					t.Errorf("%d later; differences:\n%s\nwant %d and\n%s", m.Later, strings.Join(got, "\n"), test.later, strings.Join(test.want, "\n"))
				}
				filled := openStore(t, filepath.Join(t.TempDir(), "filled.db"))
				if err := filled.Fill(t.Context(), m.Parts(t.Context(), len(got) > 0)); err != nil {
					t.Fatal(err)
				}
				if err := filled.Check(); err != nil {
					t.Error(err)
				}
				if got, want := versions(t, filled), versions(t, h.st); len(test.want) == 0 && !slices.Equal(got, want) {
					t.Errorf("versions:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		})
	}
}
