package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"fever/event"
	"fever/internal/feedtest"
	"fever/provider"
	"fever/provider/feed"
	"fever/provider/simulator"
	"fever/store"
	"fever/store/bolt"
)

// A stream is an ingester of one provider with a feed of changes, whose items may take their
// titles from those of a table.
type stream struct {
	*Ingester
	bolt        *bolt.Store
	store       store.Store // bolt, or what is between
	config      provider.Config
	settings    Provider // what New gets, but for what depends on the provider's configuration
	feed, table *simulator.Changes
	getPage     func(context.Context, *feed.Page, *feed.Progress) (*feed.Document, error) // nil: over HTTP
	logged      bytes.Buffer
}

// newStream returns one that has pages of two items, at the root of url.
func newStream(t *testing.T, url string) *stream {
	t.Helper()
	s := &stream{
		bolt: openStore(t, filepath.Join(t.TempDir(), "fever.db")),
		feed: simulator.NewChanges("/feed", 2), table: simulator.NewChanges("/table", 2),
		config:   provider.Config{Name: "feverup", URL: url + "/feed", Format: feedtest.Changes, Timeout: time.Minute, MaxBytes: 1 << 20},
		settings: Provider{Name: "feverup", Location: time.UTC, Every: time.Hour, MaxInterval: time.Hour, Attempts: 1, Changes: true, Refresh: 7 * 24 * time.Hour, JobTime: time.Hour, JobBytes: 1 << 30},
	}
	s.store = s.bolt
	return s
}

// online has a simulator play the feeds.
func online(t *testing.T) (*stream, *simulator.Server) {
	t.Helper()
	sim := simulator.New(t)
	s := newStream(t, sim.URL)
	sim.Play(simulator.Feeds(s.feed, s.table))
	return s, sim
}

// offline has the feeds play without a network. Fault may fail a request.
func offline(t *testing.T, fault func(*feed.Page) error) *stream {
	t.Helper()
	s := newStream(t, "http://feed.example")
	s.getPage = func(_ context.Context, page *feed.Page, progress *feed.Progress) (*feed.Document, error) {
		if err := fault(page); err != nil {
			return nil, err
		}
		from := s.feed
		if page.URL.Path == "/table" {
			from = s.table
		}
		status, body := from.Answer(page.URL)
		if status != http.StatusOK {
			return nil, &feed.Error{Provider: "feverup", Kind: feed.KindHTTPStatus, Op: "fetch", Err: errors.New(http.StatusText(status)), HTTPStatus: status}
		}
		return &feed.Document{Body: io.NopCloser(bytes.NewReader(body)), Page: *page, URL: page.URL, HTTPStatus: status, Op: "fetch", Progress: progress}, nil
	}
	return s
}

// withTable has the items take their titles from a table.
func (s *stream) withTable() {
	s.config.Tables = []provider.Table{{Name: "parent", URL: strings.TrimSuffix(s.config.URL, "/feed") + "/table"}}
}

