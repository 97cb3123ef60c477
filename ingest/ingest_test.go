package ingest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fever/event"
	"fever/provider"
	"fever/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An index that tests can look into.
type published struct{ batches [][]*event.Entry }

func (p *published) publish(entries []*event.Entry) { p.batches = append(p.batches, entries) }

func newCollector(t *testing.T, fetch func(context.Context) (*provider.Feed, error)) (*Collector, *published) {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "fever.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	var p published
	return &Collector{
		Provider: "feverup", Location: time.UTC, Fetch: fetch, Store: st, Publish: p.publish,
		Log: slog.New(slog.DiscardHandler),
	}, &p
}

func newEvent(t *testing.T, id, start string) event.Event {
	t.Helper()
	at, err := event.ParseLocal(start)
	if err != nil {
		t.Fatal(err)
	}
	return event.Event{Key: event.Key{Provider: "feverup", BaseID: "1", EventID: id}, Title: "Título " + id, Start: at}
}

func stored(t *testing.T, st *store.Store) []string {
	t.Helper()
	var keys []string
	for r, err := range st.Records(t.Context(), store.Filter{Window: event.Always}) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, r.String())
	}
	return keys
}

func TestOnce(t *testing.T) {
	t.Parallel()
	feed := &provider.Feed{
		Events: []event.Event{newEvent(t, "2", "2021-02-01"), newEvent(t, "1", "2021-01-01")},
		Seen:   4, Ignored: 1, Rejected: 1, Rejections: []provider.Rejection{{BaseID: "1", EventID: "3", Reason: "no title"}},
		Bytes: 100, HTTPStatus: 200,
	}
	c, p := newCollector(t, func(context.Context) (*provider.Feed, error) { return feed, nil })
	var log bytes.Buffer
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.Publish = func(entries []*event.Entry) {
		if got := len(stored(t, c.Store)); got != 2 {
			t.Errorf("published when the store held %d events, not the 2 of the snapshot", got)
		}
		p.publish(entries)
	}

	o := c.Once(t.Context(), Manual)
	if o.Err != nil || o.Kind() != "" {
		t.Fatal(o.Err)
	}
	if o.Provider != "feverup" || o.Trigger != Manual || o.Started.IsZero() || o.Finished.Before(o.Started) {
		t.Errorf("outcome %+v", o)
	}
	if o.Seen != 4 || o.New != 2 || o.Changed != 0 || o.Unchanged != 0 || o.Ignored != 1 || o.Rejected != 1 || o.Gone != 0 ||
		o.Bytes != 100 || o.HTTPStatus != 200 || len(o.Rejections) != 1 {
		t.Errorf("outcome %+v", o)
	}
	if len(p.batches) != 1 || len(p.batches[0]) != 2 {
		t.Fatalf("published %v", p.batches)
	}
	if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), `msg="job completed" provider=feverup`) {
		t.Errorf("log: %s", log.String())
	}

	// The same again changes and publishes nothing.
	if o := c.Once(t.Context(), Schedule); o.Err != nil || o.Unchanged != 2 || o.New != 0 || len(p.batches) != 1 {
		t.Errorf("the same feed again: %+v, %d batches", o, len(p.batches))
	}

	// What is gone is counted, kept, and not published.
	feed = &provider.Feed{Events: []event.Event{newEvent(t, "1", "2021-01-02")}, Seen: 1}
	if o := c.Once(t.Context(), Schedule); o.Err != nil || o.Changed != 1 || o.Gone != 1 || len(p.batches) != 2 || len(p.batches[1]) != 1 {
		t.Errorf("a feed with one event moved and one gone: %+v, %v", o, p.batches)
	}
	if got := stored(t, c.Store); !slices.Equal(got, []string{"feverup/1/1", "feverup/1/2"}) {
		t.Errorf("stored %v", got)
	}
}

