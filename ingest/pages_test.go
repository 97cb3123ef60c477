package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/internal/feedtest"
	"fever/provider"
	"fever/provider/feed"
	"fever/provider/simulator"
	"fever/store"
	"fever/store/bolt"
)

// pagesOf returns the setting of a paging.
func pagesOf(t *testing.T, setting string) *provider.Pages {
	t.Helper()
	pages := new(provider.Pages)
	known := json.NewDecoder(strings.NewReader(setting))
	known.DisallowUnknownFields()
	if err := known.Decode(pages); err != nil {
		t.Fatal(err)
	}
	return pages
}

// A paged is an ingester of one provider, whose feed has pages that a simulator plays.
type paged struct {
	*Ingester
	bolt     *bolt.Store
	config   provider.Config
	attempts int
	suspect  Policy
	logged   bytes.Buffer
}

func newPaged(t *testing.T, sim *simulator.Server, setting, target string) *paged {
	t.Helper()
	f := &paged{bolt: openStore(t, filepath.Join(t.TempDir(), "fever.db")), attempts: 1, config: provider.Config{
		Name: "feverup", URL: sim.URL + target, Format: feedtest.Numbers, Timeout: time.Minute, MaxBytes: 1 << 20,
		Header: http.Header{"X-Key": {"secret"}},
	}}
	f.restart(t, setting)
	return f
}