// restart is a start with the configuration.
func (s *stream) restart(t *testing.T) {
	t.Helper()
	p, err := provider.New(s.config)
	if err != nil {
		t.Fatal(err)
	}
	settings := s.settings
	for _, table := range s.config.Tables {
		settings.Tables = append(settings.Tables, table.Name)
	}
	settings.Source, settings.Begin, settings.Resume, settings.Again, settings.GetPage, settings.Decode = p.Source, p.Begin, p.Resume, p.DecodeAgain, p.GetPage, p.Decode
	if s.getPage != nil {
		settings.GetPage = s.getPage
	}
	s.Ingester = New(s.store, slog.New(slog.NewTextHandler(&s.logged, nil)), 1, settings)
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *stream) once(t *testing.T, force bool) store.Job {
	t.Helper()
	job, err := s.RunNow(t.Context(), "feverup", store.Manual, force)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// complete is once that must complete.
func (s *stream) complete(t *testing.T) store.Job {
	t.Helper()
	job := s.once(t, false)
	if job.State != store.Completed {
		t.Fatalf("%+v\n%s", job, s.logged.String())
	}
	return job
}

// titles returns those of the stored events by their ids: of the current ones, and of all.
func (s *stream) titles(t rapid.TB) (current, all map[string]string) {
	t.Helper()
	current, all = make(map[string]string), make(map[string]string)
	for r, err := range s.bolt.Records(context.Background(), store.Filter{Window: event.Always}) {
		if err != nil {
			t.Fatal(err)
		}
		all[r.EventID] = r.Title
		if r.Current {
			current[r.EventID] = r.Title
		}
	}
	return current, all
}

// sold returns the titles of all that the provider sells, by the ids of the events.
func (s *stream) sold(t rapid.TB) map[string]string {
	t.Helper()
	titles, parents := make(map[string]string), s.table.Live()
	read := func(data string) (c feedtest.Change) {
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for id, data := range s.feed.Live() {
		c := read(data)
		above := ""
		if c.Parent != "" {
			if parents[c.Parent] == "" {
				continue
			}
			above = read(parents[c.Parent]).Title
		}
		maps.Copy(titles, c.Titles(id, above))
	}
	return titles
}

// wantSold fails unless all that the provider sells is current, and nothing else is.
func (s *stream) wantSold(t rapid.TB) {
	t.Helper()
	if current, _ := s.titles(t); !reflect.DeepEqual(current, s.sold(t)) {
		t.Fatalf("current is %v, and sold %v\n%s", current, s.sold(t), s.logged.String())
	}
}

// times returns how many requests there were, and for how many addresses.
func times(c *simulator.Changes) (requests, addresses int) {
	for _, n := range c.Asked() {
		requests += n
	}
	return requests, len(c.Asked())
}

func item(title string, events int) string {
	return feedtest.Change{Title: title, Events: events}.String()
}

func child(title, parent string) string {
	return feedtest.Change{Title: title, Parent: parent, Events: 1}.String()
}

// TestHarvest takes a feed of changes, then what changes, in this process and the next: each page
// is got once, and what is deleted keeps its values.
func TestHarvest(t *testing.T) {
	t.Parallel()
	s, _ := online(t)
	s.restart(t)
	for _, id := range []string{"1", "2", "3", "x"} {
		s.feed.Put(id, item(id, 1))
	}
	s.feed.Put("several", item("s", 2))
	job := s.complete(t)
	if job.Seen != 6 || job.New != 6 || job.Gone != 0 || job.More || job.NotModified || job.Attempts != 4 || job.Bytes == 0 || job.HTTPStatus != 200 {
		t.Errorf("%+v", job)
	}
	s.wantSold(t)
	if n, addresses := times(s.feed); n != 4 || addresses != 4 {
		t.Errorf("asked for %v", s.feed.Asked())
	}
	if status := s.Status()[0]; !status.Settled || !status.Harvest.Complete || status.Harvest.Generation != 1 || status.Harvest.Pages != 3 || status.Accepted != 6 || status.Snapshot != job.ID {
		t.Errorf("%+v", status)
	}

	if job := s.complete(t); !job.NotModified || job.Seen != 0 || job.Attempts != 1 || len(s.feed.Asked()) != 4 {
		t.Errorf("nothing has changed: %+v", job)
	}
	s.restart(t)
	s.feed.Put("2", item("two", 1))
	s.feed.Delete("3")
	s.feed.Put("several", item("s", 1))
	job = s.complete(t)
	if job.Seen != 2 || job.Changed != 1 || job.Unchanged != 1 || job.Gone != 2 || job.NotModified || job.Attempts != 3 {
		t.Errorf("%+v", job)
	}
	s.wantSold(t)
	if _, all := s.titles(t); all["3-0"] != "3" || all["several-1"] != "s" {
		t.Errorf("%v", all)
	}
	if n := s.feed.Asked()["/feed"]; n != 1 {
		t.Errorf("asked %d times for the first page", n)
	}
	if status := s.Status()[0]; status.Harvest.Generation != 1 || !status.Settled || !s.Collected.Load() {
		t.Errorf("%+v", status)
	}
}

// TestHarvestTwoJobs ends jobs early: the next ones are due at once, and go on. Until the harvest
// is complete searches do not have what the provider sells.
func TestHarvestTwoJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := offline(t, func(*feed.Page) error { time.Sleep(time.Second); return nil })
		for i := range 20 {
			s.feed.Put(fmt.Sprint(i), item("t", 1))
		}
		s.settings.JobTime = 5 * time.Second // 4 pages take 80 % of it
		s.restart(t)
		began := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var ended []store.Job
		s.Ended = func(job store.Job) {
			ended = append(ended, job)
			if status := s.Status()[0]; status.Settled != !job.More || status.Harvest.Complete == job.More || s.Collected.Load() == job.More {
				t.Errorf("after %+v: %+v", job, status)
			}
			if !job.More {
				cancel()
			}
		}
		s.Run(ctx)
		if len(ended) != 3 || !ended[0].More || !ended[1].More || ended[0].Seen != 8 || ended[1].Seen != 8 || ended[2].Seen != 4 {
			t.Errorf("%+v", ended)
		}
		if took := time.Since(began); took != 11*time.Second { // 10 pages, and the empty one
			t.Errorf("it took %s", took)
		}
		if n, addresses := times(s.feed); n != 11 || addresses != 11 {
			t.Errorf("asked for %v", s.feed.Asked())
		}
		s.wantSold(t)
	})
}

