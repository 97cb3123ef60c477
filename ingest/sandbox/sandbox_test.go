package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fever/event"
	"fever/internal/leak"
	"fever/provider"
	"fever/provider/feed"
	"fever/provider/feed/dump"
	"fever/provider/feed/feverup"
	"fever/provider/feed/ical"
	"fever/provider/feed/mapped"
	"fever/provider/feed/rpde"
	"fever/provider/feed/schemaorg"
	"fever/provider/inspect"
	"fever/store"
)

const (
	decodes  = "decode"  // the argument that makes the tests a child
	lax      = "lax"     // ... one that is not confined
	attempts = "attempt" // ... and one that tries what it must not do
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && (os.Args[1] == decodes || os.Args[1] == lax) {
		if err := Serve(os.Stdin, os.NewFile(3, "answers"), os.Stdout, providerOf, confine()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) == 4 && os.Args[1] == attempts {
		attempt(os.Args[2], os.Args[3])
		os.Exit(0)
	}
	os.Exit(leak.Check(m.Run()))
}

// confine is Confine, which fails where a test says so.
func confine() error {
	if os.Args[1] == lax {
		return errors.New("nothing is confined")
	}
	return Confine()
}

// providers are those of the tests, by their recipes: of each format, and some with bugs.
var providers = map[string]provider.Config{
	"feverup":    {Format: feverup.New(0)},
	"fever":      {Format: dump.New()},
	"ical":       {Format: ical.New()},
	"schema-org": {Format: schemaorg.New(), Pages: &provider.Pages{Follow: provider.FollowLink}},
	"rpde":       {Format: rpde.New([]string{"superEvent"}), Tables: []provider.Table{{Name: "superEvent", URL: "https://leisure.example/series"}}},
	"cursor":     {Format: dump.New(), Pages: &provider.Pages{Cursor: ".next", Parameter: "after"}},
	"map":        {Format: must(mapped.New(mapped.Mapping{To: `{base_id: .id, event_id: .id, title: .name, start: .at}`}))},
	"panics":     broken(func(*feed.Document, *feed.Builder) error { panic("a bug") }),
	"loops": broken(func(*feed.Document, *feed.Builder) error {
		for n := 0; ; n++ { // it never asks whether its time is over
			endless.n = n
		}
	}),
	"hogs": broken(func(*feed.Document, *feed.Builder) error {
		for {
			hoard = append(hoard, make([]byte, 64<<20)) // the system gives no page that is not used
		}
	}),
	"overflows": broken(func(*feed.Document, *feed.Builder) error { return fmt.Errorf("depth %d", deeper(1)) }),
	"asks": broken(func(doc *feed.Document, _ *feed.Builder) error {
		for doc.Parent != nil {
			if _, err := doc.Parent(strings.Repeat("x", 1<<20)); err != nil {
				return err
			}
		}
		return nil
	}),
	"leaves": broken(func(_ *feed.Document, b *feed.Builder) error { // the rest of the document
		b.Ignore(1)
		return nil
	}),
	"refuses": broken(func(*feed.Document, *feed.Builder) error { return feed.Errorf(feed.KindDecode, "it is not a feed") }),
	"exits": broken(func(*feed.Document, *feed.Builder) error {
		os.Exit(7)
		return nil
	}),
}

var (
	endless struct{ n int }
	hoard   [][]byte
)

func deeper(n int) int {
	if n < 0 {
		return 0
	}
	var room [1024]int
	room[n%1024] = deeper(n + 1)
	return room[(n+1)%1024] + room[n%1024]
}

func broken(decode func(*feed.Document, *feed.Builder) error) provider.Config {
	return provider.Config{Format: feed.Format{Name: "broken", Decode: decode}}
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

func providerOf(recipe []byte) (*provider.Provider, error) {
	c, ok := providers[string(recipe)]
	if !ok {
		return nil, errors.New("no such provider")
	}
	c.Name, c.URL, c.Timeout, c.MaxBytes = "p", "https://leisure.example/feed", time.Minute, 1<<30
	return provider.New(c)
}

// newSandbox returns a sandbox for one of the providers, which ends with the test, and its log.
func newSandbox(t *testing.T, name string) (*Sandbox, *bytes.Buffer) {
	p, err := providerOf([]byte(name))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := &Sandbox{Provider: p, Recipe: []byte(name), Command: []string{decodes}, Log: slog.New(slog.NewTextHandler(&log, nil))}
	t.Cleanup(s.Close)
	return s, &log
}

// document makes a document of a text, as a file.
func document(t *testing.T, p *provider.Provider, text io.Reader) *feed.Document {
	doc, err := p.Read(t.Context(), io.NopCloser(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	doc.Page.Began = time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC)
	return doc
}

// TestDecode compares the feeds that a sandbox makes with those that are made in the process, for
// documents of all formats: with what is stored of none, of some and of all events.
func TestDecode(t *testing.T) {
	t.Parallel()
	for format, pattern := range map[string]string{
		"feverup":    "../../testdata/feeds/*.xml",
		"fever":      "../../provider/feed/dump/testdata/*.ndjson",
		"ical":       "../../provider/feed/ical/testdata/*.ics",
		"schema-org": "../../provider/feed/schemaorg/testdata/*.*",
		"rpde":       "../../provider/feed/rpde/testdata/*.json",
		"map":        "../../provider/feed/mapped/testdata/stream.ndjson",
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s, log := newSandbox(t, format)
			names, err := filepath.Glob(pattern)
			if err != nil || len(names) == 0 {
				t.Fatal(len(names), err)
			}
			for _, name := range names {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				for _, every := range []int{0, 1, 2} {
					compareFeeds(t, s, text, every)
				}
			}
			if log.Len() > 0 {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// compareFeeds decodes a document here and in a sandbox, when each so manieth event is stored as it is.
func compareFeeds(t *testing.T, s *Sandbox, text []byte, every int) {
	t.Helper()
	asked := 0
	newDocument := func() *feed.Document {
		doc := document(t, s.Provider, bytes.NewReader(text))
		if s.Provider.Format.Again != nil {
			doc.Parent = func(name string) ([]byte, error) {
				asked++
				if asked%3 == 0 {
					return nil, nil
				}
				return fmt.Appendf(nil, `{"id":%q,"name":"of a series"}`, name), nil
			}
		}
		return doc
	}
	plain, wantErr := s.Provider.Decode(newDocument())
	var digests store.Digests
	if wantErr == nil && every > 0 && !s.Provider.Format.Changes {
		var enc store.Encoder
		for i := range plain.Events {
			if i%every == 0 {
				e := &plain.Events[i]
				if err := digests.Add(e.Bytes(), store.DigestOf(enc.Encode(e))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	decode := func(decode func(*feed.Document) (*feed.Feed, error)) (*feed.Feed, error) {
		asked = 0
		doc := newDocument()
		doc.Progress = new(feed.Progress)
		if len(digests.All) > 0 {
			doc.Stored, doc.Latest = digests.Find, digests.All
		}
		got, err := decode(doc)
		if err == nil && doc.Progress.Rows.Load() < int64(got.Seen) { // more, if an item came again
			t.Errorf("the progress has %d rows, and the feed %d", doc.Progress.Rows.Load(), got.Seen)
		}
		return got, err
	}
	want, wantErr := decode(s.Provider.Decode)
	got, err := decode(s.Decode)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("error %v, want %v", err, wantErr)
	}
	if err != nil {
		failure, wanted := new(feed.Error), new(feed.Error)
		if !errors.As(err, &failure) || !errors.As(wantErr, &wanted) {
			t.Fatalf("not failures: %v and %v", err, wantErr)
		}
		a, b := *failure, *wanted
		a.Err, b.Err = nil, nil
		if a != b {
			t.Fatalf("failure %+v, want %+v", a, b)
		}
		return
	}
	if len(digests.All) > 0 && len(got.Unchanged) == 0 {
		t.Error("no event is found to be as it is stored")
	}
	if !slices.Equal(got.Unchanged, want.Unchanged) {
		t.Errorf("%d events are unchanged, want %d", len(got.Unchanged), len(want.Unchanged))
	}
	encode := func(f *feed.Feed) (all []feed.Encoded) {
		var enc store.Encoder
		for past, events := range map[bool][]event.Event{false: f.Events, true: f.Past} {
			for i := range events {
				values := bytes.Clone(enc.Encode(&events[i]))
				all = append(all, feed.Encoded{Stored: feed.Stored{Key: events[i].Key, Digest: store.DigestOf(values)}, Values: values, Past: past})
			}
		}
		all = append(all, f.Encoded...)
		slices.SortStableFunc(all, func(a, b feed.Encoded) int {
			if a.Past == b.Past {
				return 0
			}
			return map[bool]int{false: -1, true: 1}[a.Past]
		})
		return all
	}
	if events, wanted := encode(got), encode(want); !reflect.DeepEqual(events, wanted) {
		t.Errorf("events %v, want %v", events, wanted)
	}
	for _, f := range []*feed.Feed{got, want} {
		f.Events, f.Past, f.Encoded, f.Unchanged = nil, nil, nil, nil
	}
	if a, b := fmt.Sprintf("%+v %+v", got.Next, *got), fmt.Sprintf("%+v %+v", want.Next, *want); !reflect.DeepEqual(got, want) && a != b {
		t.Errorf("feed\n%s\nwant\n%s", a, b)
	}
}

// TestPages has one child decode the pages of a feed, and read where it goes on.
func TestPages(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "cursor")
	for n := range 3 {
		doc := document(t, s.Provider, strings.NewReader(fmt.Sprintf(`{"base_id":"%d","event_id":"1","title":"T","start":"2027-01-01T00:00:00","next":"c %d"}`, n, n)))
		got, err := s.Decode(doc)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Events) != 1 || got.Encoded != nil || got.Events[0].BaseID != fmt.Sprint(n) {
			t.Errorf("page %d: %+v", n, got)
		}
		if got.Next == nil || got.Next.URL.Query().Get("after") != fmt.Sprintf("c %d", n) {
			t.Errorf("page %d: the next is %+v", n, got.Next)
		}
	}
}

// TestChild decodes with programs that have bugs: each costs the document, and the next one is decoded.
func TestChild(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		kind feed.Kind
		text string
	}{
		"panics":    {feed.KindInternal, "the process that decodes has ended: panic: a bug"},
		"overflows": {feed.KindInternal, "the process that decodes has ended: fatal error: stack overflow"},
		"hogs":      {feed.KindTooLarge, "decoding it needs more than 4096 MiB of memory"},
		"exits":     {feed.KindInternal, "the process that decodes has ended: exit status 7"},
		"refuses":   {feed.KindDecode, "it is not a feed"},
	}
	if raced() { // the race detector has an end of its own for those who find no memory
		delete(cases, "hogs")
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, log := newSandbox(t, name)
			for _, asks := range questions(s) {
				err := asks(document(t, s.Provider, endlessText(3<<20)))
				failure, ok := errors.AsType[*feed.Error](err)
				if !ok || failure.Kind != want.kind || !strings.Contains(err.Error(), want.text) || failure.Provider != "p" || failure.Op != "read a document" {
					t.Fatalf("error %v (%+v), want %s: %s", err, failure, want.kind, want.text)
				}
			}
			if logged := log.Len() > 0; logged != (name != "refuses") {
				t.Errorf("the log says %q", log)
			}
		})
	}
}

// questions returns what a sandbox can be asked of a document. Of one that cannot be read to its end a
// trial says so itself.
func questions(s *Sandbox) []func(*feed.Document) error {
	return []func(*feed.Document) error{
		func(doc *feed.Document) error { _, err := s.Decode(doc); return err },
		func(doc *feed.Document) error {
			found, err := s.Find(doc, make([]inspect.Wanted, 2))
			if len(found) != 2 || found[0] != (inspect.Found{}) {
				return fmt.Errorf("found %+v", found)
			}
			return err
		},
		func(doc *feed.Document) error {
			trial, err := s.Try(doc, 1, 0)
			if err == nil && trial.Error != "" {
				return &feed.Error{Provider: "p", Kind: feed.KindDecode, Op: "read a document", Err: errors.New(trial.Error)}
			}
			return err
		},
	}
}

// raced reports whether the tests were built with the race detector.
func raced() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// endlessText returns n bytes.
func endlessText(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestChatty has a program ask for rows of tables without end. What a person may ask is bounded.
func TestChatty(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "asks")
	for range 2 {
		doc := document(t, s.Provider, endlessText(1))
		doc.Parent = func(string) ([]byte, error) { return nil, nil }
		_, err := s.Find(doc, make([]inspect.Wanted, 1))
		if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindTooLarge || !strings.Contains(err.Error(), "has said more than 64 MiB") {
			t.Fatalf("error %v", err)
		}
	}
}

// TestLongTrial has a program make more of a document than a trial may tell.
func TestLongTrial(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "map")
	text := fmt.Sprintf(`{"id":"1","name":"T","at":"2027-01-01T00:00:00","texts":[%s""]}`, strings.Repeat(`"`+strings.Repeat("x", 997)+`",`, maxTrial/900))
	for whole, want := range []string{"", "has more than 8 MiB"} {
		_, err := s.Try(document(t, s.Provider, strings.NewReader(text)), 1, whole)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("row %d: error %v, want %q", whole, err, want)
		}
	}
}

// TestLook compares what a sandbox finds in documents of all formats, and what it says of their rows,
// with what is found and said in the process.
func TestLook(t *testing.T) {
	t.Parallel()
	for format, name := range map[string]string{
		"feverup":    "../../testdata/feeds/event-list-2.xml",
		"fever":      "../../provider/feed/dump/testdata/several.ndjson",
		"ical":       "../../provider/feed/ical/testdata/community.ics",
		"schema-org": "../../provider/feed/schemaorg/testdata/page.html",
		"rpde":       "../../provider/feed/rpde/testdata/sessions.json",
		"map":        "testdata/rows.ndjson",
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range [][]byte{text, text[:len(text)*3/4]} { // also cut short
				s, log := newSandbox(t, format)
				compareLooks(t, s, text)
				if log.Len() > 0 {
					t.Errorf("the log says %s", log)
				}
			}
		})
	}
}

