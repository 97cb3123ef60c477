package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"fever/cli"
	"fever/internal/harness"
	"fever/internal/leak"
	"fever/internal/postgrestest"
)

// asFever has the binary of these tests be fever.
const asFever = "REPLICAS_TEST_AS_FEVER"

func TestMain(m *testing.M) {
	if os.Getenv(asFever) != "" || len(os.Args) == 2 && os.Args[1] == "decode" { // which fever starts itself as
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	if err := os.Setenv(asFever, "yes"); err != nil { // for the processes that the tests start
		panic(err)
	}
	os.Exit(leak.Check(m.Run()))
}

// TestFaults is a short form of make replicas: the same rig, and those faults that need not wait
// for the end of a lease.
func TestFaults(t *testing.T) {
	t.Parallel()
	postgrestest.Need(t)
	if testing.Short() {
		t.Skip("it takes some time, and make replicas more")
	}
	fever, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []scenario{
		{name: "connections", play: func(ctx context.Context, r *rig) error {
			for n, step := range []func(x *replica) error{
				func(x *replica) error { return r.unanswered(ctx, x, false, postgrestest.Close) },
				func(x *replica) error { return r.unanswered(ctx, x, false, postgrestest.Reset) },
				func(x *replica) error { return r.unanswered(ctx, x, true, postgrestest.Close) },
				func(*replica) error { return r.restarted(ctx, postgrestest.Killed, time.Second) },
				func(*replica) error {
					return r.network(ctx, "the network of all is cut for 2s", postgrestest.Cut, 2*time.Second, r.replicas...)
				},
				func(x *replica) error { return r.stopped(ctx, x) },
				func(x *replica) error { return r.killed(ctx, x, inCommit) },
				func(x *replica) error { return r.reset(ctx, x) },
			} {
				if err := step(r.replicas[n%len(r.replicas)]); err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "promote", play: promote, options: options{standby: synchronous}},
		{name: "behind", play: behind, options: options{standby: asynchronous}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := s.run(t.Context(), &out, fever, t.TempDir()); err != nil {
				t.Errorf("%v\n%s", err, &out)
			}
		})
	}
}

// TestFeeds asks for versions, which their length tells, holds a replica's requests, and freezes.
func TestFeeds(t *testing.T) {
	t.Parallel()
	f := newFeeds()
	get := func(replica string, p int) (version int) {
		env, stop, err := f.through(t.Context(), replica)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer stop()
		proxy, err := url.Parse(strings.TrimPrefix(env[0], "HTTP_PROXY="))
		if err != nil {
			t.Error(err)
			return 0
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyURL(proxy)}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+feedsHost+"/"+providerName(p), http.NoBody)
		if err != nil {
			t.Error(err)
			return 0
		}
		response, err := client.Do(request)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if version = versionOf(int64(len(body))); err != nil || !strings.Contains(string(body), fmt.Sprintf("version %d\"", version)) {
			t.Errorf("version %d, %v: %.300s", version, err, body)
		}
		return version
	}
	if got := get("r1", 0); got != 1 {
		t.Errorf("version %d", got)
	}
	release := f.hold("r1")
	held := make(chan int)
	f.forget()
	go func() { held <- get("r1", 0) }()
	if q, err := f.await(t.Context(), func(q request) bool { return q.replica == "r1" }); err != nil || q.p != 0 {
		t.Errorf("%+v, %v", q, err)
	}
	if got := get("r2", 0); got != 3 {
		t.Errorf("version %d while another replica waits", got)
	}
	release()
	if got := <-held; got != 2 {
		t.Errorf("version %d for who has waited", got)
	}
	if last := f.freeze(true); last != (versions{4, 1, 1}) || get("r1", 0) != 4 || get("r2", 0) != 4 || f.versions() != last {
		t.Errorf("the last versions are %v, and then %v", last, f.versions())
	}
}

// nothing is the answer while nothing was collected.
const nothing = `{"data":{"events":[]},"error":null}`

// answerOf returns an answer in which events of the provider p are of the versions.
func answerOf(p int, of func(event int) int) []byte {
	var b strings.Builder
	for i := range events {
		version := of(i)
		if version == 0 {
			continue
		}
		o := occurrenceOf(p, i, version)
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"title":%q,"start_date":%q,"start_time":%q,"end_date":%q,"end_time":%q}`, o.title, o.start[:10], o.start[11:], o.end[:10], o.end[11:])
	}
	return []byte(`{"data":{"events":[` + b.String() + `]},"error":null}`)
}

// after returns the version of an event when versions were applied one after the other.
func after(versions ...int) func(int) int {
	return func(event int) (of int) {
		for _, version := range versions {
			if shows(event, version) {
				of = version
			}
		}
		return of
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer []byte
		wrong  string
		want   versions
	}{
		"nothing":      {[]byte(nothing), "", versions{}},
		"one version":  {answerOf(1, after(3)), "", versions{0, 3, 0}},
		"two versions": {answerOf(2, after(3, 14)), "", versions{0, 0, 14}},
		"mixed":        {answerOf(0, func(event int) int { return 3 + event%2 }), "beside version 4", versions{}},
		"half": {answerOf(0, func(event int) int {
			if event > 50 || !shows(event, 3) {
				return 0
			}
			return 3
		}), "events of version 3", versions{}},
		"other values": {[]byte(strings.Replace(string(answerOf(0, after(3))), "2030-01-01", "2030-01-02", 1)), "is not", versions{}},
		"no JSON":      {[]byte("x"), "no JSON", versions{}},
		"no data":      {[]byte("{}"), "without data", versions{}},
	} {
		got, err := whole(test.answer)
		if test.wrong == "" && (err != nil || got != test.want) || test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestLook shows answers one after the other.
func TestLook(t *testing.T) {
	t.Parallel()
	var s searches
	for _, step := range []struct {
		tag   string
		body  []byte
		wrong string
	}{
		{"", []byte(nothing), ""},
		{"a", answerOf(0, after(3)), ""},
		{"a", answerOf(0, after(3)), ""},
		{"a", answerOf(0, after(4)), "differ"},
		{"", []byte(nothing), "without an entity tag"},
		{"b", answerOf(0, after(3, 5)), ""},
		{"c", answerOf(0, after(3, 4)), "after version 5"},
	} {
		if err := s.look(step.body, step.tag); step.wrong == "" && err != nil || step.wrong != "" && (err == nil || !strings.Contains(err.Error(), step.wrong)) {
			t.Errorf("%q: %v", step.tag, err)
		}
	}
	s.shown = versions{6}
	s.allow()
	if err := s.look(answerOf(0, after(3)), "d"); err != nil || s.went != 1 {
		t.Errorf("it went back %d times: %v", s.went, err)
	}
	if err := s.look(answerOf(0, after(2)), "e"); err == nil {
		t.Error("it goes back again")
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	var records []record
	of := after(3, 4)
	for i := range events {
		o := occurrenceOf(0, i, of(i))
		records = append(records, record{Provider: "p0", BaseID: fmt.Sprint(i), Title: o.title, Start: o.start, End: o.end, Current: of(i) == 4})
	}
	if err := compare(records, [providers][]int{{3, 4}}); err != nil {
		t.Error(err)
	}
	for name, applied := range map[string][providers][]int{
		"another one came later": {{3, 4, 5}},
		"the first is missing":   {{4}},
		"one of another":         {{3, 4}, {1}},
	} {
		if compare(records, applied) == nil {
			t.Errorf("%s, and nothing is wrong", name)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	all := func() []scenario { return scenarios(1, 1, "") }
	usual, err := choose(all(), "")
	if err != nil || len(usual) == 0 || len(usual) == len(all()) {
		t.Errorf("%d scenarios of %d, %v", len(usual), len(all()), err)
	}
	two, err := choose(all(), "torture,kill")
	if err != nil || len(two) != 2 || two[0].name != "torture" || two[1].name != "kill" {
		t.Errorf("chosen %v, %v", two, err)
	}
	if _, err := choose(all(), "kill,x"); err == nil {
		t.Error("x is chosen")
	}
}

// TestSearches searches a process that answers, that does not, and that is not to be asked.
func TestSearches(t *testing.T) {
	t.Parallel()
	answer := answerOf(0, after(3))
	address, stop, err := harness.Listen(t.Context(), "", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"a"`)
		_, _ = w.Write(answer)
	}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	var s searches
	began, done := time.Now(), make(chan struct{})
	transport := &http.Transport{DisableKeepAlives: true}
	s.once(ctx, transport, began)
	s.ask(address)
	s.once(ctx, transport, began)
	if len(s.took) != 1 || len(s.failed) != 0 || s.now() != (versions{3}) || len(s.renewed) != 1 {
		t.Errorf("searches %+v", s.took)
	}
	stop()
	s.once(ctx, transport, began)
	if len(s.took) != 2 || len(s.failed) != 1 {
		t.Errorf("failures %+v", s.failed)
	}
	if before := s.ask(""); before != address || s.asked() {
		t.Errorf("asked at %q before", before)
	}
	go func() { defer close(done); s.run(ctx, began) }()
	end()
	<-done
}

