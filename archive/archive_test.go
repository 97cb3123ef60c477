package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fever/provider/feed"
)

func open(tb testing.TB, dir string, keep time.Duration, size int64) *Archive {
	tb.Helper()
	a, err := Open(Folder(dir), keep, size)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = a.Close() }) // it may be closed already
	return a
}

// all returns the documents of a provider with their bodies, and the errors among them.
func all(tb testing.TB, dir, provider string) (docs []Document, bodies []string, errs []error) {
	tb.Helper()
	for doc, err := range Documents(context.Background(), Folder(dir), provider) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		docs = append(docs, doc)
		in, err := doc.Open(context.Background())
		if err != nil {
			tb.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close()); err != nil {
			errs = append(errs, err)
		}
		bodies = append(bodies, string(body))
	}
	return docs, bodies, errs
}

// segmentOf returns the path of the only segment of a provider.
func segmentOf(tb testing.TB, dir string) string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"+extension))
	if err != nil || len(paths) != 1 {
		tb.Fatalf("segments: %q, %v", paths, err)
	}
	return paths[0]
}

func TestDocument(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "archive")
	a := open(t, dir, 0, 0)
	j := a.Begin(t.Context(), "feverup")
	began := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	head := Head{
		Job: 7, Started: began, Attempt: 2, Page: 1, Table: "superEvent", Generation: 3, Began: began, Taken: began.Add(time.Minute), Public: true, Op: "fetch from example.com",
		HTTPStatus: 200, ContentType: "text/csv", Charset: "utf-8", Links: []string{"<?page=2>; rel=next"},
		ETag: `"a"`, LastModified: "today", Digest: bytes.Repeat([]byte{1}, 32), Source: "s", Received: 5,
	}
	w := j.Document()
	_, _ = io.WriteString(w, "hello")
	w.Keep(head)
	failed := Head{Job: 7, Started: began, Page: 2, Failure: feed.KindMalformed}
	w = j.Document()
	w.Keep(failed)
	w = j.Document()
	_, _ = io.WriteString(w, "dropped")
	w.Drop()
	outcome := Outcome{At: began.Add(time.Second)}
	if err := errors.Join(j.Sync(), j.End(outcome)); err != nil {
		t.Fatal(err)
	}
	w = j.Document() // of a page that is committed after the others
	_, _ = io.WriteString(w, "again")
	w.Keep(head)
	if err := j.Drop(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	docs, bodies, errs := all(t, dir, "feverup")
	if len(errs) > 0 || !slices.Equal(bodies, []string{"hello", ""}) {
		t.Fatalf("bodies %q, %v", bodies, errs)
	}
	sum := sha256.Sum256([]byte("hello"))
	head.Size, head.SHA256 = 5, sum[:]
	if got := fmt.Sprintf("%+v", docs[0].Head); got != fmt.Sprintf("%+v", head) {
		t.Errorf("head %s, want %+v", got, head)
	}
	if docs[0].Outcome != outcome || docs[1].Outcome != outcome || docs[1].Failure != feed.KindMalformed {
		t.Errorf("outcomes %+v, %+v", docs[0].Outcome, docs[1])
	}
	got := docs[0].Feed(feed.Page{Rows: 3}, nil)
	if back := HeadOf(got); got.Page.Rows != 3 || back.ETag != `"a"` || back.Charset != "utf-8" || !bytes.Equal(back.Digest, head.Digest) || back.Table != "superEvent" {
		t.Errorf("as a document of a feed: %+v", got)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "feverup"): 0o700, segmentOf(t, dir): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o", path, got)
		}
	}
}

// A body of which one of a hundred events changes each time costs 3 % of it at most, also with
// the segment's first.
func TestSmall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0, 0)
	m := newMarket(200 << 10)
	total := 0
	for n := range 60 {
		body := m.next(1)
		total += len(body)
		put(t, a, uint64(n+1), body)
	}
	if part := 100 * float64(folderSize(t, dir)) / float64(total); part > 3 {
		t.Errorf("it takes %.1f %% of the bodies", part)
	}
}