// TestHarvestDays counts the requests of many days: a job asks for what has changed, once a week
// for all, and after a week without an answer, too.
func TestHarvestDays(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		var down bool
		s := offline(t, func(*feed.Page) error {
			if down {
				return failure(feed.KindConnection)
			}
			return nil
		})
		s.settings.Every, s.settings.MaxInterval = time.Hour, time.Hour
		s.restart(t)
		s.feed.Put("1", item("a", 1))
		s.feed.Put("2", item("b", 1))
		run := func(name string, d time.Duration, polls, firstPages int, generation uint64) {
			t.Helper()
			before, _ := times(s.feed)
			first := s.feed.Asked()["/feed"]
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			s.Run(ctx)
			n, _ := times(s.feed)
			first = s.feed.Asked()["/feed"] - first
			status := s.Status()[0]
			if n-before != polls || first != firstPages || status.Harvest.Generation != generation {
				t.Errorf("%s: %d requests, %d for the first page; %+v", name, n-before, first, status)
			}
		}
		run("six days", 6*day, 6*24+2, 1, 1) // a job at the start and one each hour; the first has a page more
		s.feed.Delete("1")
		s.restart(t)
		run("the week is over", 2*day, 2*24+3, 1, 2)
		if current, all := s.titles(t); len(current) != 1 || all["1-0"] != "a" {
			t.Errorf("%v, %v", current, all)
		}
		down = true
		s.feed.Delete("2")
		s.feed.Put("3", item("c", 1))
		run("away", 8*day, 0, 0, 2)
		if current, _ := s.titles(t); len(current) != 1 || current["2-0"] != "b" {
			t.Errorf("%v", current)
		}
		s.feed.Purge() // a deletion that nobody tells any more
		down = false
		run("back", time.Minute, 2, 1, 3)
		s.wantSold(t)
		s.config.Header = http.Header{"X-Key": {"another"}}
		s.restart(t)
		run("configured anew", time.Minute, 2, 1, 4)
		s.settings.Location = time.FixedZone("Europe/Madrid", 3600)
		s.restart(t)
		run("in another zone", time.Minute, 2, 1, 5)
		s.settings.Refresh = day
		s.restart(t)
		run("refreshed each day", 3*day, 3*24+1+2, 2, 7)
		s.wantSold(t)
	})
}