func compareLooks(t *testing.T, s *Sandbox, text []byte) {
	t.Helper()
	p := s.Provider
	newDocument := func() *feed.Document {
		doc := document(t, p, bytes.NewReader(text))
		if p.Format.Again != nil {
			doc.Parent = func(name string) ([]byte, error) {
				return fmt.Appendf(nil, `{"data":{"id":%q,"name":"of a series"}}`, name), nil
			}
		}
		return doc
	}
	rows := inspect.New(3)
	rows.Number, rows.Reads = 2, p.Format.Reads
	var wanted []inspect.Wanted
	doc := newDocument()
	doc.Trace = func(r *feed.Row) {
		rows.Trace(r)
		for i := range r.Events {
			key := r.Events[i].Key
			wanted = append(wanted, inspect.Wanted{ID: key.ID()}, inspect.Wanted{Keys: []event.Key{key}, Kept: true})
		}
		for _, i := range r.Ignored {
			wanted = append(wanted, inspect.Wanted{Keys: []event.Key{{Provider: p.Name, BaseID: i.BaseID, EventID: i.EventID}}})
		}
		for _, r := range r.Rejections {
			if r.BaseID+r.EventID == "" {
				continue
			}
			wanted = append(wanted, inspect.Wanted{Keys: []event.Key{{Provider: p.Name, BaseID: r.BaseID, EventID: r.EventID}}})
		}
	}
	got, failed := p.Decode(doc)
	want := rows.Trial(got, failed, p.Location, time.Now())
	if len(wanted) == 0 && failed == nil {
		t.Fatalf("%d rows are wanted, of %+v", len(wanted), want)
	}
	trial, err := s.Try(newDocument(), 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := json.Marshal(trial)
	b, err2 := json.Marshal(want)
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(a, b) {
		t.Errorf("%s, %v\nwant %s", a, err, b)
	}
	for i := range trial.List {
		if a, b := trial.List[i].Cells(), want.List[i].Cells(); !slices.Equal(a, b) {
			t.Errorf("row %d is shown as %q, want %q", i+1, a, b)
		}
	}
	sightings, wantErr := inspect.Find(newDocument(), p.Format, p.Name, p.Location, wanted)
	found, err := s.Find(newDocument(), wanted)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || !slices.Equal(found, sightings) ||
		slices.ContainsFunc(found, func(f inspect.Found) bool { return f.Fate == "" }) {
		t.Errorf("found %+v, %v\nwant %+v, %v", found, err, sightings, wantErr)
	}
}

// TestExpired ends a document in the middle of a program that never ends.
func TestExpired(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "loops")
	done := make(chan struct{})
	doc := document(t, s.Provider, endlessText(3<<20))
	doc.Done, doc.Expired = done, func() error { return feed.Errorf(feed.KindCanceled, "it is over") }
	doc.Body = &reading{ReadCloser: doc.Body, first: func() { close(done) }}
	_, err := s.Decode(doc)
	if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindCanceled || !strings.Contains(err.Error(), "it is over") {
		t.Fatalf("error %v", err)
	}
	if s.child != nil {
		t.Error("the child is still there")
	}
}