// A recipe that is longer than a record may be, and pieces of more versions than the cache has
// blocks.
func TestLong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0, 0)
	m := newMarket(8 << 20)
	var want []string
	for n := range 5 {
		body := m.next(30)
		want = append(want, string(body))
		put(t, a, uint64(n+1), body)
	}
	var pieces [][]byte // short ones that the segment has
	for rest := m.next(0)[:2<<20]; cut(rest) > 0; rest = rest[cut(rest):] {
		if n := cut(rest); n < 2*minPiece {
			pieces = append(pieces, rest[:n])
		}
	}
	var shuffled bytes.Buffer // no two pieces are where they were
	for i := range 20 << 10 {
		shuffled.Write(pieces[(i*7919)%len(pieces)])
	}
	want = append(want, shuffled.String(), shuffled.String())
	put(t, a, 6, shuffled.Bytes())
	put(t, a, 7, shuffled.Bytes())
	docs, bodies, errs := all(t, dir, "feverup")
	if len(errs) > 0 || !slices.Equal(bodies, want) || len(docs[5].parts) == 0 {
		t.Fatalf("%d bodies, %v", len(bodies), errs)
	}
	// The end of one recipe is damaged: its beginning is not taken for that of the next.
	path := segmentOf(t, dir)
	segment, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	segment[docs[5].at+headerSize] ^= 1
	if err := os.WriteFile(path, segment, 0o600); err != nil {
		t.Fatal(err)
	}
	docs, bodies, errs = all(t, dir, "feverup")
	if len(errs) != 1 || len(docs) != 6 || docs[5].Job != 7 || bodies[5] != want[6] {
		t.Errorf("after damage: %d bodies, %v", len(bodies), errs)
	}
}

// After a kill the segment may end anywhere: all documents before that are there, and the archive
// goes on.
func TestTorn(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	a := open(t, whole, 0, 0)
	m := newMarket(3 << 10)
	var bodies []string
	ends := []int64{0} // of the segment after each document
	for n := range 4 {
		body := m.next(50)
		bodies = append(bodies, string(body))
		put(t, a, uint64(n+1), body)
		ends = append(ends, folderSize(t, whole))
	}
	path := segmentOf(t, whole)
	segment, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(segment) {
		tail := []byte(nil)
		if size%7 == 0 { // the file system has lengthened the file
			tail = make([]byte, 100)
		}
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "feverup"), 0o700); err != nil {
			t.Fatal(err)
		}
		torn := filepath.Join(dir, "feverup", filepath.Base(path))
		if err := os.WriteFile(torn, slices.Concat(segment[:size], tail), 0o600); err != nil {
			t.Fatal(err)
		}
		docs, got, errs := all(t, dir, "feverup")
		n := len(got)
		if len(errs) > 0 || n > 4 || !slices.Equal(got, bodies[:n]) || n < 4 && int64(size) >= ends[n+1] || int64(size) < ends[max(n-1, 0)] {
			t.Fatalf("of %d bytes there are %d documents, %v", size, n, errs)
		}
		if size%19 > 0 { // each flush to disk takes a while
			continue
		}
		a := open(t, dir, 0, 0)
		j := a.Begin(t.Context(), "feverup")
		unsettled, err := j.Unsettled()
		if err != nil {
			t.Fatal(err)
		}
		if last := n > 0 && !docs[n-1].Outcome.Known(); last != (unsettled != nil) || last && unsettled.Job != docs[n-1].Job {
			t.Fatalf("of %d bytes: unsettled %+v", size, unsettled)
		}
		if err := errors.Join(j.End(Outcome{At: time.Unix(1, 0)}), j.Close()); err != nil {
			t.Fatal(err)
		}
		put(t, a, 9, []byte("after"))
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		docs, got, errs = all(t, dir, "feverup")
		if len(errs) > 0 || !slices.Equal(got, append(slices.Clone(bodies[:n]), "after")) {
			t.Fatalf("after %d bytes: %d documents, %v", size, len(got), errs)
		}
		for _, doc := range docs {
			if !doc.Outcome.Known() {
				t.Fatalf("after %d bytes: nothing is known of job %d", size, doc.Job)
			}
		}
		segmentOf(t, dir)
	}
}

