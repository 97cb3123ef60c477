package ops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fever/provider/feed"
	"fever/store"
)

// pageOfJobs is the data of /jobs.
type pageOfJobs struct {
	Jobs []store.Job
	Next *uint64
}

// ids says which jobs a page has, in what state, and what follows.
func (p pageOfJobs) ids() string {
	var all []string
	for _, job := range p.Jobs {
		all = append(all, fmt.Sprintf("%s%d:%s", job.Provider, job.ID, job.State))
	}
	if p.Next != nil {
		all = append(all, fmt.Sprintf("next %d", *p.Next))
	}
	return strings.Join(all, " ")
}

func TestJobs(t *testing.T) {
	t.Parallel()
	busy, release := slow("c")
	d := deploy(t, "", well("a"), ill("b"), busy)
	d.collect(t, "a", "b", "a", "b", "a")
	running, _, err := d.Ingester.Start(t.Context(), "c", store.Manual, false)
	if err != nil || running.ID != 6 {
		t.Fatal(running, err)
	}
	for query, want := range map[string]string{
		"":                                   "c6:running a5:completed b4:failed a3:completed b2:failed a1:completed",
		"unknown=1":                          "c6:running a5:completed b4:failed a3:completed b2:failed a1:completed",
		"provider=b":                         "b4:failed b2:failed",
		"provider=gone":                      "",
		"state=completed":                    "a5:completed a3:completed a1:completed",
		"state=running":                      "c6:running",
		"state=failed&provider=a":            "",
		"state=failed&limit=1":               "b4:failed next 4",
		"state=failed&limit=1&before=4":      "b2:failed",
		"limit=3":                            "c6:running a5:completed b4:failed next 4",
		"limit=3&before=4":                   "a3:completed b2:failed a1:completed",
		"limit=6":                            "c6:running a5:completed b4:failed a3:completed b2:failed a1:completed",
		"limit=1000&before=2":                "a1:completed",
		"before=1":                           "",
		"before=9223372036854775807&limit=1": "c6:running next 6",
		"provider=a&limit=2&state=completed": "a5:completed a3:completed next 3",
		"provider=a&limit=2&before=3&state=" + string(store.Completed): "a1:completed",
	} {
		var page pageOfJobs
		d.ask(t, http.MethodGet, "/jobs?"+query).decode(t, &page)
		if page.ids() != want {
			t.Errorf("%s: %s, not %s", query, page.ids(), want)
		}
	}
	release()

	for query, about := range map[string]string{
		"limit=0": "limit", "limit=1001": "limit", "limit=-1": "limit", "limit=x": "limit", "limit=": "limit", "limit=1&limit=2": "limit",
		"before=0": "before", "before=x": "before", "before=99999999999999999999": "before", "before=1.5": "before",
		"state=pending": "no record yet; /providers", "state=": "state", "state=x": "state",
		"provider=": "provider", "provider=a%2Fb": "provider", "provider=" + strings.Repeat("a", 5000): "provider", "provider=a&provider=a": "provider",
		"provider=%zz": "query", "a;b": "query",
	} {
		message := d.ask(t, http.MethodGet, "/jobs?"+query).failed(t, http.StatusBadRequest, "invalid_parameter")
		if !strings.Contains(message, about) || len(message) > 200 {
			t.Errorf("%.50s: %s", query, message)
		}
	}
}

// TestJobsText has a message come as it is: it is read by people, and is no HTML.
func TestJobsText(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", fetched("a", func(context.Context) (*feed.Feed, error) {
		return nil, &feed.Error{Provider: "a", Kind: feed.KindDecode, Op: "fetch", Err: errors.New("it begins with <html> & co")}
	}))
	d.collect(t, "a")
	for target, name := range map[string]string{"/jobs": "message", "/providers": "failure_message"} {
		if got, want := d.ask(t, http.MethodGet, target).body, `"`+name+`":"provider a: fetch: it begins with <html> & co"`; !strings.Contains(got, want) {
			t.Errorf("%s: %s has no %s", target, got, want)
		}
	}
}

