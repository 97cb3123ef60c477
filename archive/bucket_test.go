package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// A storage is an object store with a bucket.
type storage struct {
	server  *httptest.Server
	objects http.Handler

	mu   sync.Mutex
	hook func(http.ResponseWriter, *http.Request) bool // it has answered
}

func newStorage(tb testing.TB) *storage {
	tb.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("kept"); err != nil {
		tb.Fatal(err)
	}
	s := &storage{objects: gofakes3.New(backend).Server()}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		hook := s.hook
		s.mu.Unlock()
		if hook == nil || !hook(w, r) {
			s.objects.ServeHTTP(w, r)
		}
	}))
	tb.Cleanup(s.server.Close)
	return s
}

// on has a hook see each request.
func (s *storage) on(hook func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// bucket returns the bucket as another process has it.
func (s *storage) bucket(t *testing.T) *Bucket {
	t.Helper()
	b, err := newBucket(t.Context(), "s3://kept/some/where/")
	if err != nil {
		t.Fatal(err)
	}
	b.rest = 0
	t.Cleanup(func() { _ = b.Close() }) // it holds nothing but copies
	return b
}

// writer returns an archive as another process has it.
func (s *storage) writer(t *testing.T) *Archive {
	t.Helper()
	a, err := Open(s.bucket(t), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() }) // it may be closed already
	return a
}

// bucketTest sets what the client reads from its environment.
func bucketTest(t *testing.T) *storage {
	t.Helper()
	s := newStorage(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": s.server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "very secret",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": t.TempDir() + "/none", "AWS_SHARED_CREDENTIALS_FILE": t.TempDir() + "/none",
	} {
		t.Setenv(name, value)
	}
	return s
}

// keys returns the names of all objects.
func (s *storage) keys(t *testing.T) (keys []string) {
	t.Helper()
	if err := s.bucket(t).list(t.Context(), "", "", "", func(key string, _ int64, _ time.Time) { keys = append(keys, key) }); err != nil {
		t.Fatal(err)
	}
	return keys
}

// bodies returns those of a provider, as a process that has just started reads them, and the documents.
func (s *storage) bodies(t *testing.T, provider string) (bodies []string, docs []Document) {
	t.Helper()
	for doc, err := range Documents(t.Context(), s.bucket(t), provider) {
		if err != nil {
			t.Fatal(err)
		}
		in, err := doc.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close()); err != nil {
			t.Fatal(err)
		}
		bodies, docs = append(bodies, string(body)), append(docs, doc)
	}
	return bodies, docs
}

// try stores a document, and returns the first error of the steps.
func try(a *Archive, n uint64, body string) error {
	j := a.Begin(context.Background(), "feverup")
	w := j.Document()
	_, _ = io.WriteString(w, body)
	w.Keep(Head{Job: n, Started: time.UnixMilli(int64(n))})
	return errors.Join(j.Sync(), j.End(Outcome{At: time.UnixMilli(int64(n))}), j.Close())
}

// Jobs of several processes, in turn, write one segment, in which a piece is once. Nobody has to be closed.
func TestBucketShared(t *testing.T) {
	s := bucketTest(t)
	a, b := s.writer(t), s.writer(t)
	m := newMarket(20 << 10)
	var want []string
	for n, w := range []*Archive{a, b, a, a, b, s.writer(t)} {
		body := string(m.next(5))
		want = append(want, body)
		if err := try(w, uint64(n+1), body); err != nil {
			t.Fatal(err)
		}
	}
	got, docs := s.bodies(t, "feverup")
	if !slices.Equal(got, want) {
		t.Errorf("%d bodies", len(got))
	}
	for _, doc := range docs {
		if !doc.Outcome.Known() || doc.segment.name != docs[0].segment.name {
			t.Errorf("job %d has the outcome %v, and is in %s", doc.Job, doc.Outcome, doc.segment.path)
		}
	}
	size := docs[0].segment.size
	if err := try(b, 9, want[0]); err != nil {
		t.Fatal(err)
	}
	if _, docs = s.bodies(t, "feverup"); docs[6].segment.size > size+2000 {
		t.Errorf("a document that is known takes %d bytes", docs[6].segment.size-size)
	}
	if names, err := s.bucket(t).Providers(t.Context()); err != nil || !slices.Equal(names, []string{"feverup"}) {
		t.Errorf("providers %q, %v", names, err)
	}
}