// A damaged byte costs the documents that need it. None is given with other bytes than its own.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0, 0)
	m := newMarket(3 << 10)
	var bodies []string
	for n := range 3 {
		body := m.next(50)
		bodies = append(bodies, string(body))
		put(t, a, uint64(n+1), body)
	}
	path := segmentOf(t, dir)
	segment, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range segment {
		damaged := slices.Clone(segment)
		damaged[i] ^= 0x10
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		docs, got, errs := all(t, dir, "feverup")
		if len(errs) == 0 {
			t.Fatalf("byte %d is damaged, and nothing is said", i)
		}
		for n, doc := range docs {
			if want := bodies[doc.Job-1]; got[n] != want && !strings.HasPrefix(want, got[n]) {
				t.Fatalf("byte %d is damaged, and job %d has another body", i, doc.Job)
			}
		}
	}
	// Who writes leaves it alone, and begins another one.
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(segment)
	damaged[len(damaged)/2] ^= 1
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	a = open(t, dir, 0, 0)
	put(t, a, 4, []byte("after"))
	if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, damaged) {
		t.Errorf("the damaged segment was changed, %v", err)
	}
	if _, got, _ := all(t, dir, "feverup"); got[len(got)-1] != "after" {
		t.Errorf("the newest body is %q", got[len(got)-1])
	}
}

// telling collects what an archive tells beside jobs.
func telling(a *Archive) *[]string {
	told := new([]string)
	a.Failed = func(err error) { *told = append(*told, err.Error()) }
	return told
}

// wantTold compares what was told with words that it must have, error by error.
func wantTold(tb testing.TB, told *[]string, want ...string) {
	tb.Helper()
	if len(*told) != len(want) {
		tb.Fatalf("told are %q, want %q", *told, want)
	}
	for i, words := range want {
		if !strings.Contains((*told)[i], words) {
			tb.Errorf("told is %q, want %q", (*told)[i], words)
		}
	}
}

// flip changes a byte of a file in its place.
func flip(tb testing.TB, path string, at int64) {
	tb.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		tb.Fatal(err)
	}
	b := make([]byte, 1)
	_, err = file.ReadAt(b, at)
	b[0] ^= 1
	if _, err2 := file.WriteAt(b, at); errors.Join(err, err2, file.Close()) != nil {
		tb.Fatal(err, err2)
	}
}

// nothingNew is a job that keeps no document, and looks at the newest segment all the same.
func nothingNew(tb testing.TB, a *Archive) {
	tb.Helper()
	j := a.Begin(tb.Context(), "feverup")
	if _, err := j.Unsettled(); err != nil {
		tb.Error(err)
	}
	if err := j.Close(); err != nil {
		tb.Error(err)
	}
}

// A segment that is damaged while it is open is found by the first job after an hour, wherever the damage is.
func TestDamageWhileOpen(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int64{"magic": 3, "header": int64(len(magic)) + 2, "block": int64(len(magic)) + headerSize + 40} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			a := open(t, dir, 0, 0)
			told := telling(a)
			body := newMarket(3 << 10).next(50)
			put(t, a, 1, body)
			time.Sleep(betweenReadings)
			put(t, a, 2, append(body, "second"...))
			wantTold(t, told) // it was read again, and is whole
			flip(t, segmentOf(t, dir), at)
			put(t, a, 3, append(body, "third"...)) // refers to the damaged block
			wantTold(t, told)
			time.Sleep(betweenReadings)
			for range 2 {
				nothingNew(t, a)
			}
			wantTold(t, told, "it is damaged")
			put(t, a, 4, append(body, "fourth"...))
			time.Sleep(betweenReadings)
			put(t, a, 5, append(body, "fifth"...))
			wantTold(t, told, "it is damaged")
			_, bodies, _ := all(t, dir, "feverup")
			if n := len(bodies); n < 2 || bodies[n-2] != string(body)+"fourth" || bodies[n-1] != string(body)+"fifth" {
				t.Errorf("%s: the newest documents cannot be read", name)
			}
		})
	}
}

// Damage that the first job after a start finds is told once.
func TestDamageTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0, 0)
	put(t, a, 1, []byte("one"))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	flip(t, segmentOf(t, dir), 0)
	a = open(t, dir, 0, 0)
	told := telling(a)
	for range 2 {
		nothingNew(t, a)
	}
	put(t, a, 2, []byte("two"))
	nothingNew(t, a)
	wantTold(t, told, "it is damaged")
	if _, got, _ := all(t, dir, "feverup"); !slices.Equal(got, []string{"two"}) {
		t.Errorf("it has %q", got)
	}
}

