package page

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fever/index"
	"fever/ingest"
	"fever/provider/feed"
	"fever/store"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ got, want string }{
		{number(0), "0"},
		{number(999), "999"},
		{number(1000), "1,000"},
		{number(-123456), "-123,456"},
		{number(12345678), "12,345,678"},
		{amount(1, "row"), "1 row"},
		{amount(0, "row"), "0 rows"},
		{amount(2000, "row"), "2,000 rows"},
		{size(999), "999 B"},
		{size(1234567), "1.2 MB"},
		{size(12345678), "12 MB"},
		{rough(59*time.Second + 600*time.Millisecond), "1 min"},
		{rough(1400 * time.Millisecond), "1 s"},
		{rough(200), "0 s"},
		{ago(time.Unix(100, 0), time.Unix(97, 0)), "3 s ago"},
		{ago(time.Unix(100, 0), time.Unix(101, 0)), "just now"},
	} {
		if tc.got != tc.want {
			t.Errorf("%q, not %q", tc.got, tc.want)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Now()
	make1 := func(name string, change func(*ingest.Status), jobs ...store.Job) card {
		s := ingest.Status{Name: name, Due: now.Add(time.Minute), LastSuccess: now.Add(-3 * time.Second), MaxAge: 5 * time.Minute}
		change(&s)
		return newCard(now, s, jobs, nil)
	}
	fine := make1("fine", func(*ingest.Status) {})
	failing := make1("failing", func(s *ingest.Status) { s.Failures, s.Kind = 1, feed.KindHTTPStatus })
	unstored := make1("unstored", func(s *ingest.Status) { s.Kind, s.Message = feed.KindStore, "commit: no space left on device" })
	rejecting := make1("rejecting", func(s *ingest.Status) { s.Accepted, s.Rejected = 1700, 300 })
	nonsense := make1("nonsense", func(s *ingest.Status) { s.Rejected = 3 })
	tenth := make1("tenth", func(s *ingest.Status) { s.Accepted, s.Rejected = 9, 1 })
	stale := make1("stale", func(s *ingest.Status) { s.LastSuccess = now.Add(-6 * time.Minute) })
	fresh := make1("new", func(s *ingest.Status) { s.LastSuccess = time.Time{} })
	off := make1("off", func(s *ingest.Status) { s.Due = time.Time{} })
	running := make1("running", func(s *ingest.Status) { s.Due, s.State = time.Time{}, store.Running })
	for _, tc := range []struct {
		cards    []card
		state    string
		problems []error
		shed     int
		failed   int
		level    level
		headline string
		detail   string

		unarchived int
	}{
		{cards: []card{fine, running}, level: levelOK, headline: "All is well", detail: "What is stored is up to date."},
		{cards: []card{fine, off}, level: levelOK, headline: "All is well", detail: "What is stored is up to date."},
		{cards: []card{off}, level: levelOK, headline: "All is well", detail: "Nothing is collected. "},
		{level: levelOK, headline: "All is well", detail: "Nothing is collected. "},
		{cards: []card{fine, fresh}, level: levelWait, headline: "Waiting for the first data", detail: "new: no success yet. "},
		{cards: []card{fresh}, state: "collecting", level: levelWait, headline: "Waiting for the first data", detail: "new: no success yet. Not ready: "},
		{cards: []card{failing}, state: "collecting", level: levelBad, headline: "1 provider is failing", detail: "last success 3 s ago. Not ready: "},
		{cards: []card{fresh}, shed: 1200, level: levelBad, headline: "Searches are turned away", detail: "1,200 in the last minute"},
		{cards: []card{stale, fine}, shed: 1, level: levelBad, headline: "1 provider is stale", detail: "stale: last success 6 min ago. Searches are"},
		{cards: []card{fine, failing, fresh}, level: levelBad, headline: "1 provider is failing", detail: "failing: http status, last success 3 s ago. Searches are"},
		{cards: []card{stale, failing}, level: levelBad, headline: "1 provider is failing", detail: "3 s ago. Stale: stale: last success 6 min ago. Searches are"},
		{cards: []card{failing, failing, failing, failing, failing}, level: levelBad, headline: "5 providers are failing", detail: "failing, failing, failing and 2 more. Searches are"},
		{cards: []card{failing}, problems: []error{errors.New("x is damaged")}, level: levelBad, headline: "The data file cannot be read", detail: "x is damaged"},
		{cards: []card{failing}, state: "loading", problems: []error{errors.New("x")}, level: levelWait, headline: "Starting", detail: "Until then searches wait."},
		{cards: []card{failing}, state: "draining", level: levelWait, headline: "Draining", detail: "No job begins."},
		{cards: []card{failing}, state: "stopping", level: levelWait, headline: "Stopping", detail: "Nothing new begins."},
		{cards: []card{fine, failing, unstored}, failed: 1, level: levelBad, headline: "The data file cannot be written", detail: "commit: no space left on device. Searches are"},
		{cards: []card{failing}, failed: 1200, shed: 1, level: levelBad, headline: "Searches fail", detail: "1,200 in the last minute got 500"},
		{cards: []card{fine, fresh, rejecting}, level: levelWait, headline: "Rows are rejected", detail: "rejecting: 300 of 2,000 rows of its feed. Their events"},
		{cards: []card{rejecting, nonsense}, level: levelBad, headline: "Rows are rejected", detail: "rejecting, nonsense. Their events"},
		{cards: []card{nonsense, stale}, level: levelBad, headline: "1 provider is stale"},
		{cards: []card{tenth}, level: levelOK, headline: "All is well"},
		{cards: []card{fine}, unarchived: 2, level: levelWait, headline: "The archive has faults", detail: "2 errors since"},
		{cards: []card{stale}, unarchived: 1, level: levelBad, headline: "1 provider is stale"},
	} {
		got := judge(tc.state, tc.problems, "", Traffic{Shed: tc.shed, Failed: tc.failed}, tc.cards, false, tc.unarchived)
		if got.Level != tc.level || got.Headline != tc.headline || !strings.Contains(got.Detail, tc.detail) {
			t.Errorf("%+v, not %s %s: %s", got, tc.level, tc.headline, tc.detail)
		}
	}
}

func TestCard(t *testing.T) {
	t.Parallel()
	now := time.Now()
	done := func(id uint64, rejected int) store.Job {
		return store.Job{ID: id, State: store.Completed, Started: now, Finished: now, Rejected: rejected}
	}
	old := done(1, 2)
	old.Rejections = make([]feed.Rejection, 2)
	c := newCard(now, ingest.Status{State: store.Running, Started: now.Add(-70 * time.Second), Page: 1, Bytes: 1_500_000, Rows: 4321},
		[]store.Job{{ID: 9, State: store.Running}, done(8, 0), done(7, 2), done(6, 5)}, &old)
	if c.Last.ID != 8 || c.Rejected != &old || len(c.Chart.Runs) != 3 || c.Next != "runs now" {
		t.Errorf("%+v", c)
	}
	if got, want := c.Progress(), "Runs for 1 min 10 s: 1.5 MB, 4,321 rows"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	c.Page = 12
	if got, want := c.Progress(), "Runs for 1 min 10 s: 1.5 MB, 4,321 rows, page 12"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	for want, s := range map[string]ingest.Status{
		"waits for a worker": {State: store.Pending},
		"not scheduled":      {},
		"now":                {Due: now.Add(time.Millisecond)},
		"in 1 min 30 s":      {Due: now.Add(90 * time.Second)},
	} {
		if got := next(now, s); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	first := newCard(now, ingest.Status{Due: now, LastSuccess: now, MaxAge: time.Hour, Harvest: ingest.Harvest{Generation: 1, Pages: 1200}}, nil, nil)
	if got, want := first.trouble(), "first harvest under way, 1,200 pages so far"; got != want || first.State != stateNew {
		t.Errorf("%q, %v, not %q", got, first.State, want)
	}
	if _, state := condition(now, ingest.Status{Due: now, LastSuccess: now, MaxAge: time.Hour, Settled: true, Harvest: ingest.Harvest{Generation: 2}}); state != levelOK {
		t.Errorf("the second harvest is %v", state)
	}
	job := done(1, 0)
	job.New, job.Unchanged, job.Gone = 1200, 1, 3
	if got, want := counts(&job), "1,200 new, 1 unchanged, 3 gone"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// TestCardOfJobs shows jobs alone on a provider's card, and no record of what was done by hand.
func TestCardOfJobs(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	job := store.Job{ID: 1, Trigger: store.Manual, State: store.Completed, Started: at, Finished: at.Add(time.Second), New: 3}
	forgotten := store.Job{ID: 2, Trigger: store.Forget, State: store.Completed, Started: at, Finished: at.Add(time.Hour), Gone: 3}
	with := newCard(at, ingest.Status{Name: "a"}, []store.Job{forgotten, job}, nil)
	without := newCard(at, ingest.Status{Name: "a"}, []store.Job{job}, nil)
	if !reflect.DeepEqual(with, without) || with.Last == nil || with.Last.ID != job.ID {
		t.Errorf("%+v, not %+v", with, without)
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	job := func(took time.Duration, changed int) store.Job {
		return store.Job{State: store.Completed, Started: at, Finished: at.Add(took), Changed: changed}
	}
	failed := store.Job{State: store.Failed, Kind: "timeout", Started: at, Finished: at.Add(time.Hour)}
	c := newChart([]store.Job{job(2*time.Second, 10), failed, job(time.Second, 5), job(0, 0)})
	last := chartRuns*chartSlot - chartSlot
	want := []run{
		{last, chartAbove, chartBelow, false, "2 Jan 03:04:05: 2 s, 10 changes"},
		{last - chartSlot, chartAbove, 0, true, "2 Jan 03:04:05: failed after 1 h, timeout"},
		{last - 2*chartSlot, chartLeast + (chartAbove-chartLeast)/2, chartLeast + (chartBelow-chartLeast)/2, false, "2 Jan 03:04:05: 1 s, 5 changes"},
		{last - 3*chartSlot, chartLeast, 0, false, "2 Jan 03:04:05: 1 ms, 0 changes"},
	}
	for i, r := range c.Runs {
		if r != want[i] {
			t.Errorf("%+v, not %+v", r, want[i])
		}
	}
	if got, want := c.Label(), "The last 4 runs: 1 failed, the longest of the others took 2 s, the most changes at once were 10"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got, want := newChart([]store.Job{failed}).Label(), "The last 1 run: 1 failed"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	many := newChart(slices.Repeat([]store.Job{job(time.Second, 1)}, chartRuns+1))
	if len(many.Runs) != chartRuns || many.Runs[chartRuns-1].X != 0 {
		t.Errorf("%d runs", len(many.Runs))
	}
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	date := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	days := []index.Day{
		{Provider: "a", Date: date("2024-02-29"), Events: 1},
		{Provider: "a", Date: date("2024-12-31"), Events: 1000},
		{Provider: "b", Date: date("2024-02-29"), Events: 4},
		{Provider: "b", Date: date("0001-01-01"), Events: 1},
		{Provider: "b", Date: date("9999-12-31"), Events: 2},
	}
	s := newStored(days, "", "", date("2020-01-01").Add(23*time.Hour))
	if s.Year != 2024 || s.Total != 1005 || len(s.Halves[0].Days) != 182 || len(s.Halves[1].Days) != 184 {
		t.Errorf("%+v", s)
	}
	// 2024 began on a Monday; its 29th of February was a Thursday in the ninth week.
	leap := s.Halves[0].Days[59]
	want := square{X: squareLeft + 8*squarePitch, Y: squareTop + 3*squarePitch, Level: 1, Title: "Thu 29 Feb 2024: 5 events"}
	if leap != want {
		t.Errorf("%+v, not %+v", leap, want)
	}
	if last := s.Halves[1].Days[183]; last.Level != 3 || last.Title != "Tue 31 Dec 2024: 1,000 events" {
		t.Errorf("%+v", last)
	}
	if want := []step{{0, "0", 0}, {1, "1–5", 5}, {3, "6–1,000", 1000}}; !reflect.DeepEqual(s.Legend, want) {
		t.Errorf("%+v, not %+v", s.Legend, want)
	}
	for _, tc := range []struct {
		provider, year, today string
		want                  int
	}{
		{"", "", "1000-06-01", 1},
		{"", "", "5000-06-01", 2024},
		{"", "", "9000-06-01", 9999},
		{"", "9999", "2024-06-01", 9999},
		{"", "2023", "2024-06-01", 2024},
		{"a", "9999", "9999-06-01", 2024},
		{"b", "", "2024-06-01", 2024},
		{"c", "", "2024-06-01", 0},
	} {
		if s := newStored(days, tc.provider, tc.year, date(tc.today)); s.Year != tc.want || (s.Year == 0) != (s.Halves == nil) {
			t.Errorf("%+v: the year is %d", tc, s.Year)
		}
	}
	if today := newStored(days, "", "", date("2024-02-29")).Halves[0].Days[59]; !today.Today {
		t.Errorf("%+v is not today", today)
	}
	var years []int
	for y := range 100 {
		years = append(years, y)
	}
	for year, want := range map[int][]int{0: {0, 1, 2, 3, 4, 5, 6}, 50: {47, 48, 49, 50, 51, 52, 53}, 99: {93, 94, 95, 96, 97, 98, 99}} {
		if got := nearest(years, year); !slices.Equal(got, want) {
			t.Errorf("around %d are %d", year, got)
		}
	}
}

// TestQuantize asserts that each number has one shade, as the legend says.
func TestQuantize(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		counts := make(map[time.Time]int)
		for day := range 1 + random.IntN(40) {
			counts[time.Unix(int64(day), 0)] = 1 + random.IntN(1<<random.IntN(12))
		}
		steps := quantize(counts)
		least := 1
		for i, s := range steps[1:] {
			if s.Level <= steps[i].Level || s.most < least {
				t.Fatalf("%+v", steps)
			}
			for n := least; n <= s.most; n++ {
				if shade(steps, n) != s.Level {
					t.Fatalf("%d has the shade %d: %+v", n, shade(steps, n), steps)
				}
			}
			least = s.most + 1
		}
		for _, n := range counts {
			if n >= least {
				t.Fatalf("%d is above %+v", n, steps)
			}
		}
		if shade(steps, 0) != 0 {
			t.Fatalf("%+v", steps)
		}
	}
}

// TestRecorder writes one answer in pieces of all sizes.
func TestRecorder(t *testing.T) {
	t.Parallel()
	var body bytes.Buffer
	body.WriteString(`{"data":{"events":[`)
	const events = 50
	for i := range events {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"id":"%d","title":"{\"id\":\"x\"} %d","start_date":"2030-01-01","start_time":null,"end_date":null,"end_time":null,"min_price":15.5,"max_price":15.5}`, i, i)
	}
	body.WriteString(`]},"error":null}`)
	for piece := 1; piece < 300; piece++ {
		a := recorder{status: http.StatusOK}
		for part := range slices.Chunk(body.Bytes(), piece) {
			if n, err := a.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		rows, code, message := a.read()
		want := row{Title: `{"id":"x"} 0`, StartDate: "2030-01-01", MinPrice: "15.5", MaxPrice: "15.5"}
		if a.bytes != int64(body.Len()) || len(rows) != trialRows || rows[0] != want || code != "" || message != "" {
			t.Fatalf("pieces of %d: %d bytes, %d rows, %+v, %s %s", piece, a.bytes, len(rows), rows[0], code, message)
		}
	}
	// What is kept of an answer is bounded, and ends within an event.
	a := recorder{status: http.StatusOK}
	long := `{"data":{"events":[` + strings.Repeat(`{"id":"1","title":"`+strings.Repeat("x", recorderHead/10)+`"},`, 40)
	_, _ = a.Write([]byte(long))
	if rows, _, message := a.read(); len(rows) != 9 || message != "" || len(a.head) != recorderHead {
		t.Errorf("%d rows, %s, %d bytes kept", len(rows), message, len(a.head))
	}
	for _, status := range []int{http.StatusOK, http.StatusBadGateway} {
		a := recorder{status: status}
		_, _ = a.Write([]byte("no JSON"))
		if _, _, message := a.read(); !strings.Contains(message, "cannot be read") {
			t.Errorf("%d: %q", status, message)
		}
	}
}