// TestDraw draws what was measured, with a gap where nobody was asked.
func TestDraw(t *testing.T) {
	t.Parallel()
	r := rig{began: time.Now().Add(-30 * time.Second), faults: []fault{{"x", 5 * time.Second, 9 * time.Second}}}
	for n := range 3 {
		x := &replica{name: fmt.Sprint("r", n)}
		for second := range 30 {
			if second < 10 || second > 20 {
				at := time.Duration(second) * time.Second
				x.took = append(x.took, took{at, time.Millisecond})
				x.renewed = append(x.renewed, at)
			}
		}
		r.replicas = append(r.replicas, x)
	}
	svg := r.draw(0)
	if strings.Count(svg, "<path") != 9 || strings.Count(svg, `class="shade"`) != 1 || strings.Contains(svg, "NaN") {
		t.Error(svg)
	}
}

func TestGrown(t *testing.T) {
	t.Parallel()
	r := rig{out: io.Discard}
	const mib = 1 << 20
	even := []sample{{1 * mib, mib}, {30 * mib, 40 * mib}, {31 * mib, 40 * mib}, {90 * mib, 41 * mib}, {30 * mib, 39 * mib}, {80 * mib, 90 * mib}}
	if err := r.grown(even); err != nil {
		t.Error(err)
	}
	for _, last := range []sample{{80 * mib, 40 * mib}, {30 * mib, 90 * mib}} {
		if r.grown(append(even[:4:4], last, last)) == nil {
			t.Errorf("%+v has not grown", last)
		}
	}
}
