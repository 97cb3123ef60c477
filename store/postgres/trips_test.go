package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"fever/internal/postgrestest"
	"fever/provider/feed"
	"fever/store"
	"fever/store/storetest"
)

// TestRoundTrips counts how often small transactions wait for the server. Between machines that is
// most of their time.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	// A mode that describes no statement: what one looks like is asked once only in the others.
	config, err := parse(with(t, postgrestest.Database(t), "default_query_exec_mode", "exec"))
	if err != nil {
		t.Fatal(err)
	}
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		c.Tracer = tripCounter{}
		return nil
	}
	s, err := openConfig(t.Context(), config, keep, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	_, at, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var job store.Job
	for _, what := range []struct {
		name string
		do   func(context.Context) error
		want int
	}{
		{"begin a job", func(ctx context.Context) error {
			job, err = s.Begin(ctx, store.Job{Provider: "a", Trigger: store.Schedule, Started: storetest.Noon})
			return err
		}, 2},
		{"keep its claim", func(ctx context.Context) error { return s.Keep(ctx, job) }, 1},
		{"end it, with newer validators", func(ctx context.Context) error {
			job.State, job.NotModified, job.Finished = store.Completed, true, storetest.Noon
			return s.Finish(ctx, job, &feed.Validators{ETag: `"2"`})
		}, 2},
		{"see that nothing is new", func(ctx context.Context) error {
			entries, _, err := s.Changes(ctx, at)
			if len(entries) != 0 {
				t.Errorf("%d events changed", len(entries))
			}
			return err
		}, 1},
		{"read what has changed", func(ctx context.Context) error {
			entries, _, err := s.Changes(ctx, 0)
			if len(entries) != 1 {
				t.Errorf("%d events changed", len(entries))
			}
			return err
		}, 1},
	} {
		t.Run(what.name, func(t *testing.T) {
			trips := 0
			if err := what.do(context.WithValue(t.Context(), tripCounter{}, &trips)); err != nil {
				t.Fatal(err)
			}
			if trips != what.want {
				t.Errorf("%d round trips, want %d", trips, what.want)
			}
		})
	}
}

// A tripCounter counts the messages that wait for an answer, if their context has a counter. A
// batch is one.
type tripCounter struct{}

func (tripCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if trips, ok := ctx.Value(tripCounter{}).(*int); ok {
		*trips++
	}
	return ctx
}

func (tripCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c tripCounter) TraceBatchStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return c.TraceQueryStart(ctx, conn, pgx.TraceQueryStartData{})
}

func (tripCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (tripCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TestHistoryKeepsWhatIsUsed has others speak of many revisions, while one that is behind stays
// at its own.
func TestHistoryKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	var h history
	h.remember(1, []byte("old"))
	h.remember(2, []byte("unused"))
	for r := range store.Revision(2 * mostRemembered) {
		h.remember(10+r, []byte("new"))
		if h.shares(1, []byte("other")) {
			t.Fatalf("forgotten after %d others", r)
		}
	}
	if len(h.ids) != mostRemembered || !h.shares(2, []byte("other")) {
		t.Errorf("%d are remembered", len(h.ids))
	}
	// The database was put back: its revisions have lower numbers again.
	h.remember(3, []byte("again"))
	h.remember(4, []byte("again"))
	if h.shares(3, []byte("other")) {
		t.Error("a new one was forgotten before those of the other past")
	}
}