func TestOncePublishesInTheProvidersZone(t *testing.T) {
	t.Parallel()
	c, p := newCollector(t, func(context.Context) (*provider.Feed, error) {
		return &provider.Feed{Events: []event.Event{newEvent(t, "1", "2021-06-30T21:00:00")}, Seen: 1}, nil
	})
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	c.Location = madrid
	if o := c.Once(t.Context(), Manual); o.Err != nil {
		t.Fatal(o.Err)
	}
	if got, want := p.batches[0][0].Start, time.Date(2021, 6, 30, 19, 0, 0, 0, time.UTC).Unix(); got != want {
		t.Errorf("published with start %d, want %d", got, want)
	}
	loaded, err := c.Store.Load(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != 1 || loaded[0].Compare(p.batches[0][0]) != 0 || !bytes.Equal(loaded[0].Summary, p.batches[0][0].Summary) {
		t.Errorf("loaded %+v, published %+v", loaded, p.batches[0][0])
	}
}

func TestOnceFails(t *testing.T) {
	t.Parallel()
	good := &provider.Feed{Events: []event.Event{newEvent(t, "1", "2021-01-01")}, Seen: 1}
	tests := []struct {
		name  string
		fetch func(*Collector, context.CancelFunc) (*provider.Feed, error)
		kind  provider.Kind
	}{
		{"the provider", func(*Collector, context.CancelFunc) (*provider.Feed, error) {
			return &provider.Feed{HTTPStatus: 503}, &provider.Error{Kind: provider.KindHTTPStatus, Err: errors.New("status 503")}
		}, provider.KindHTTPStatus},
		{"with no feed", func(*Collector, context.CancelFunc) (*provider.Feed, error) {
			return nil, &provider.Error{Kind: provider.KindTimeout, Err: errors.New("too slow")}
		}, provider.KindTimeout},
		{"a file that cannot be opened", func(*Collector, context.CancelFunc) (*provider.Feed, error) {
			return nil, errors.New("no such file")
		}, KindInternal},
		{"a bug", func(*Collector, context.CancelFunc) (*provider.Feed, error) {
			panic("bug")
		}, KindInternal},
		{"stopped before the commit", func(_ *Collector, cancel context.CancelFunc) (*provider.Feed, error) {
			cancel()
			return good, nil
		}, provider.KindCanceled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, p := newCollector(t, func(context.Context) (*provider.Feed, error) { return good, nil })
			if o := c.Once(t.Context(), Manual); o.Err != nil {
				t.Fatal(o.Err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.Fetch = func(context.Context) (*provider.Feed, error) { return test.fetch(c, cancel) }
			o := c.Once(ctx, Manual)
			if o.Err == nil || o.Kind() != test.kind {
				t.Errorf("outcome %+v of kind %q, want %q", o, o.Kind(), test.kind)
			}
			if o.New+o.Changed+o.Unchanged+o.Gone+o.Seen != 0 {
				t.Errorf("a failed job counts %+v", o)
			}
			if len(p.batches) != 1 || !slices.Equal(stored(t, c.Store), []string{"feverup/1/1"}) {
				t.Errorf("a failed job changed what is published or stored")
			}
			// The next good answer is applied.
			c.Fetch = func(context.Context) (*provider.Feed, error) {
				return &provider.Feed{Events: []event.Event{newEvent(t, "2", "2021-01-01")}, Seen: 1}, nil
			}
			if o := c.Once(t.Context(), Manual); o.Err != nil || o.New != 1 || o.Gone != 1 {
				t.Errorf("after the failure: %+v", o)
			}
		})
	}
}

func TestOnceWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	c, p := newCollector(t, func(context.Context) (*provider.Feed, error) {
		return &provider.Feed{Events: []event.Event{newEvent(t, "1", "2021-01-01")}, Seen: 1}, nil
	})
	if err := c.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if o := c.Once(t.Context(), Manual); o.Kind() != KindStore || len(p.batches) != 0 {
		t.Errorf("outcome %+v, published %v", o, p.batches)
	}
}

// TestRun counts the jobs of a simulated day.
func TestRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		every time.Duration
		takes time.Duration
		want  int
	}{
		{"quick", time.Minute, time.Second, 24 * 60},
		{"slower than its interval: turns are skipped, not queued", time.Minute, 90 * time.Second, 24 * 60 / 2},
		{"hourly", time.Hour, time.Minute, 24},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				jobs, running := 0, 0
				c := &Collector{Provider: "feverup", Location: time.UTC, Log: slog.New(slog.DiscardHandler)}
				c.Fetch = func(ctx context.Context) (*provider.Feed, error) {
					jobs++
					running++
					defer func() { running-- }()
					if running > 1 {
						t.Errorf("%d jobs at once", running)
					}
					select {
					case <-time.After(test.takes):
					case <-ctx.Done():
					}
					return nil, &provider.Error{Kind: provider.KindTimeout, Err: errors.New("too slow")}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour-time.Millisecond)
				defer cancel()
				c.Run(ctx, test.every)
				if jobs != test.want {
					t.Errorf("%d jobs in a day, want %d", jobs, test.want)
				}
			})
		})
	}
}

// TestRunStops shows that a stop cancels the fetch that runs.
func TestRunStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &Collector{Provider: "feverup", Location: time.UTC, Log: slog.New(slog.DiscardHandler)}
		c.Fetch = func(ctx context.Context) (*provider.Feed, error) {
			<-ctx.Done()
			return nil, &provider.Error{Kind: provider.KindCanceled, Err: ctx.Err()}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(ctx, time.Minute)
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("still running after its context has ended")
		}
	})
}