// TestHarvestLies has a feed of changes fail, and lie, in each way: what came before that stays,
// what was asked for is not asked for again, and the next job goes on.
func TestHarvestLies(t *testing.T) {
	t.Parallel()
	next := func(to string) func(map[string]any) {
		return func(page map[string]any) {
			if page["next"] = to; to == "" {
				delete(page, "next")
			}
		}
	}
	own := "/feed?afterTimestamp=9007199254740995&afterId=2&epoch=0" // of the second page
	for name, test := range map[string]struct {
		step func(feeds ...*simulator.Changes) simulator.Step
		kind feed.Kind
		says string
	}{
		"no next": {func(f ...*simulator.Changes) simulator.Step { return simulator.Bent(next(""), f...) }, feed.KindMalformed, "without next or items"},
		"no items": {func(f ...*simulator.Changes) simulator.Step {
			return simulator.Bent(func(p map[string]any) { delete(p, "items") }, f...)
		}, feed.KindMalformed, "without next or items"},
		"its own": {func(f ...*simulator.Changes) simulator.Step { return simulator.Bent(next(own), f...) }, feed.KindDecode, "comes next itself"},
		"another host": {func(f ...*simulator.Changes) simulator.Step {
			return simulator.Bent(next("http://127.0.0.9/?secret"), f...)
		}, feed.KindDecode, "hosts does not name it"},
		"no address": {func(f ...*simulator.Changes) simulator.Step { return simulator.Bent(next("http://%zz"), f...) }, feed.KindMalformed, "next is no address"},
		"a long address": {func(f ...*simulator.Changes) simulator.Step {
			return simulator.Bent(next("/feed?secret="+strings.Repeat("a", 9000)), f...)
		}, feed.KindDecode, "more than 8192 bytes"},
		"an outage": {func(...*simulator.Changes) simulator.Step { return simulator.Status(http.StatusServiceUnavailable) }, feed.KindHTTPStatus, "answered 503"},
		"forbidden": {func(...*simulator.Changes) simulator.Step { return simulator.Status(http.StatusForbidden) }, feed.KindHTTPStatus, "answered 403"},
		"a reset":   {func(...*simulator.Changes) simulator.Step { return simulator.Reset() }, feed.KindConnection, ""},
		"no JSON":   {func(...*simulator.Changes) simulator.Step { return simulator.Body([]byte("<html>")) }, feed.KindMalformed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, sim := online(t)
			s.restart(t)
			for i := range 5 {
				s.feed.Put(fmt.Sprint(i+1), item("t", 1))
			}
			sim.Play(simulator.Feeds(s.feed), test.step(s.feed), simulator.Feeds(s.feed))
			job := s.once(t, false)
			if job.State != store.Failed || job.Kind != test.kind || !strings.Contains(job.Message, test.says) || job.Attempts != 2 {
				t.Fatalf("%+v", job)
			}
			if job.Seen != 2 || job.New != 2 || job.More || strings.Contains(s.logged.String(), "secret") {
				t.Errorf("after a page and a fault: %+v\n%s", job, s.logged.String())
			}
			if recorded := recorded(t, s.bolt); recorded[0].New != 2 || recorded[0].State != store.Failed {
				t.Errorf("recorded %+v", recorded)
			}
			if current, _ := s.titles(t); len(current) != 2 {
				t.Errorf("current %v", current)
			}
			if status := s.Status()[0]; status.Settled || status.Harvest.Pages != 1 || status.Failures != 1 || s.Collected.Load() {
				t.Errorf("%+v", status)
			}
			s.restart(t)
			if job := s.complete(t); job.Seen != 3 || job.New != 3 {
				t.Errorf("the next job: %+v", job)
			}
			s.wantSold(t)
			if n := s.feed.Asked()["/feed"]; n != 1 {
				t.Errorf("the first page was asked for %d times", n)
			}
		})
	}
}

// TestHarvestGoesRound has pages lead to each other for ever: a job notices it, and does not
// begin another one at once.
func TestHarvestGoesRound(t *testing.T) {
	t.Parallel()
	s, sim := online(t)
	s.restart(t)
	s.feed.Put("1", item("t", 1))
	round := simulator.Bent(func(page map[string]any) {
		page["next"] = "/feed?afterTimestamp=1&epoch=0"
		page["items"] = []any{map[string]any{"state": "updated", "id": 2, "data": map[string]any{"title": "t", "events": 1}}}
	}, s.feed)
	other := simulator.Bent(func(page map[string]any) { page["next"] = "/feed?afterTimestamp=2&epoch=0" }, s.feed)
	sim.Play(round, other, round)
	job := s.once(t, false)
	if job.Kind != feed.KindDecode || !strings.Contains(job.Message, "the pages go round") || job.More || job.Attempts != 3 {
		t.Errorf("%+v", job)
	}
}