// restart is a start with a setting of the pages, or with none.
func (f *paged) restart(t *testing.T, setting string) {
	t.Helper()
	f.config.Pages = nil
	if setting != "" {
		f.config.Pages = pagesOf(t, setting)
	}
	p, err := provider.New(f.config)
	if err != nil {
		t.Fatal(err)
	}
	f.Ingester = New(f.bolt, slog.New(slog.NewTextHandler(&f.logged, nil)), 1, Provider{
		Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: f.attempts, Suspect: f.suspect, Get: p.Get, GetPage: p.GetPage, Decode: p.Decode,
		Paged: p.Pages != nil, FirstPageTells: p.Pages != nil && p.Pages.FirstPageTells,
	})
	if err := f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (f *paged) run(t *testing.T, force bool) store.Job {
	t.Helper()
	job, err := f.RunNow(t.Context(), "feverup", store.Manual, force)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// rows returns the ids of the events that are current, in order.
func (f *paged) rows(t *testing.T) (rows []int) {
	t.Helper()
	for r, err := range f.bolt.Records(t.Context(), store.Filter{Window: event.Always}) {
		id, idErr := strconv.Atoi(r.EventID)
		if err = errors.Join(err, idErr); err != nil {
			t.Fatal(err)
		}
		if r.Current {
			rows = append(rows, id)
		}
	}
	slices.Sort(rows)
	return rows
}

// TestPagings has a job get a feed in each way in which it can be spread over pages, and with
// each lie about that: all of it counts, or nothing.
func TestPagings(t *testing.T) {
	t.Parallel()
	for _, paging := range simulator.Pagings() {
		t.Run(paging.Name, func(t *testing.T) {
			t.Parallel()
			sim := simulator.New(t, simulator.Body([]byte(`{"events":[98,99]}`)))
			f := newPaged(t, sim, "", cmp.Or(paging.Target, "/"))
			if job := f.run(t, false); job.New != 2 {
				t.Fatalf("%+v", job)
			}
			before := len(sim.Requests())
			sim.Play(paging.Steps...)
			f.restart(t, paging.Setting)
			job := f.run(t, false)
			var asked []string
			for _, request := range sim.Requests()[before:] {
				asked = append(asked, request.RequestURI)
				if request.Header.Get("X-Key") != "secret" {
					t.Errorf("%s was asked for without the configured header", request.RequestURI)
				}
			}
			if paging.Asked != nil && !slices.Equal(asked, paging.Asked) {
				t.Errorf("asked for %q, want %q", asked, paging.Asked)
			}
			want := paging.Rows
			if paging.Kind != "" {
				want = []int{98, 99}
			}
			if got := f.rows(t); !slices.Equal(got, want) {
				t.Errorf("rows %v, want %v", got, want)
			}
			if job.Attempts != len(asked) || string(job.Kind) != paging.Kind || !strings.Contains(job.Message, paging.Says) || strings.Contains(f.logged.String(), "secret") {
				t.Errorf("%+v after %d requests, want %s: %s\n%s", job, len(asked), paging.Kind, paging.Says, f.logged.String())
			}
			if paging.Kind == "" && (job.State != store.Completed || job.Seen < len(want)+paging.Refused || job.Rejected != paging.Refused || job.New != len(want) || job.Gone != 2) {
				t.Errorf("%+v", job)
			}
		})
	}
}

const byLink, telling = `{"next":"link"}`, `{"next":"link","firstPageTells":true}`

// linked returns the steps of pages that link to the next one, with an entity tag each. Each
// has one of the rows.
func linked(rows ...int) (steps []simulator.Step) {
	for i, row := range rows {
		header := []string{fmt.Sprintf(`ETag: "%d"`, i)}
		if i < len(rows)-1 {
			header = append(header, fmt.Sprintf("Link: <?page=%d>; rel=next", i+2))
		}
		steps = append(steps, simulator.Body([]byte(fmt.Sprintf(`{"events":[%d]}`, row)), header...))
	}
	return steps
}

// conditions returns the requests of sim that had a condition.
func conditions(sim *simulator.Server) (asked []string) {
	for _, request := range sim.Requests() {
		if tag := request.Header.Get("If-None-Match"); tag != "" {
			asked = append(asked, request.RequestURI+" "+tag)
		}
	}
	return asked
}

// TestPagesNotModified shows that the first page does not tell of the others: all are got each
// time. The same bytes again on all of them are recognised, and --force takes them anew.
func TestPagesNotModified(t *testing.T) {
	t.Parallel()
	sim := simulator.New(t)
	f := newPaged(t, sim, byLink, "/")
	for i, test := range []struct {
		rows        []int
		force       bool
		notModified bool
	}{
		{[]int{1, 2, 3}, false, false},
		{[]int{1, 2, 3}, false, true},
		{[]int{1, 2, 4}, false, false},
		{[]int{1, 2, 4}, false, true},
		{[]int{1, 2, 4}, true, false},
		{[]int{1, 2}, false, false},
		{[]int{1}, false, false},
		{[]int{1}, false, true},
	} {
		before := len(sim.Requests())
		sim.Play(linked(test.rows...)...)
		job := f.run(t, test.force)
		if job.State != store.Completed || job.NotModified != test.notModified || job.HTTPStatus != 200 || job.Attempts != len(test.rows) || job.Bytes != int64(14*len(test.rows)) {
			t.Errorf("job %d: %+v", i, job)
		}
		if got := f.rows(t); len(sim.Requests())-before != len(test.rows) || !slices.Equal(got, test.rows) {
			t.Errorf("job %d: rows %v after %d requests", i, got, len(sim.Requests())-before)
		}
	}
	if got := conditions(sim); got != nil {
		t.Errorf("asked with conditions: %q", got)
	}
}

// TestFirstPageTells shows that the first page alone is asked for, with a condition, until it
// has changed, or until it was not looked at the others for a day.
func TestFirstPageTells(t *testing.T) {
	t.Parallel()
	notModified := simulator.Status(http.StatusNotModified)
	sim := simulator.New(t)
	f := newPaged(t, sim, telling, "/")
	run := func(name string, steps []simulator.Step, attempts, status int, notModified bool, rows ...int) {
		sim.Play(steps...)
		job := f.run(t, false)
		if job.State != store.Completed || job.Attempts != attempts || job.HTTPStatus != status || job.NotModified != notModified {
			t.Errorf("%s: %+v", name, job)
		}
		if got := f.rows(t); !slices.Equal(got, rows) {
			t.Errorf("%s: rows %v", name, got)
		}
	}
	run("first", linked(1, 2), 2, 200, false, 1, 2)
	run("304", []simulator.Step{notModified}, 1, 304, true, 1, 2)
	run("the same bytes", linked(1, 3), 1, 200, true, 1, 2)
	run("changed", linked(4, 5), 2, 200, false, 4, 5)
	whole := f.targets[0].whole
	run("the same bytes, again", linked(4, 6), 1, 200, true, 4, 5)
	if f.targets[0].whole != whole {
		t.Error("one page passes for all")
	}
	f.targets[0].whole = whole.Add(-25 * time.Hour)
	run("after a day", linked(4, 6), 2, 200, false, 4, 6)
	if want := []string{`/ "0"`, `/ "0"`, `/ "0"`, `/ "0"`}; !slices.Equal(conditions(sim), want) {
		t.Errorf("asked with conditions: %q, want %q", conditions(sim), want)
	}
}

// TestPageAgain has a page fail once: it alone is asked for again.
func TestPageAgain(t *testing.T) {
	t.Parallel()
	pages := linked(1, 2, 3)
	for name, fault := range map[string]simulator.Step{
		"503":       simulator.Status(http.StatusServiceUnavailable),
		"cut":       simulator.Body([]byte(`{"events":[7`), "Link: <?page=9>; rel=next"),
		"ended":     simulator.Drop(),
		"half of 2": simulator.ResetAfter(5, []byte(`{"events":[2]}`)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := simulator.New(t, pages[0], fault, pages[1], pages[2])
			f := newPaged(t, sim, byLink, "/")
			f.attempts = 2
			f.restart(t, byLink)
			job := f.run(t, false)
			var asked []string
			for _, request := range sim.Requests() {
				asked = append(asked, request.RequestURI)
			}
			if want := []string{"/", "/?page=2", "/?page=2", "/?page=3"}; !slices.Equal(asked, want) || job.Attempts != 4 {
				t.Errorf("asked for %q, want %q: %+v", asked, want, job)
			}
			if got := f.rows(t); job.State != store.Completed || job.Seen != 3 || !slices.Equal(got, []int{1, 2, 3}) {
				t.Errorf("rows %v: %+v", got, job)
			}
		})
	}
}

// TestPagesFail has a later page fail for good: nothing has changed, and the next turn is when
// that page asked for it.
func TestPagesFail(t *testing.T) {
	t.Parallel()
	pages := linked(1, 2, 3)
	sim := simulator.New(t, pages...)
	f := newPaged(t, sim, byLink, "/")
	f.run(t, false)
	sim.Play(linked(4, 5, 6)[0], simulator.Status(http.StatusTooManyRequests, "Retry-After: 1800"))
	job := f.run(t, false)
	if job.State != store.Failed || job.Kind != feed.KindHTTPStatus || job.HTTPStatus != 429 || job.Attempts != 2 || job.Bytes < 14 || job.Seen != 0 ||
		!strings.Contains(job.Message, "fetch page 2 from 127.0.0.1") {
		t.Errorf("%+v", job)
	}
	if wait := time.Until(f.targets[0].blocked); wait < 20*time.Minute || wait > 30*time.Minute {
		t.Errorf("the next turn is in %s", wait)
	}
	if got := f.rows(t); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("rows %v", got)
	}
}