// What is removed, replaced or changed under a running process is told of, and the next job's documents are kept.
func TestLost(t *testing.T) {
	t.Parallel()
	const lost = "it was removed, replaced or changed while it was in use"
	for name, tc := range map[string]struct {
		change func(dir, segment string) error
		told   []string
		want   []string
	}{
		"archive": {
			func(dir, _ string) error { return os.RemoveAll(dir) },
			[]string{"lock: " + lost, ".segment: " + lost},
			[]string{"two", "three"},
		},
		"archive renamed": {
			func(dir, _ string) error { return os.Rename(dir, dir+".old") },
			[]string{"lock: " + lost, ".segment: " + lost},
			[]string{"two", "three"},
		},
		"provider": {
			func(_, segment string) error { return os.RemoveAll(filepath.Dir(segment)) },
			[]string{".segment: " + lost},
			[]string{"two", "three"},
		},
		"segment": {
			func(_, segment string) error { return os.Remove(segment) },
			[]string{".segment: " + lost},
			[]string{"two", "three"},
		},
		"segment replaced": {
			func(_, segment string) error {
				b, err := os.ReadFile(segment)
				return errors.Join(err, os.Rename(segment, segment+".old"), os.WriteFile(segment, b, 0o600))
			},
			[]string{".segment: " + lost},
			[]string{"one", "two", "three"},
		},
		"segment cut": {
			func(_, segment string) error { return os.Truncate(segment, int64(len(magic))) },
			[]string{".segment: " + lost},
			[]string{"two", "three"},
		},
		"lock": {
			func(dir, _ string) error { return os.Remove(filepath.Join(dir, "lock")) },
			[]string{"lock: " + lost},
			[]string{"one", "two", "three"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "archive")
			a := open(t, dir, 0, 0)
			told := telling(a)
			put(t, a, 1, []byte("one"))
			if err := tc.change(dir, segmentOf(t, dir)); err != nil {
				t.Fatal(err)
			}
			put(t, a, 2, []byte("two"))
			put(t, a, 3, []byte("three"))
			wantTold(t, told, tc.told...)
			if _, got, errs := all(t, dir, "feverup"); !slices.Equal(got, tc.want) || errs != nil {
				t.Errorf("it has %q, want %q; %v", got, tc.want, errs)
			}
			if _, err := Open(Folder(dir), 0, 0); runtime.GOOS != "windows" && !errors.Is(err, ErrLocked) {
				t.Errorf("a second writer: %v", err)
			}
		})
	}
}

// A job whose segment is removed before its documents are on disk says so, and the next one's are kept.
func TestLostWithinJob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0, 0)
	told := telling(a)
	j := a.Begin(t.Context(), "feverup")
	w := j.Document()
	_, _ = io.WriteString(w, "one")
	w.Keep(Head{Job: 1})
	if err := os.Remove(segmentOf(t, dir)); err != nil {
		t.Fatal(err)
	}
	if err := j.Sync(); !errors.Is(err, errLost) {
		t.Errorf("error %v", err)
	}
	if err := errors.Join(j.End(Outcome{}), j.Close()); err != nil {
		t.Error(err)
	}
	put(t, a, 2, []byte("two"))
	wantTold(t, told) // the job has said it
	if _, got, errs := all(t, dir, "feverup"); !slices.Equal(got, []string{"two"}) || errs != nil {
		t.Errorf("it has %q, %v", got, errs)
	}
}

// Another process that has the folder which came in the place of one keeps jobs from writing to it.
func TestLostToAnother(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "archive")
	a := open(t, dir, 0, 0)
	put(t, a, 1, []byte("one"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	other := open(t, dir, 0, 0)
	j := a.Begin(t.Context(), "feverup")
	w := j.Document()
	w.Keep(Head{Job: 2})
	if err := j.Sync(); runtime.GOOS != "windows" && !errors.Is(err, ErrLocked) {
		t.Errorf("error %v", err)
	}
	if err := errors.Join(j.End(Outcome{}), j.Close(), other.Close()); err != nil {
		t.Error(err)
	}
	put(t, a, 3, []byte("three"))
	if _, got, errs := all(t, dir, "feverup"); !slices.Equal(got, []string{"three"}) || errs != nil {
		t.Errorf("it has %q, %v", got, errs)
	}
}

// age makes a segment one that was begun so long ago that the next job begins another one.
func age(tb testing.TB, path string, a *Archive) (string, *Archive) {
	tb.Helper()
	if err := a.Close(); err != nil {
		tb.Fatal(err)
	}
	began, err := beganOf(filepath.Base(path))
	if err != nil {
		tb.Fatal(err)
	}
	older, err := freeName(filepath.Dir(path), began.Add(-maxAge))
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path, older); err != nil {
		tb.Fatal(err)
	}
	return older, open(tb, a.place.String(), a.keep, a.size)
}

func TestKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 24*time.Hour, 0)
	put(t, a, 1, []byte("old"))
	old := segmentOf(t, dir)
	old, a = age(t, old, a)
	put(t, a, 2, []byte("new"))
	if _, got, _ := all(t, dir, "feverup"); !slices.Equal(got, []string{"old", "new"}) {
		t.Errorf("it has %q", got)
	}
	if err := os.Chtimes(old, time.Now(), time.Now().Add(-25*time.Hour)); err != nil {
		t.Fatal(err)
	}
	put(t, a, 3, []byte("newer"))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = open(t, dir, 24*time.Hour, 0)
	put(t, a, 4, []byte("newest"))
	if _, got, errs := all(t, dir, "feverup"); !slices.Equal(got, []string{"new", "newer", "newest"}) || errs != nil {
		t.Errorf("it has %q, %v", got, errs)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0, 0)
	if _, err := Open(Folder(dir), 0, 0); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, 0, 0)
}

// A folder that cannot be written to costs the documents and nothing else. Once it can be, the next
// job's are there.
func TestCannotWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0, 0)
	put(t, a, 1, []byte("one"))
	s := a.segments["feverup"]
	broken, err := os.Open(filepath.Join(dir, "feverup", s.name)) // cannot be written to
	if err != nil {
		t.Fatal(err)
	}
	whole := s.file
	s.file = broken
	j := a.Begin(t.Context(), "feverup")
	for range 2 {
		w := j.Document()
		_, _ = w.Write(bytes.Repeat([]byte("no room "), 1<<20))
		w.Keep(Head{Job: 2})
	}
	if err := j.Sync(); err == nil {
		t.Error("nothing is said")
	}
	if err := errors.Join(j.End(Outcome{}), j.Close(), whole.Close()); err != nil {
		t.Error(err)
	}
	put(t, a, 3, []byte("three"))
	docs, got, errs := all(t, dir, "feverup")
	if !slices.Equal(got, []string{"one", "three"}) || errs != nil || docs[1].Job != 3 {
		t.Errorf("it has %q, %v", got, errs)
	}
}

// A volume that others need is not filled. Once it has room again, the next job's documents are there.
func TestRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0, 0)
	if size, free := a.room(); runtime.GOOS == "linux" && (size == 0 || free > size) {
		t.Errorf("the volume has %d bytes, and %d are free", size, free)
	}
	put(t, a, 1, []byte("one"))
	left := 3 // blocks that there is room for
	a.room = func() (size, free uint64) {
		left--
		if left < 0 {
			return 50 << 30, 1<<30 - 1
		}
		return 50 << 30, 1 << 30
	}
	j := a.Begin(t.Context(), "feverup")
	w := j.Document()
	_, _ = w.Write(newMarket(4 << 20).next(0))
	w.Keep(Head{Job: 2})
	if err := j.Sync(); err == nil || !strings.Contains(err.Error(), "has 1023 MiB left, and the last 1024 MiB are not for the archive") {
		t.Errorf("the error is %v", err)
	}
	if err := errors.Join(j.End(Outcome{}), j.Close()); err != nil {
		t.Error(err)
	}
	a.room = func() (size, free uint64) { return 1 << 30, 1 << 30 / 10 }
	put(t, a, 3, []byte("three"))
	a.room = func() (size, free uint64) { return 0, 0 } // unknown
	put(t, a, 4, []byte("four"))
	if docs, got, errs := all(t, dir, "feverup"); !slices.Equal(got, []string{"one", "three", "four"}) || errs != nil || docs[1].Job != 3 {
		t.Errorf("it has %q, %v", got, errs)
	}
}

