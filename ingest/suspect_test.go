package ingest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/store"
)

// feedOfMany returns a feed of n events.
func feedOfMany(t *testing.T, n int) *feed.Feed {
	t.Helper()
	snapshot := &feed.Feed{Seen: n, HTTPStatus: 200}
	for i := range n {
		snapshot.Events = append(snapshot.Events, newEvent(t, fmt.Sprint(i), "2021-01-01"))
	}
	return snapshot
}

var (
	rejections  = []feed.Rejection{{BaseID: "1", EventID: "2", Line: 7, Reason: "no title"}}
	empty       = &feed.Feed{HTTPStatus: 200}
	notice      = &feed.Feed{HTTPStatus: 200, Rejections: []feed.Rejection{{Line: 3, Reason: "<notice> is not known"}}}
	allRejected = &feed.Feed{Seen: 3, Rejected: 2, Ignored: 1, Rejections: rejections, HTTPStatus: 200}
	allIgnored  = &feed.Feed{Seen: 3, Ignored: 3, HTTPStatus: 200}
)

// feedOfPast returns a feed of n events, of which the last ones are past, and so many rows
// more that are rejected.
func feedOfPast(t *testing.T, n, past, rejected int) *feed.Feed {
	t.Helper()
	snapshot := feedOfMany(t, n)
	snapshot.Events, snapshot.Past = snapshot.Events[:n-past], snapshot.Events[n-past:]
	snapshot.Seen, snapshot.Rejected = n+rejected, rejected
	return snapshot
}

// TestSuspect follows what a provider is suspect of from feed to feed: live, in the log,
// and after a restart at each point.
func TestSuspect(t *testing.T) {
	t.Parallel()
	unchanged := &feed.Feed{NotModified: true, HTTPStatus: 304}
	type step struct {
		snapshot *feed.Feed
		want     Suspicion
	}
	for name, steps := range map[string][]step{
		"never anything":           {{empty, ""}, {empty, ""}, {feedOfMany(t, 1), ""}},
		"emptied":                  {{feedOfMany(t, 1), ""}, {empty, Emptied}, {unchanged, Emptied}, {empty, Emptied}, {feedOfMany(t, 1), ""}, {unchanged, ""}},
		"a notice":                 {{feedOfMany(t, 60), ""}, {notice, NotUnderstood}, {unchanged, NotUnderstood}, {feedOfMany(t, 60), ""}},
		"a notice at first":        {{notice, NotUnderstood}, {unchanged, NotUnderstood}, {empty, ""}},
		"all rejected at first":    {{allRejected, AllRejected}, {unchanged, AllRejected}, {feedOfMany(t, 2), ""}},
		"all rejected":             {{feedOfMany(t, 2), ""}, {allRejected, AllRejected}, {allIgnored, AllIgnored}, {empty, Emptied}},
		"all ignored at first":     {{allIgnored, AllIgnored}, {unchanged, AllIgnored}, {feedOfMany(t, 2), ""}},
		"exactly half":             {{feedOfMany(t, 10), ""}, {feedOfMany(t, 5), ""}, {feedOfMany(t, 3), ""}},
		"less than half":           {{feedOfMany(t, 10), ""}, {feedOfMany(t, 4), Shrunk}, {unchanged, Shrunk}, {feedOfMany(t, 4), ""}},
		"half of an odd number":    {{feedOfMany(t, 9), ""}, {feedOfMany(t, 5), ""}, {feedOfMany(t, 9), ""}, {feedOfMany(t, 4), Shrunk}},
		"the rest is the baseline": {{feedOfMany(t, 10), ""}, {feedOfMany(t, 4), Shrunk}, {feedOfMany(t, 2), ""}, {feedOfMany(t, 10), ""}},
		"all of it is past":        {{feedOfMany(t, 4), ""}, {feedOfPast(t, 4, 4, 0), Emptied}, {unchanged, Emptied}, {feedOfPast(t, 4, 4, 1), Emptied}, {feedOfPast(t, 4, 1, 0), ""}},
		"past at first":            {{feedOfPast(t, 4, 4, 1), ""}, {unchanged, ""}, {feedOfPast(t, 5, 4, 1), ""}},
		"most of it is past":       {{feedOfMany(t, 10), ""}, {feedOfPast(t, 10, 6, 0), Shrunk}, {unchanged, Shrunk}, {feedOfPast(t, 10, 6, 0), ""}, {feedOfPast(t, 10, 8, 0), ""}, {feedOfMany(t, 10), ""}},
		"one of two":               {{feedOfMany(t, 2), ""}, {feedOfMany(t, 1), ""}, {empty, Emptied}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var snapshot *feed.Feed
			f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
				return snapshot, nil
			})
			for i, s := range steps {
				snapshot = s.snapshot
				f.logged.Reset()
				job := f.once(t)
				if job.State != store.Completed || job.Suspect != string(s.want) {
					t.Errorf("step %d: %+v, want suspect %q", i, job, s.want)
				}
				if got := f.Status()[0].Suspect; got != s.want {
					t.Errorf("step %d: suspect %q, want %q", i, got, s.want)
				}
				if log := f.logged.String(); strings.Contains(log, "level=WARN") != (s.want != "") || strings.Contains(log, "suspect="+string(s.want)) != (s.want != "") {
					t.Errorf("step %d: logged %s", i, log)
				}
				again := New(f.bolt, f.log, 1, f.targets[0].Provider)
				if err := again.Load(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := again.Status()[0].Suspect; got != s.want {
					t.Errorf("step %d: suspect %q after a restart, want %q", i, got, s.want)
				}
			}
		})
	}
}