// What another process did not come to say is said by the next one. A process that was overtaken writes nothing more.
func TestBucketOvertaken(t *testing.T) {
	s := bucketTest(t)
	a, b := s.writer(t), s.writer(t)
	if err := try(a, 1, "one"); err != nil {
		t.Fatal(err)
	}
	paused := a.Begin(t.Context(), "feverup")
	w := paused.Document()
	_, _ = io.WriteString(w, "two")
	w.Keep(Head{Job: 2, Started: time.UnixMilli(2)})
	if err := paused.Sync(); err != nil {
		t.Fatal(err)
	}
	last := b.Begin(t.Context(), "feverup")
	head, err := last.Unsettled()
	if err != nil || head == nil || head.Job != 2 {
		t.Fatalf("unsettled %+v, %v", head, err)
	}
	if err := errors.Join(last.End(Outcome{At: time.UnixMilli(2), Failure: "interrupted"}), last.Close()); err != nil {
		t.Fatal(err)
	}
	if err := paused.End(Outcome{At: time.UnixMilli(3)}); err != nil {
		t.Fatal(err)
	}
	if err := paused.Close(); !errors.Is(err, errTaken) {
		t.Errorf("the overtaken process: %v", err)
	}
	if err := errors.Join(try(b, 3, "three"), try(a, 4, "four")); err != nil {
		t.Fatal(err)
	}
	got, docs := s.bodies(t, "feverup")
	if !slices.Equal(got, []string{"one", "two", "three", "four"}) || docs[1].Outcome.Failure != "interrupted" {
		t.Errorf("%q, %+v", got, docs[1].Outcome)
	}
}