// FuzzRead reads any bytes as a segment: nothing panics, and every body that is given to its end is the
// one that its head tells of.
func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	a := open(f, dir, 0, 0)
	m := newMarket(2 << 10)
	for n := range 2 {
		put(f, a, uint64(n+1), m.next(50))
	}
	segment, err := os.ReadFile(segmentOf(f, dir))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(segment, 20, []byte("x"), true)
	f.Fuzz(func(t *testing.T, segment []byte, at int, other []byte, mend bool) {
		if at >= 0 && at < len(segment) {
			copy(segment[at:], other)
		}
		if mend { // the checksums must not be all that keeps damage out
			for b := segment[min(len(magic), len(segment)):]; len(b) >= headerSize; {
				length := min(int(b[0])|int(b[1])<<8|int(b[2])<<16, len(b)-headerSize)
				copy(b, appendRecord(nil, b[3], b[headerSize:headerSize+length]))
				b = b[headerSize+length:]
			}
		}
		dir := t.TempDir()
		folder := filepath.Join(dir, "p")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, "001795866600000"+extension)
		if err := os.WriteFile(path, segment, 0o600); err != nil {
			t.Fatal(err)
		}
		for doc, err := range Documents(context.Background(), Folder(dir), "p") {
			if err != nil {
				continue
			}
			in, err := doc.Open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(in)
			sum := sha256.Sum256(body)
			if err == nil && (int64(len(body)) != doc.Size || !bytes.Equal(sum[:], doc.SHA256)) {
				t.Error("a body that is not that of its head")
			}
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := openSegment(&stored{path: path}); err == nil {
			if err := s.file.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestChosen reads some documents of a provider, of which another one had the oldest before.
func TestChosen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0, 0)
	now := time.Now().Truncate(time.Millisecond)
	for job, provider := range []string{"old", "old", "new", "new"} {
		j := a.Begin(t.Context(), provider)
		for page := range 2 {
			w := j.Document()
			_, _ = fmt.Fprint(w, job, page)
			w.Keep(Head{Job: uint64(job), Page: page, Started: now.Add(time.Duration(job)*time.Second + 999*time.Microsecond)})
		}
		if err := errors.Join(j.Sync(), j.End(Outcome{At: now}), j.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Rename(t.Context(), "old", "new"); err != nil {
		t.Fatal(err)
	}
	for job := range 5 {
		docs, err := DocumentsOf(t.Context(), Folder(dir), "new", now.Add(time.Duration(job)*time.Second))
		if job == 4 && len(docs) == 0 && err == nil {
			continue
		}
		if err != nil || len(docs) != 2 || docs[0].Job != uint64(job) || docs[0].Page != 0 || docs[1].Page != 1 || !docs[1].Outcome.Known() {
			t.Errorf("job %d: %+v, %v", job, docs, err)
		}
	}
	var order []string
	for doc, err := range Newest(t.Context(), Folder(dir), "new") {
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, fmt.Sprint(doc.Job, ".", doc.Page))
	}
	slices.Sort(order[:4]) // the segments have begun in the same moment
	slices.Sort(order[4:])
	if got := strings.Join(order, " "); got != "2.0 2.1 3.0 3.1 0.0 0.1 1.0 1.1" && got != "0.0 0.1 1.0 1.1 2.0 2.1 3.0 3.1" {
		t.Error(got)
	}
	for doc, err := range Newest(t.Context(), Folder(dir), "new") {
		if err != nil || doc.Page != 1 {
			t.Errorf("the newest is %+v, %v", doc.Head, err)
		}
		break
	}
	// The beginning of one segment is damaged: what can be read is there.
	segments, err := Folder(dir).segments(t.Context(), "new")
	if err != nil || len(segments) != 2 {
		t.Fatal(segments, err)
	}
	if err := os.WriteFile(segments[0].path, []byte("something else, and longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	read, damaged := 0, 0
	for _, err := range Newest(t.Context(), Folder(dir), "new") {
		if err != nil {
			damaged++
		} else {
			read++
		}
	}
	found := 0
	for job := range 4 {
		if docs, err := DocumentsOf(t.Context(), Folder(dir), "new", now.Add(time.Duration(job)*time.Second)); len(docs) == 2 && err == nil {
			found++
		} else if err == nil {
			t.Errorf("job %d: no error for what is damaged", job)
		}
	}
	if read != 4 || damaged != 1 || found != 2 {
		t.Errorf("%d read, %d errors, %d jobs found", read, damaged, found)
	}
}