// reading calls first before the first read.
type reading struct {
	io.ReadCloser

	first func()
}

func (r *reading) Read(p []byte) (int, error) {
	if r.first != nil {
		r.first()
		r.first = nil
	}
	return r.ReadCloser.Read(p)
}

// TestRest has a format stop before the end of the document: the next document is decoded all the same.
func TestRest(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "leaves")
	for range 3 {
		got, err := s.Decode(document(t, s.Provider, endlessText(5<<20)))
		if err != nil || got.Ignored != 1 {
			t.Fatal(got, err)
		}
	}
}

// TestBodyFails has the body of a document fail: the error is that of the body.
func TestBodyFails(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "feverup")
	doc := document(t, s.Provider, strings.NewReader(""))
	doc.Body = io.NopCloser(io.MultiReader(strings.NewReader("<planList><output>"), failing{}))
	_, err := s.Decode(doc)
	if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindTimeout || !failure.Whole || !strings.Contains(err.Error(), "too slow") {
		t.Fatalf("error %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) {
	return 0, &feed.Error{Kind: feed.KindTimeout, Err: errors.New("too slow"), Whole: true}
}

// TestParentFails has the question for a row of a table fail.
func TestParentFails(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "rpde")
	text, err := os.ReadFile("../../provider/feed/rpde/testdata/sessions.json")
	if err != nil {
		t.Fatal(err)
	}
	doc := document(t, s.Provider, bytes.NewReader(text))
	doc.Parent = func(string) ([]byte, error) {
		return nil, &feed.Error{Kind: feed.KindStore, Err: errors.New("no disk")}
	}
	_, err = s.Decode(doc)
	if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindStore {
		t.Fatalf("error %v", err)
	}
}