// A job without anything new leaves no object.
func TestBucketDropped(t *testing.T) {
	s := bucketTest(t)
	a := s.writer(t)
	for range 2 {
		j := a.Begin(t.Context(), "feverup")
		w := j.Document()
		_, _ = io.WriteString(w, "the same")
		w.Keep(Head{Job: 1})
		if err := errors.Join(j.Drop(), j.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if keys := s.keys(t); len(keys) > 0 {
		t.Errorf("there are %q", keys)
	}
}

// An answer that is lost was given all the same: the client asks again, and finds its own object.
func TestBucketLostAnswer(t *testing.T) {
	s := bucketTest(t)
	a := s.writer(t)
	var puts atomic.Int32
	s.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return false
		}
		if puts.Add(1) > 1 {
			return false
		}
		s.objects.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	if err := try(a, 1, "one"); err != nil {
		t.Error(err)
	}
	if got, _ := s.bodies(t, "feverup"); !slices.Equal(got, []string{"one"}) || puts.Load() < 2 {
		t.Errorf("it has %q after %d requests", got, puts.Load())
	}
}

// The server fails at any request of a job: the error is told, without a secret, and the next job is stored.
// Whatever the server has is whole.
func TestBucketAway(t *testing.T) {
	s := bucketTest(t)
	for n := range 12 {
		a := s.writer(t)
		var seen atomic.Int32
		s.on(func(w http.ResponseWriter, _ *http.Request) bool {
			if int(seen.Add(1)) <= n {
				return false
			}
			w.WriteHeader(http.StatusForbidden)
			return true
		})
		err := try(a, uint64(n+1), fmt.Sprint("document ", n))
		s.on(nil)
		if err == nil { // there are no more requests
			if n == 0 {
				t.Error("nothing was asked")
			}
			break
		}
		if !strings.Contains(err.Error(), "s3://kept/some/where") || strings.Contains(err.Error(), "secret") {
			t.Errorf("after %d requests: %v", n, err)
		}
		if err := try(a, uint64(100+n), fmt.Sprint("after ", n)); err != nil {
			t.Errorf("after %d requests: %v", n, err)
		}
		got, _ := s.bodies(t, "feverup")
		if !slices.Contains(got, fmt.Sprint("after ", n)) {
			t.Errorf("after %d requests there are %q", n, got)
		}
	}
}

// A page that a proxy gives in place of an answer is none, whichever request it is for: nothing is taken for empty,
// stored or removed. The bucket is asked again at once.
func TestBucketProxy(t *testing.T) {
	s := bucketTest(t)
	a := s.writer(t)
	a.place.(*Bucket).rest = time.Hour
	list := func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Query().Has("list-type") }
	object := func(r *http.Request) bool { return r.Method == http.MethodGet && !r.URL.Query().Has("list-type") }
	of := func(method string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method }
	}
	reads := func(*Archive) (err error) {
		for doc, failed := range Documents(t.Context(), s.bucket(t), "feverup") {
			if err = failed; err == nil {
				_, err = doc.Open(t.Context())
			}
		}
		return err
	}
	n := uint64(0)
	writes := func(a *Archive) error {
		n++
		return try(a, n, fmt.Sprint(n))
	}
	tidies := func(a *Archive) error {
		_, err := a.place.tidy(t.Context(), &limits{now: time.Now(), keep: 1})
		return err
	}
	providers := func(a *Archive) error {
		_, err := a.place.Providers(t.Context())
		return err
	}
	forgets := func(a *Archive) error { return a.Forget(t.Context(), "feverup") }
	renames := func(a *Archive) error { return a.Rename(t.Context(), "feverup", "other") }
	if err := writes(a); err != nil {
		t.Fatal(err)
	}
	for page, contentType := range map[string]string{
		"<!DOCTYPE html><html><head><meta charset=utf-8></head><body>Log in</body></html>":               "text/html",
		`<html xmlns="http://www.w3.org/1999/xhtml"><head/><body>Log in</body></html>`:                   "application/xhtml+xml",
		"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>":                                    "application/xml",
		"<ListBucketResult><Name>kept</Name><Contents><Key>others/1</Key></Contents></ListBucketResult>": "application/xml",
		"<ListBucketResult><Name>kept</Name><IsTruncated>true</IsTruncated></ListBucketResult>":          "application/xml",
		"OK": "text/plain",
	} {
		for _, c := range []struct {
			what    string
			request func(*http.Request) bool
			do      func(*Archive) error
		}{
			{"a list of providers", list, providers},
			{"a list of segments", list, reads},
			{"the list before a job", list, writes},
			{"the list before a removal", list, forgets},
			{"the list before a renaming", list, renames},
			{"the list before the oldest go", list, tidies},
			{"an object", object, reads},
			{"a new object", of(http.MethodPut), writes},
			{"a removal", of(http.MethodDelete), forgets},
		} {
			s.on(func(w http.ResponseWriter, r *http.Request) bool {
				if !c.request(r) {
					return false
				}
				w.Header().Set("Content-Type", contentType)
				_, _ = io.WriteString(w, page)
				return true
			})
			err := c.do(a)
			s.on(nil)
			if !errors.Is(err, errOther) {
				t.Errorf("%s is answered with %s: %v", c.what, page, err)
			}
		}
	}
	if err := writes(a); err != nil {
		t.Error(err)
	}
	if got, _ := s.bodies(t, "feverup"); !slices.Equal(got, []string{"1", fmt.Sprint(n)}) {
		t.Errorf("it has %q", got)
	}
	if got, _ := s.bodies(t, "other"); len(got) > 0 {
		t.Errorf("another provider has %q", got)
	}
}

// A segment of a bucket that is damaged is told of once, left as it is, and followed by another one.
func TestBucketDamaged(t *testing.T) {
	s := bucketTest(t)
	if err := try(s.writer(t), 1, "one"); err != nil {
		t.Fatal(err)
	}
	begun := s.keys(t)
	s.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, begun[0]) {
			return false
		}
		got := httptest.NewRecorder()
		s.objects.ServeHTTP(got, r)
		got.Body.Bytes()[len(magic)+headerSize] ^= 1
		maps.Copy(w.Header(), got.Header())
		w.WriteHeader(got.Code)
		_, _ = w.Write(got.Body.Bytes())
		return true
	})
	a := s.writer(t)
	told := telling(a)
	for range 2 {
		nothingNew(t, a)
	}
	for n := range uint64(2) {
		if err := try(a, 2+n, "more"); err != nil {
			t.Error(err)
		}
	}
	wantTold(t, told, "it is damaged")
	var jobs []string
	for doc, err := range Documents(t.Context(), s.bucket(t), "feverup") {
		if err == nil && doc.Job > 1 {
			jobs = append(jobs, strconv.FormatUint(doc.Job, 10))
		}
	}
	if !slices.Equal(jobs, []string{"2", "3"}) {
		t.Errorf("after the damage it has jobs %q", jobs)
	}
}

