//go:build unix

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fever/internal/leak"
)

func TestMain(m *testing.M) {
	os.Exit(leak.Check(m.Run()))
}

// TestCheck shows that what is wrong with an answer is found.
func TestCheck(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tr := &trial{witness: &witness{known: map[string]*given{
		`"new"`: {body: "new", last: now},
		`"old"`: {body: "old", last: now.Add(-maxAge - staleAsked - lenient - time.Second)},
	}}}
	good := observation{response: response{asked: now, status: http.StatusOK, tag: `"new"`, body: "new"}, coding: "identity"}
	for _, test := range []struct {
		want string // "": nothing is wrong
		with func(o *observation)
	}{
		{"", func(*observation) {}},
		{"", func(o *observation) { o.coding, o.response.coding, o.tag = "gzip", "gzip", `W/"new"` }},
		{"", func(o *observation) { o.status, o.sent, o.tag, o.body = http.StatusNotModified, `W/"new"`, "", "" }},
		{"", func(o *observation) { o.age = "4" }},
		{"", func(o *observation) { o.tag, o.body, o.phase = `"old"`, "old", isDead }},
		{"has not given it", func(o *observation) { o.tag, o.body = `"old"`, "old" }},
		{"has not given it", func(o *observation) { o.status, o.sent, o.tag, o.body = http.StatusNotModified, `"old"`, "", "" }},
		{"not that of the tag", func(o *observation) { o.body = "old" }},
		{"never gave", func(o *observation) { o.tag = `"other"` }},
		{"never gave", func(o *observation) { o.tag = "" }},
		{"not compressed", func(o *observation) { o.coding = "gzip" }},
		{"is compressed", func(o *observation) { o.response.coding = "gzip" }},
		{"is compressed", func(o *observation) { o.coding, o.response.coding = "", "gzip" }},
		{"for nothing", func(o *observation) { o.status, o.body = http.StatusNotModified, "" }},
		{"another tag", func(o *observation) { o.status, o.sent, o.body = http.StatusNotModified, `"old"`, "" }},
		{"with a body", func(o *observation) { o.status, o.sent = http.StatusNotModified, `"new"` }},
		{"Age is 60", func(o *observation) { o.age = "60" }},
		{"Age is x", func(o *observation) { o.age = "x" }},
	} {
		o := good
		test.with(&o)
		if _, err := tr.check(&o); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", o, err, test.want)
		}
	}
}

// TestWitness shows that a witness waits for the first feed, also where the index has it a moment
// before answers get a tag, and that it finds what is wrong with an answer of fever.
func TestWitness(t *testing.T) {
	t.Parallel()
	all := strings.Repeat(`"id"`, eventsEach)
	var answers []response
	fever := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if answers[0].tag != "" {
			w.Header().Set("Etag", answers[0].tag)
		}
		w.WriteHeader(answers[0].status)
		_, _ = w.Write([]byte(answers[0].body))
		answers = answers[1:]
	}))
	defer fever.Close()
	for _, test := range []struct {
		want    string // "": nothing is wrong
		answers []response
	}{
		{"", []response{{status: 200}, {status: 200, body: all}, {status: 200, tag: `"a"`, body: all}, {status: 200, tag: `"b"`, body: "b" + all}, {status: 200, tag: `"a"`, body: all}}},
		{"answers 503", []response{{status: 200}, {status: 503}}},
		{"0 events", []response{{status: 200}, {status: 200, tag: `"a"`}}},
		{"without a tag", []response{{status: 200, tag: `"a"`, body: all}, {status: 200, body: all}}},
		{"two answers the tag", []response{{status: 200, tag: `"a"`, body: all}, {status: 200, tag: `"a"`, body: "b" + all}}},
	} {
		answers = test.answers
		w, err := newWitness(t.Context(), fever.Listener.Addr().String())
		for err == nil && len(answers) > 0 {
			err = w.look(t.Context(), changing)
		}
		if len(answers) > 0 || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, and %d answers are left: want %q", err, len(answers), test.want)
		}
	}
}

// TestStart shows that a program that ends instead of listening is not waited for, and
// what it said is told.
func TestStart(t *testing.T) {
	t.Parallel()
	settings := t.TempDir()
	if err := os.WriteFile(filepath.Join(settings, "sh.conf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const address = "127.0.0.1:0" // nobody listens there
	p := program{name: "shell", binary: "sh", file: "sh.conf", args: []string{"-c", "echo FILE is wrong; exit 1"}}
	process, err := p.start(t.Context(), filepath.Join(t.TempDir(), "sh"), settings, address, address)
	if process == nil {
		t.Fatal(err)
	}
	if err == nil || !strings.Contains(err.Error(), "it has ended") || !strings.Contains(err.Error(), "sh/settings is wrong") {
		t.Errorf("got %v", err)
	}
	if err := process.end(); err != nil {
		t.Error(err)
	}
}

// TestFolder holds that the folder which is replaced here can be made where the settings are
// used as they are: nginx makes no folder around it, and packages differ in those they have.
func TestFolder(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/caches/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile(`(?m)^proxy_cache_path (\S+) `).FindSubmatch(text)
	if path == nil || filepath.Dir(string(path[1])) != "/var/cache" {
		t.Errorf("it is %q", path)
	}
}

// TestJudge shows that what caches do not do is found, too.
func TestJudge(t *testing.T) {
	t.Parallel()
	at := func(status int, p phase) observation {
		return observation{response: response{status: status}, phase: p}
	}
	tr := &trial{program: program{asksTag: true, hidesDeath: true}, witness: &witness{}, seen: []observation{
		at(503, up), at(503, refuses), at(502, isDead), at(500, changeover),
	}}
	tr.upstream.Store(1)
	faults := strings.Join(tr.judge().faults, "\n")
	for _, want := range []string{"(0): 503", "(2): 502", "stores too little", "asked fever with a tag 0 times"} {
		if !strings.Contains(faults, want) {
			t.Errorf("%q is not found in:\n%s", want, faults)
		}
	}
	if strings.Count(faults, "\n") != 3 {
		t.Errorf("more is found than is wrong:\n%s", faults)
	}
}