// TestSuspectIsApplied shows that what was sold stays searchable.
func TestSuspectIsApplied(t *testing.T) {
	t.Parallel()
	snapshot := feedOfMany(t, 10)
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return snapshot, nil
	})
	f.once(t)
	snapshot = feedOfMany(t, 1)
	if job := f.once(t); job.Gone != 9 || job.Suspect != string(Shrunk) {
		t.Errorf("%+v", job)
	}
	if n := len(stored(t, f.bolt)); n != 10 {
		t.Errorf("%d events are stored", n)
	}
}

// TestSuspectOff is for a provider that has seasons.
func TestSuspectOff(t *testing.T) {
	t.Parallel()
	snapshot := feedOfMany(t, 10)
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return snapshot, nil
	})
	f.targets[0].Suspect = Off
	f.once(t)
	for _, snapshot = range []*feed.Feed{feedOfMany(t, 1), empty, allRejected, allIgnored, notice} {
		f.logged.Reset()
		if job := f.once(t); job.State != store.Completed || job.Suspect != "" || f.Status()[0].Suspect != "" || strings.Contains(f.logged.String(), "WARN") {
			t.Errorf("%+v, logged %s", job, f.logged.String())
		}
		again := New(f.bolt, f.log, 1, f.targets[0].Provider)
		if err := again.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := again.Status()[0].Suspect; got != "" {
			t.Errorf("suspect %q after a restart", got)
		}
	}
}

// TestSuspectRefused shows that a refused feed changes nothing, is a failure of its
// provider, is told until a good one comes, and can be taken by force.
func TestSuspectRefused(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]*feed.Feed{
		"shrunk": feedOfMany(t, 4), "emptied": empty, "all_rejected": allRejected, "all_ignored": allIgnored, "not_understood": notice,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			snapshot := feedOfMany(t, 10)
			snapshot.Validators = feed.Validators{ETag: `"good"`, Digest: [32]byte{1}, Source: "here"}
			var told feed.Validators
			f := newFixture(t, func(_ context.Context, last feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
				asked++
				told = last
				return snapshot, nil
			})
			f.targets[0].Suspect = Refuse
			good := snapshot
			f.once(t)
			before := f.Status()[0]

			refused := *odd
			refused.Validators = feed.Validators{ETag: `"odd"`, Digest: [32]byte{2}, Source: "here"}
			snapshot = &refused
			asked = 0
			job := f.once(t)
			if job.State != store.Failed || job.Kind != feed.KindSuspect || asked != 1 || job.Gone != 0 || !strings.Contains(job.Message, Suspicion(name).String()) {
				t.Errorf("%+v after %d attempts", job, asked)
			}
			s := f.Status()[0]
			if s.Suspect != Suspicion(name) || s.Kind != feed.KindSuspect || s.Failures != 1 || s.Snapshot != before.Snapshot || !s.LastSuccess.Equal(before.LastSuccess) {
				t.Errorf("%+v", s)
			}
			if n := len(stored(t, f.bolt)); n != 10 || len(f.published) != 1 {
				t.Errorf("%d events are stored, published %d times", n, len(f.published))
			}
			for r, err := range f.bolt.Records(t.Context(), store.Filter{Provider: "feverup"}) {
				if err != nil || !r.Current {
					t.Fatalf("%+v, %v: it is not current any more", r, err)
				}
			}
			if jobs := recorded(t, f.bolt); len(jobs) != 2 || jobs[1].Kind != feed.KindSuspect {
				t.Errorf("recorded %+v", jobs)
			}

			f.once(t)
			if told.ETag != `"good"` {
				t.Errorf("asked with %s: the validators of a refused feed were stored", told.ETag)
			}
			snapshot = good
			if job := f.once(t); job.State != store.Completed || job.Unchanged != 10 || job.Gone != 0 {
				t.Errorf("the next good one: %+v", job)
			}
			if s := f.Status()[0]; s.Suspect != "" || s.Kind != "" || s.Failures != 0 {
				t.Errorf("afterwards: %+v", s)
			}

			snapshot = &refused
			forced, err := f.RunNow(t.Context(), "feverup", store.Manual, true)
			if err != nil || forced.State != store.Completed || forced.Suspect != name {
				t.Errorf("by force: %+v, %v", forced, err)
			}
			if s := f.Status()[0]; s.Suspect != Suspicion(name) || s.Failures != 0 {
				t.Errorf("taken by force: %+v", s)
			}
		})
	}
}