// A server that never answers holds up no job for longer than a request may take: then it is left alone.
func TestBucketHangs(t *testing.T) {
	s := bucketTest(t)
	b := s.bucket(t)
	b.requestTime, b.rest = time.Millisecond, time.Hour
	a, err := Open(b, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.on(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	if err := try(a, 1, "one"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the first job: %v", err)
	}
	if err := try(a, 2, "two"); !errors.Is(err, errAway) {
		t.Errorf("the second job: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// A server that never answers holds up no stop: what is tidied beside jobs ends then.
func TestBucketClosed(t *testing.T) {
	s := bucketTest(t)
	a := s.writer(t)
	a.place.(*Bucket).requestTime = time.Hour
	a.Failed = func(err error) { t.Error(err) }
	tidies := make(chan struct{})
	s.on(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("delimiter") == "" {
			return false
		}
		close(tidies)
		<-r.Context().Done()
		return true
	})
	if err := try(a, 1, "one"); err != nil {
		t.Fatal(err)
	}
	<-tidies
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// A job that is cancelled waits neither for the list of segments nor until its documents are in the bucket.
func TestBucketCancelled(t *testing.T) {
	s := bucketTest(t)
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		a := s.writer(t)
		a.place.(*Bucket).requestTime = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		s.on(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != method {
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client goes away
			cancel()
			<-r.Context().Done()
			return true
		})
		last := a.Begin(ctx, "feverup")
		if _, err := last.Unsettled(); errors.Is(err, context.Canceled) != (method == http.MethodGet) {
			t.Error(err)
		}
		j := a.Begin(ctx, "feverup")
		w := j.Document()
		_, _ = io.WriteString(w, "a document")
		w.Keep(Head{Job: 1, Started: time.UnixMilli(1)})
		if err := j.Sync(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s.on(nil)
		if err := errors.Join(j.End(Outcome{At: time.UnixMilli(1)}), j.Close(), last.Close(), a.Close()); err != nil {
			t.Error(err)
		}
	}
}

// A segment that has ended becomes one object. After a process has ended in between, it is done again.
func TestBucketJoined(t *testing.T) {
	s := bucketTest(t)
	a := s.writer(t)
	for n := range 3 {
		if err := try(a, uint64(n+1), fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	reader := s.bucket(t)
	before, err := reader.segments(t.Context(), "feverup")
	if err != nil || len(before) != 1 || before[0].ended {
		t.Fatalf("%+v, %v", before, err)
	}
	a.segments["feverup"].began = time.Now().Add(-maxAge) // the next job begins another one
	if err := try(a, 4, "3"); err != nil {
		t.Fatal(err)
	}
	want := []string{"0", "1", "2", "3"}
	for most := range 5 { // before it ends
		var removed atomic.Int32
		s.on(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodDelete {
				if int(removed.Add(1)) > most {
					w.WriteHeader(http.StatusForbidden)
					return true
				}
			}
			return false
		})
		_, _ = s.bucket(t).tidy(t.Context(), &limits{now: time.Now()})
		s.on(nil)
		if got, _ := s.bodies(t, "feverup"); !slices.Equal(got, want) {
			t.Errorf("after %d objects were removed it has %q", most, got)
		}
	}
	if _, err := s.bucket(t).tidy(t.Context(), &limits{now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	all, err := s.bucket(t).segments(t.Context(), "feverup")
	if err != nil || len(all) != 2 || !all[0].ended || len(all[0].parts)+len(all[0].leftover) > 0 || len(all[1].parts) == 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if in, err := reader.open(t.Context(), &before[0]); err != nil { // of a listing before that
		t.Error(err)
	} else if err := in.Close(); err != nil {
		t.Error(err)
	}
	if err := try(a, 5, "4"); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.bodies(t, "feverup"); !slices.Equal(got, append(want, "4")) {
		t.Errorf("it has %q", got)
	}
}

// Segments that are old go, but for those that a job may go on with.
func TestBucketKeep(t *testing.T) {
	s := bucketTest(t)
	a := s.writer(t)
	if err := try(a, 1, "one"); err != nil {
		t.Fatal(err)
	}
	a.segments["feverup"].began = time.Now().Add(-maxAge)
	if err := try(a, 2, "two"); err != nil {
		t.Fatal(err)
	}
	b := s.bucket(t)
	soon := &limits{keep: time.Hour, now: time.Now().Add(2 * time.Hour)}
	for range 2 {
		if left, err := b.tidy(t.Context(), soon); err != nil || left == 0 {
			t.Fatal(left, err)
		}
		if got, _ := s.bodies(t, "feverup"); !slices.Equal(got, []string{"two"}) {
			t.Errorf("it has %q", got)
		}
	}
	late := &limits{keep: time.Hour, now: time.Now().Add(2 * lingering)}
	if left, err := b.tidy(t.Context(), late); err != nil || left != 0 || len(s.keys(t)) > 0 {
		t.Errorf("%d bytes are left, %q, %v", left, s.keys(t), err)
	}
}

// A provider is forgotten and renamed also when a process ends in between, and with what others had begun.
func TestBucketForgetRename(t *testing.T) {
	s := bucketTest(t)
	a, other := s.writer(t), s.writer(t)
	for n, w := range []*Archive{a, other, a} {
		if err := try(w, uint64(n+1), fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"0", "1", "2"}
	failed := 0
	for n := range 20 {
		var seen atomic.Int32
		s.on(func(w http.ResponseWriter, r *http.Request) bool {
			if int(seen.Add(1)) <= n {
				return false
			}
			w.WriteHeader(http.StatusForbidden)
			return true
		})
		err := s.writer(t).Rename(t.Context(), "feverup", "renamed")
		s.on(nil)
		if err == nil {
			break
		}
		failed++
		old, _ := s.bodies(t, "feverup")
		if now, _ := s.bodies(t, "renamed"); !slices.Equal(old, want) && !slices.Equal(now, want) {
			t.Errorf("after %d requests there are %q and %q", n, old, now)
		}
	}
	if got, _ := s.bodies(t, "renamed"); !slices.Equal(got, want) || failed < 3 {
		t.Errorf("it has %q after %d errors", got, failed)
	}
	if got, _ := s.bodies(t, "feverup"); len(got) > 0 {
		t.Errorf("the old name has %q", got)
	}
	if err := try(other, 4, "new"); err != nil { // which knew the segment
		t.Fatal(err)
	}
	if got, _ := s.bodies(t, "feverup"); !slices.Equal(got, []string{"new"}) {
		t.Errorf("the old name has %q", got)
	}
	for _, provider := range []string{"renamed", "feverup"} {
		if err := a.Forget(t.Context(), provider); err != nil {
			t.Fatal(err)
		}
	}
	if keys := s.keys(t); len(keys) > 0 {
		t.Errorf("there are %q", keys)
	}
}

// The client writes nothing beside the log, such as that a date in an answer is none.
func TestBucketSilent(t *testing.T) {
	s := bucketTest(t)
	s.on(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Date", "yesterday")
		return false
	})
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = file
	names, err := s.bucket(t).Providers(t.Context())
	os.Stderr = stderr
	if err := errors.Join(err, file.Close()); err != nil || len(names) > 0 {
		t.Fatal(names, err)
	}
	if said, err := os.ReadFile(file.Name()); err != nil || len(said) > 0 {
		t.Errorf("it wrote %q, %v", said, err)
	}
}

// Places that are none are refused, without what they may have of a secret.
func TestAt(t *testing.T) {
	bucketTest(t)
	for _, text := range []string{
		"s3://", "s3:///x", "s3://key:hunter2@kept/x", "s3://kept/x?secret=hunter2", "s3://kept/a//b",
		"s3://kept/a/../b", "s3://KEPT/x", "s3://a b/x", "s3://kept/" + strings.Repeat("x", maxPrefix+1), "S3://kept/x", "s3:kept/x", "gs://kept/x",
	} {
		if _, err := At(t.Context(), text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, endpoint := range []string{"http://user:hunter2@host", "http://host/?key=hunter2", "host/hunter2", "http://[::1/hunter2", "s3://hunter2"} {
		t.Setenv("AWS_ENDPOINT_URL_S3", endpoint)
		if _, err := At(t.Context(), "s3://kept"); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://host:9000/path")
	for text, want := range map[string]string{"s3://kept": "s3://kept/", "s3://kept/a/b/": "s3://kept/a/b", "folder": "folder"} {
		place, err := At(t.Context(), text)
		if err != nil || place.String() != want {
			t.Errorf("%s: %v, %v", text, place, err)
		}
	}
}