// TestHarvestStuck has a provider give the same items, with a new address of the next page each time,
// as one does that ignores the parameter and gives the time for a cursor. It is not asked without end.
func TestHarvestStuck(t *testing.T) {
	t.Parallel()
	s, sim := online(t)
	s.restart(t)
	s.feed.Put("1", item("t", 1))
	s.feed.Put("2", item("u", 1))
	n := 0
	stuck := simulator.Bent(func(page map[string]any) {
		n++
		page["next"] = fmt.Sprintf("/feed?afterTimestamp=0&epoch=0&time=%d", n)
		if n == 3 { // it changes again at once, which is no fault
			page["items"] = []any{map[string]any{"state": "updated", "id": 1, "data": map[string]any{"title": "v", "events": 1}}, page["items"].([]any)[1]}
		}
	}, s.feed)
	sim.Play(stuck)
	job := s.once(t, false)
	if job.Kind != feed.KindDecode || !strings.Contains(job.Message, "page 2 lists the same as the page before") || job.More || job.Attempts != 2 || job.New != 2 {
		t.Errorf("%+v", job)
	}
	if job = s.once(t, false); job.Kind != feed.KindDecode || job.Attempts != 3 || job.Changed != 2 { // page 3 changes it, page 4 changes it back, and page 5 repeats that
		t.Errorf("%+v", job)
	}
	sim.Play(simulator.Reset(), simulator.Feeds(s.feed))
	if s.Status()[0].Harvest.Complete {
		t.Errorf("%+v", s.Status()[0])
	}
}

// TestHarvestOneFeed has a table in the feed itself, as where one feed has the series and their
// sessions.
func TestHarvestOneFeed(t *testing.T) {
	t.Parallel()
	s, _ := online(t)
	s.config.Tables = []provider.Table{{Name: "parent", URL: s.config.URL}, {Name: "other", URL: s.config.URL}}
	s.restart(t)
	s.feed.Put("1", child("a", "x"))
	s.feed.Put("2", child("b", "x"))
	s.feed.Put("x", item("X ", 0))
	for range 2 {
		s.complete(t)
		if current, _ := s.titles(t); current["1-0"] != "X a" || current["2-0"] != "X b" {
			t.Errorf("%v", current)
		}
	}
	s.feed.Put("x", item("Y ", 0))
	s.complete(t)
	if current, _ := s.titles(t); current["1-0"] != "Y a" || current["2-0"] != "Y b" {
		t.Errorf("%v", current)
	}
}

// TestHarvestRefused has a provider no longer know its cursor: all is taken anew at once, and what
// is deleted meanwhile goes when that is complete. If that is refused, too, the job fails.
func TestHarvestRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusNotFound, http.StatusGone} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s, sim := online(t)
			s.restart(t)
			for i := range 5 {
				s.feed.Put(fmt.Sprint(i), item("t", 1))
			}
			s.complete(t)
			s.feed.Delete("0")
			s.feed.Purge()
			s.feed.Refuse(status)
			sim.Play(simulator.Feeds(s.feed), simulator.Feeds(s.feed), simulator.Reset(), simulator.Feeds(s.feed))
			if job := s.once(t, false); job.Kind != feed.KindConnection || job.Seen != 2 || job.Gone != 0 {
				t.Errorf("%+v", job)
			}
			if current, _ := s.titles(t); len(current) != 5 {
				t.Errorf("before all is taken: %v", current)
			}
			if state := s.Status()[0]; state.Harvest.Complete || state.Harvest.Generation != 2 || !state.Settled {
				t.Errorf("%+v", state)
			}
			if job := s.complete(t); job.Seen != 2 || job.Gone != 1 {
				t.Errorf("%+v", job)
			}
			s.wantSold(t)

			sim.Play(simulator.Status(status))
			if job := s.once(t, false); job.Kind != feed.KindHTTPStatus || job.HTTPStatus != status || job.Attempts != 2 || s.Status()[0].Harvest.Generation != 2 {
				t.Errorf("%+v, %+v", job, s.Status()[0])
			}
			sim.Play(simulator.Feeds(s.feed))
			if job := s.complete(t); !job.NotModified {
				t.Errorf("it was only out of order: %+v", job)
			}
		})
	}
}

