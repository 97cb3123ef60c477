package ingest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
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
	bolt   *bolt.Store
	config provider.Config
	logged bytes.Buffer
}

func newPaged(t *testing.T, sim *simulator.Server, setting, target string) *paged {
	t.Helper()
	f := &paged{bolt: openStore(t, filepath.Join(t.TempDir(), "fever.db")), config: provider.Config{
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
		Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1, Get: p.Get, GetPage: p.GetPage, Decode: p.Decode,
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
			if paging.Kind == "" && (job.State != store.Completed || job.Seen != len(want) || job.New != len(want) || job.Gone != 2) {
				t.Errorf("%+v", job)
			}
		})
	}
}