// TestAgain decodes rows of tables again, as the provider does.
func TestAgain(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "rpde")
	text, err := os.ReadFile("../../provider/feed/rpde/testdata/sessions.json")
	if err != nil {
		t.Fatal(err)
	}
	parent := func(string) ([]byte, error) { return []byte(`{"id":"1","name":"of a series"}`), nil }
	doc := document(t, s.Provider, bytes.NewReader(text))
	doc.Parent = parent
	page, err := s.Provider.Decode(doc)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]byte
	for _, item := range page.Items {
		if item.Row != nil {
			rows = append(rows, item.Row)
		}
	}
	if len(rows) == 0 {
		t.Fatal("no row has a parent")
	}
	want, err := s.Provider.DecodeAgain(rows, parent)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Again(rows, parent)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Items) != len(want.Items) || !reflect.DeepEqual(got.Items, want.Items) {
		t.Errorf("items %+v, want %+v", got.Items, want.Items)
	}
}

// TestParentDies closes what a child reads from in the middle of a program that never ends, as the
// system does when the parent is killed. The child ends by itself.
func TestParentDies(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "loops")
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	p := s.child
	s.child = nil
	for _, m := range []toChild{{Recipe: s.Recipe}, {Header: &header{Op: "read"}}, {End: &ending{}}} {
		if err := p.in.Encode(&m); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(p.stdin.Close(), p.pipe.Close()); err != nil {
		t.Fatal(err)
	}
	var ended interface{ ExitCode() int }
	if err := p.cmd.Wait(); !errors.As(err, &ended) || ended.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
}