// TestHarvestTables takes a table before the feed. Rows are decoded again when what they take
// values from comes or changes.
func TestHarvestTables(t *testing.T) {
	t.Parallel()
	s, _ := online(t)
	s.withTable()
	s.restart(t)
	s.table.Put("x", item("X ", 0))
	s.table.Put("y", item("Y ", 0))
	s.table.Put("z", item("Z ", 0))
	s.feed.Put("1", child("a", "x"))
	s.feed.Put("2", child("b", "x"))
	s.feed.Put("3", child("c", "late"))
	s.feed.Put("4", item("d", 1))
	job := s.complete(t)
	if job.Seen != 4 || job.New != 3 || job.Rejected != 1 || job.Rejections[0].Reason != "page 2: its parent is not there" || s.Status()[0].Harvest.Pages != 4 {
		t.Errorf("%+v, %+v", job, s.Status()[0])
	}
	s.wantSold(t)
	if current, _ := s.titles(t); current["1-0"] != "X a" {
		t.Errorf("%v", current)
	}

	s.table.Put("x", item("x ", 0))
	s.table.Put("late", item("Late ", 0))
	if job := s.complete(t); job.Seen != 3 || job.New != 1 || job.Changed != 2 {
		t.Errorf("the parents have changed: %+v", job)
	}
	s.wantSold(t)

	// What a row no longer takes values from stays as it was.
	s.table.Delete("x")
	if job := s.complete(t); job.Seen != 0 || job.Gone != 0 || job.NotModified {
		t.Errorf("a parent is gone: %+v", job)
	}
	s.feed.Put("1", child("new", "x"))
	if job := s.complete(t); job.Rejected != 1 || job.Gone != 0 {
		t.Errorf("without its parent: %+v", job)
	}
	if current, _ := s.titles(t); len(current) != 4 || current["1-0"] != "x a" {
		t.Errorf("%v", current)
	}
	s.table.Put("x", item("again ", 0))
	s.complete(t)
	s.wantSold(t)
}

// TestHarvestChildIsGone has an item be deleted of which the provider no longer tells. That its
// parent changes during the next harvest does not keep it.
func TestHarvestChildIsGone(t *testing.T) {
	t.Parallel()
	s, _ := online(t)
	s.withTable()
	s.restart(t)
	s.table.Put("x", item("X ", 0))
	for i := range 4 {
		s.feed.Put(fmt.Sprint(i), child("t", "x"))
	}
	s.complete(t)
	s.feed.Delete("0")
	s.feed.Purge()
	s.table.Put("x", item("x ", 0))
	if job := s.once(t, true); job.Gone != 1 || job.State != store.Completed {
		t.Errorf("%+v", job)
	}
	s.wantSold(t)
	if _, all := s.titles(t); all["0-0"] != "x t" {
		t.Errorf("%v", all)
	}
}

// TestHarvestUseless takes a whole feed of which nothing can be used: it is suspect until
// something can.
func TestHarvestUseless(t *testing.T) {
	t.Parallel()
	for _, policy := range []Policy{Warn, Refuse, Off} {
		s, _ := online(t)
		s.settings.Suspect = policy
		s.restart(t)
		for i := range 3 {
			s.feed.Put(fmt.Sprint(i), feedtest.Change{Bad: true}.String())
		}
		want := AllRejected
		if policy == Off {
			want = ""
		}
		for range 2 { // the second brings nothing
			if job := s.complete(t); job.Suspect != string(want) || s.Status()[0].Suspect != want || s.Status()[0].Rejected != 3 {
				t.Errorf("%s: %+v", policy, job)
			}
			s.restart(t)
			if status := s.Status()[0]; status.Suspect != want || status.Rejected != 3 || status.Accepted != 0 {
				t.Errorf("%s: %+v", policy, status)
			}
		}
		s.feed.Put("0", item("good", 1))
		if job := s.complete(t); job.Suspect != "" || s.Status()[0].Suspect != "" {
			t.Errorf("%s: %+v", policy, job)
		}
	}
}