// TestJobsPageBytes lists jobs that have all a great deal to say.
func TestJobsPageBytes(t *testing.T) {
	t.Parallel()
	snapshot := &feed.Feed{HTTPStatus: 200, Seen: 100, Rejected: 100}
	for line := range 100 {
		snapshot.Rejections = append(snapshot.Rejections, feed.Rejection{Line: line, Reason: strings.Repeat("no ", 340)})
	}
	d := deploy(t, "", fetched("a", func(context.Context) (*feed.Feed, error) { return snapshot, nil }))
	const n = 45 // of 100 KiB each
	for range n {
		d.collect(t, "a")
	}
	pages, jobs, before := 0, 0, ""
	for {
		answer := d.ask(t, http.MethodGet, "/jobs?limit=1000"+before)
		if len(answer.body) > 4<<20+256<<10 {
			t.Errorf("a page of %d bytes", len(answer.body))
		}
		var page pageOfJobs
		answer.decode(t, &page)
		pages, jobs = pages+1, jobs+len(page.Jobs)
		for i, job := range page.Jobs {
			if want := uint64(n - jobs + len(page.Jobs) - i); job.ID != want {
				t.Fatalf("job %d, not %d", job.ID, want)
			}
		}
		if page.Next == nil {
			break
		}
		before = fmt.Sprintf("&before=%d", *page.Next)
	}
	if pages < 2 || jobs != n {
		t.Errorf("%d jobs on %d pages", jobs, pages)
	}
}

func TestProviders(t *testing.T) {
	t.Parallel()
	busy, release := slow("c")
	defer release()
	d := deploy(t, "", well("a"), ill("b"), busy, well("d"))
	d.collect(t, "a", "b", "b", "b", "b")
	if _, _, err := d.Ingester.Start(t.Context(), "c", store.Manual, false); err != nil {
		t.Fatal(err)
	}
	var data struct {
		Providers []struct {
			Name           string
			LastSuccess    time.Time `json:"last_success"`
			AgeSeconds     *float64  `json:"age_seconds"`
			Stale          bool
			MaxAgeSeconds  float64 `json:"max_age_seconds"`
			TimeZone       string  `json:"time_zone"`
			State          string
			Trigger        string
			Started        time.Time
			EverySeconds   *float64 `json:"every_seconds"`
			Due            *time.Time
			Failures       int
			StretchSeconds float64    `json:"stretch_seconds"`
			LastJob        *store.Job `json:"last_job"`
		}
	}
	d.ask(t, http.MethodGet, "/providers").decode(t, &data)
	if len(data.Providers) != 4 {
		t.Fatalf("%+v", data)
	}
	a, b, c, e := data.Providers[0], data.Providers[1], data.Providers[2], data.Providers[3]
	if a.Name != "a" || a.LastSuccess.IsZero() || a.AgeSeconds == nil || a.Stale || a.MaxAgeSeconds != 300 || a.TimeZone != "UTC" ||
		a.State != "idle" || a.EverySeconds == nil || *a.EverySeconds != 60 || a.Due != nil || a.Failures != 0 ||
		a.LastJob == nil || a.LastJob.State != store.Completed || !a.LastJob.Finished.Equal(a.LastSuccess.Truncate(time.Millisecond)) {
		t.Errorf("%+v", a)
	}
	if b.Name != "b" || !b.LastSuccess.IsZero() || b.AgeSeconds != nil || !b.Stale || b.Failures != 4 || b.StretchSeconds != 180 ||
		b.LastJob == nil || b.LastJob.Kind != feed.KindTimeout {
		t.Errorf("%+v", b)
	}
	if c.State != "running" || c.Trigger != "manual" || c.Started.IsZero() || c.LastJob == nil || c.LastJob.State != store.Running {
		t.Errorf("%+v", c)
	}
	if e.State != "idle" || e.LastJob != nil || !e.Stale {
		t.Errorf("%+v", e)
	}

	d.ask(t, http.MethodGet, "/providers?provider=b").decode(t, &data)
	if len(data.Providers) != 1 || data.Providers[0].Name != "b" {
		t.Errorf("%+v", data)
	}
	message := d.ask(t, http.MethodGet, "/providers?provider=x").failed(t, http.StatusNotFound, "unknown_provider")
	if !strings.Contains(message, "a, b, c, d") {
		t.Error(message)
	}
	d.ask(t, http.MethodGet, "/providers?provider=").failed(t, http.StatusBadRequest, "invalid_parameter")
}