// TestSuspectDocument shows what a document that somebody gives means for the provider.
func TestSuspectDocument(t *testing.T) {
	t.Parallel()
	snapshot := feedOfMany(t, 10)
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return snapshot, nil
	})
	give := func(snapshot *feed.Feed, force bool) store.Job {
		t.Helper()
		job, err := f.Import(t.Context(), "feverup", force, feedtest.Given(func(context.Context, *feed.Progress) (*feed.Feed, error) { return snapshot, nil }))
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	check := func(when string, suspect Suspicion, failures int) {
		t.Helper()
		if s := f.Status()[0]; s.Suspect != suspect || s.Failures != failures {
			t.Errorf("%s: %+v, want suspect %q and %d failures", when, s, suspect, failures)
		}
	}
	f.once(t)
	if job := give(feedOfMany(t, 2), false); job.State != store.Completed || job.Suspect != string(Shrunk) {
		t.Errorf("%+v", job)
	}
	check("a suspect document is the latest snapshot", Shrunk, 0)
	give(feedOfMany(t, 10), false)
	check("a good one replaces it", "", 0)

	f.targets[0].Suspect = Refuse
	snapshot = empty
	f.once(t)
	check("a refused feed", Emptied, 1)
	if job := give(feedOfMany(t, 2), false); job.State != store.Failed || job.Kind != feed.KindSuspect {
		t.Errorf("%+v", job)
	}
	check("a refused document is no failure of the provider", Emptied, 1)
	give(feedOfMany(t, 9), false)
	check("nor does a good one say that it is well", Emptied, 1)
	if job := give(feedOfMany(t, 2), true); job.State != store.Completed || job.Suspect != string(Shrunk) {
		t.Errorf("by force: %+v", job)
	}
	snapshot = feedOfMany(t, 10)
	f.once(t)
	check("a good feed", "", 0)
}

// TestSuspectFeeds takes real documents from a real server: a notice in the place of the
// events, another case of online, rows without a title.
func TestSuspectFeeds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		want       Suspicion
	}{
		{"as before", oneEvent, ""},
		{"a notice", `<planList><output><notice>We are moving.</notice></output></planList>`, NotUnderstood},
		{"a notice without a wrapper", `<planList><notice/></planList>`, NotUnderstood},
		{"groups with something else", `<planList><output><base_plan base_plan_id="1" sell_mode="online" title="T"><happening/></base_plan></output></planList>`, NotUnderstood},
		{"empty", `<planList><output></output></planList>`, Emptied},
		{"another case", strings.ReplaceAll(oneEvent, `"online"`, `"ONLINE"`), AllIgnored},
		{"without ids", strings.ReplaceAll(oneEvent, ` plan_id="1"`, ""), AllRejected},
		{"unknown elements beside events", strings.ReplaceAll(oneEvent, "<output>", "<output><notice/>"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &feedServer{answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(oneEvent)) }}
			g := s.collecting(t)
			var logged bytes.Buffer
			g.log = slog.New(slog.NewTextHandler(&logged, nil))
			manual(t, g)
			s.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(test.body)) }
			if job := manual(t, g); job.Suspect != string(test.want) {
				t.Errorf("%+v, want suspect %q", job, test.want)
			}
			if job := manual(t, g); !job.NotModified || job.Suspect != string(test.want) {
				t.Errorf("the same again: %+v, want suspect %q", job, test.want)
			}
			if warned := strings.Count(logged.String(), "level=WARN"); warned != 0 && test.want == "" || warned != 2 && test.want != "" {
				t.Errorf("logged %s", logged.String())
			}
		})
	}
}

// TestSuspectTurns shows that feeds which are refused come less often, as other failures
// do, and are not asked for again within their job.
func TestSuspectTurns(t *testing.T) {
	t.Parallel()
	st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
	g := New(st, slog.New(slog.DiscardHandler), 1, Provider{
		Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Suspect: Refuse,
		Get: feedtest.Get(func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
			return allIgnored, nil
		}), Decode: feedtest.Decode,
	})
	for range 3 {
		job, err := g.RunNow(t.Context(), "feverup", store.Manual, false)
		if err != nil || job.Attempts != 1 {
			t.Errorf("%+v, %v", job, err)
		}
	}
	if s := g.Status()[0]; s.Failures != 3 || s.Stretch != time.Minute {
		t.Errorf("%+v", s)
	}
}

// TestSuspectPast judges a dump of another fever by what that says is on sale: what has
// left the feed there is still in the dump.
func TestSuspectPast(t *testing.T) {
	t.Parallel()
	current := 10
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		snapshot := feedOfMany(t, 10)
		snapshot.Events, snapshot.Past = snapshot.Events[:current], snapshot.Events[current:]
		return snapshot, nil
	})
	for _, step := range []struct {
		current int
		want    Suspicion
	}{{10, ""}, {5, ""}, {2, Shrunk}, {0, Emptied}, {10, ""}} {
		current = step.current
		if job := f.once(t); job.State != store.Completed || job.Suspect != string(step.want) {
			t.Errorf("%d on sale: suspect %q, want %q", current, job.Suspect, step.want)
		}
	}
}