// TestHarvestByHand shows that a document by hand is no part of a feed of changes, and that force
// takes all of it again.
func TestHarvestByHand(t *testing.T) {
	t.Parallel()
	s, _ := online(t)
	s.restart(t)
	s.feed.Put("1", item("a", 1))
	s.complete(t)
	job, err := s.Import(t.Context(), "feverup", true, func(context.Context, *feed.Progress) (*feed.Document, error) {
		t.Error("the document was read")
		return nil, io.EOF
	})
	if err != nil || job.State != store.Failed || job.Kind != feed.KindDecode || !strings.Contains(job.Message, "has a feed of changes") || s.Status()[0].Failures > 0 {
		t.Errorf("%+v, %v", job, err)
	}
	if job := s.once(t, true); job.Unchanged != 1 || s.Status()[0].Harvest.Generation != 2 {
		t.Errorf("%+v", job)
	}
	if job := s.complete(t); !job.NotModified || s.Status()[0].Harvest.Generation != 2 {
		t.Errorf("%+v", job)
	}
}

// TestHarvestForgotten forgets a provider, and renames it: the next job takes all of its feed.
func TestHarvestForgotten(t *testing.T) {
	t.Parallel()
	s, _ := online(t)
	s.restart(t)
	s.feed.Put("1", item("a", 1))
	s.complete(t)
	if _, err := s.Forget(t.Context(), store.Forgetting{Provider: "feverup"}); err != nil {
		t.Fatal(err)
	}
	if status := s.Status()[0]; status.Harvest != (Harvest{}) {
		t.Errorf("%+v", status)
	}
	if job := s.complete(t); job.New != 1 {
		t.Errorf("%+v", job)
	}
	s.wantSold(t)
}

// TestHarvestOfABrokenCursor begins anew when what is stored cannot be read.
func TestHarvestOfABrokenCursor(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no JSON": "x", "another host": `{"places":{"":{"url":"http://127.0.0.9/","number":3}}}`, "no address": `{"places":{"":{"url":"file:///x","number":3}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := online(t)
			s.restart(t)
			s.feed.Put("1", item("a", 1))
			s.complete(t)
			stream, err := s.bolt.Stream(t.Context(), "feverup")
			if err != nil {
				t.Fatal(err)
			}
			var c cursor
			if err := errors.Join(json.Unmarshal(stream.Cursor, &c), json.Unmarshal([]byte(text), &c)); err == nil {
				encoded, err := json.Marshal(c)
				if err != nil {
					t.Fatal(err)
				}
				text = string(encoded)
			}
			begun, err := s.bolt.Begin(t.Context(), store.Job{Provider: "feverup", Trigger: store.Manual, Started: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			stream.Cursor = []byte(text)
			if _, _, err := s.bolt.Apply(t.Context(), store.Snapshot{Provider: "feverup", TimeZone: "UTC", Changes: &store.Changes{Stream: stream}}, begun); err != nil {
				t.Fatal(err)
			}
			s.restart(t)
			if job := s.complete(t); job.Unchanged != 1 || s.Status()[0].Harvest.Generation != 2 {
				t.Errorf("%+v, %+v", job, s.Status()[0])
			}
		})
	}
}

// errDead is what a mortal store says after its process was killed.
var errDead = errors.New("killed")

// A mortal is a store of a process that is killed at a step, before or after it is done.
type mortal struct {
	*bolt.Store
	left int // steps until then; negative: it lives
	done bool
}

// step reports whether a step is done, and whether its end is noticed.
func (m *mortal) step() (does, lives bool) {
	if m.left == 0 {
		return false, false
	}
	m.left--
	return m.left != 0 || m.done, m.left != 0
}