// TestMessages gives a child messages in a wrong order, or none that it can read.
func TestMessages(t *testing.T) {
	t.Parallel()
	for name, messages := range map[string][]toChild{
		"a document without a recipe": {{Header: &header{Op: "read"}}},
		"an end of nothing":           {{Recipe: []byte("fever")}, {End: &ending{}}},
		"an unknown recipe":           {{Recipe: []byte("none")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newSandbox(t, "fever")
			if err := s.start(); err != nil {
				t.Fatal(err)
			}
			for _, m := range messages {
				_ = s.child.in.Encode(&m) // the child may be gone
			}
			var ended interface{ ExitCode() int }
			if err := s.child.cmd.Wait(); !errors.As(err, &ended) || ended.ExitCode() != 1 {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// TestKilled kills the child, as the system does when there is no memory.
func TestKilled(t *testing.T) {
	t.Parallel()
	s, _ := newSandbox(t, "loops")
	doc := document(t, s.Provider, endlessText(3<<20))
	doc.Body = &reading{ReadCloser: doc.Body, first: func() {
		if err := syscall.Kill(s.child.cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}}
	_, err := s.Decode(doc)
	if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindTooLarge || !strings.Contains(err.Error(), "was killed") {
		t.Fatalf("error %v", err)
	}
}

// TestUnconfined has a child that could not give up its rights decode, and say so once.
func TestUnconfined(t *testing.T) {
	t.Parallel()
	s, log := newSandbox(t, "leaves")
	s.Command = []string{lax}
	for range 2 {
		if _, err := s.Decode(document(t, s.Provider, endlessText(10))); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if n := strings.Count(log.String(), "nothing is confined"); n != 1 {
		t.Errorf("the log says %q", log)
	}
}

// TestProviders makes all providers, as a child does that knows their recipes alone.
func TestProviders(t *testing.T) {
	t.Parallel()
	for name := range maps.Keys(providers) {
		if _, err := providerOf([]byte(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := providerOf([]byte("none")); err == nil {
		t.Error("an unknown provider is there")
	}
}