// TestPagesSuspect judges the pages of a feed together.
func TestPagesSuspect(t *testing.T) {
	t.Parallel()
	sim := simulator.New(t, linked(1, 2, 3, 4, 5)...)
	f := newPaged(t, sim, byLink, "/")
	f.suspect = Refuse
	f.restart(t, byLink)
	f.run(t, false)
	sim.Play(linked(1, 2)...)
	if job := f.run(t, false); job.Kind != feed.KindSuspect || !strings.Contains(job.Message, "2 events, 5 before") || !slices.Equal(f.rows(t), []int{1, 2, 3, 4, 5}) {
		t.Errorf("%+v", job)
	}
	sim.Play(linked(1, 2, 3)...)
	if job := f.run(t, false); job.State != store.Completed || job.Suspect != "" || !slices.Equal(f.rows(t), []int{1, 2, 3}) {
		t.Errorf("%+v", job)
	}
}

// TestPagesStopped stops a job between two pages: its outcome is recorded, and nothing has
// changed. Until then its status says how far it is.
func TestPagesStopped(t *testing.T) {
	t.Parallel()
	sim := simulator.New(t, linked(1, 2)...)
	f := newPaged(t, sim, byLink, "/")
	f.run(t, false)
	sim.Play(linked(3, 4, 5)[0], linked(3, 4, 5)[1], simulator.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-sim.Arrived(2 + 3)
		if s := f.Status()[0]; s.Page != 3 || s.Attempt != 1 || s.Rows != 2 || s.Bytes != 28 {
			t.Errorf("on page 3: %+v", s)
		}
		cancel()
	}()
	job, err := f.RunNow(ctx, "feverup", store.Manual, false)
	if err != nil || job.State != store.Failed || job.Kind != feed.KindCanceled || job.Attempts != 3 || !slices.Equal(f.rows(t), []int{1, 2}) {
		t.Errorf("%+v, %v", job, err)
	}
}