func (m *mortal) Begin(ctx context.Context, job store.Job) (begun store.Job, err error) {
	does, lives := m.step()
	if does {
		begun, err = m.Store.Begin(ctx, job)
	}
	if !lives {
		return store.Job{}, errDead
	}
	return begun, err
}

func (m *mortal) Finish(ctx context.Context, job store.Job, v *feed.Validators) (err error) {
	does, lives := m.step()
	if does {
		err = m.Store.Finish(ctx, job, v)
	}
	if !lives {
		return errDead
	}
	return err
}

func (m *mortal) Apply(ctx context.Context, snap store.Snapshot, job store.Job) (applied store.Applied, ended store.Job, err error) {
	does, lives := m.step()
	if does {
		applied, ended, err = m.Store.Apply(ctx, snap, job)
	}
	if !lives {
		return store.Applied{}, store.Job{}, errDead
	}
	return applied, ended, err
}

func (m *mortal) Row(ctx context.Context, provider, name string) ([]byte, error) {
	if _, lives := m.step(); !lives {
		return nil, errDead
	}
	return m.Store.Row(ctx, provider, name)
}

// TestHarvestProperty has a provider change in any way, and jobs be killed before and after any of
// their steps, fail, and end early, in any order. In the end all that the provider sells is
// current and nothing else is, what was ever current is stored, and the jobs say so.
func TestHarvestProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		faults := 0
		s := offline(t, func(*feed.Page) error {
			if faults--; faults == 0 {
				return failure(feed.KindConnection)
			}
			return nil
		})
		s.withTable()
		m := &mortal{Store: s.bolt, left: -1}
		s.store = m
		id := rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6"})
		above := rapid.SampledFrom([]string{"", "x", "y"})
		ever := make(map[string]string)
		work := func(kind string) {
			m.left, faults = -1, -1
			switch kind {
			case "kill":
				m.left, m.done = rapid.IntRange(1, 12).Draw(rt, "steps"), rapid.Bool().Draw(rt, "done")
			case "fault":
				faults = rapid.IntRange(1, 6).Draw(rt, "requests")
			}
			s.restart(t)
			s.once(t, kind == "force")
			if m.left == 0 {
				if _, err := s.bolt.Interrupt(t.Context(), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			current, _ := s.titles(t)
			maps.Copy(ever, current)
		}
		s.settings.JobBytes = 1000 // some four pages
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch kind := rapid.SampledFrom([]string{"put", "put", "put", "child", "parent", "delete", "delete", "job", "kill", "fault", "force", "refuse", "purge"}).Draw(rt, "kind"); kind {
			case "put":
				s.feed.Put(id.Draw(rt, "id"), item(rapid.StringMatching(`[a-c]`).Draw(rt, "title"), rapid.IntRange(0, 2).Draw(rt, "events")))
			case "child":
				s.feed.Put(id.Draw(rt, "id"), child("t", above.Draw(rt, "parent")))
			case "parent":
				s.table.Put(rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "id"), item(rapid.StringMatching(`[X-Z]`).Draw(rt, "title"), 0))
			case "delete":
				s.feed.Delete(id.Draw(rt, "id"))
			case "refuse":
				s.feed.Refuse(http.StatusGone)
			case "purge": // whoever was away for so long does not know what is deleted
				s.feed.Purge()
				s.feed.Refuse(http.StatusGone)
			default:
				work(kind)
			}
		}
		m.left, faults, s.settings.JobBytes = -1, -1, 1<<30
		s.table.Put("x", item("X", 0)) // no child is without a parent in the end: what it was before depends on the jobs
		s.table.Put("y", item("Y", 0))
		s.restart(t)
		s.complete(t)
		s.wantSold(rt)
		_, all := s.titles(t)
		for id := range ever {
			if all[id] == "" {
				rt.Errorf("%s was current, and is not stored", id)
			}
		}
		added := 0
		for _, job := range recorded(t, s.bolt) {
			added += job.New
		}
		if added != len(all) {
			rt.Errorf("jobs say that %d events were new, and %d are stored", added, len(all))
		}
	})
}
