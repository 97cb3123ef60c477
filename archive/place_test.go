package archive

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/provider/feed"
)

// places returns functions for places of each kind. Each makes a new one, and returns how a process opens that.
func places(t *testing.T) (folder, bucket func() func() Place) {
	t.Helper()
	bucketTest(t)
	made := 0
	return func() func() Place {
			dir := filepath.Join(t.TempDir(), "archive")
			return func() Place { return Folder(dir) }
		}, func() func() Place {
			made++
			name := fmt.Sprintf("s3://kept/place/%d", made)
			return func() Place {
				b, err := newBucket(context.Background(), name)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
		}
}

// An entry is a document that an archive must have.
type entry struct {
	job   uint64
	body  string
	known bool // its outcome is
}

// A model is an archive, and what it must have of each provider.
type model struct {
	place func() Place
	a     *Archive
	base  time.Time
	job   uint64
	want  map[string][]entry
}

func (m *model) close() error { return errors.Join(m.a.Close(), m.a.place.Close()) }

func (m *model) restart(t *rapid.T) {
	if m.a != nil {
		if err := m.close(); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if m.a, err = Open(m.place(), 0, 0); err != nil {
		t.Fatal(err)
	}
}

// run runs a job of a provider with some documents.
func (m *model) run(t *rapid.T, provider string, bodies []string) {
	m.job++
	started := m.base.Add(time.Duration(m.job) * time.Hour)
	j := m.a.Begin(context.Background(), provider)
	var kept []entry
	for _, body := range bodies {
		w := j.Document()
		for part := range slices.Chunk([]byte(body), rapid.IntRange(1, 5000).Draw(t, "bytes")) {
			_, _ = w.Write(part)
		}
		if rapid.Bool().Draw(t, "keep") {
			w.Keep(Head{Job: m.job, Started: started})
			kept = append(kept, entry{m.job, body, true})
		}
		w.Drop() // no more than a kept one needs it
	}
	switch rapid.SampledFrom([]string{"ends", "drops", "dies"}).Draw(t, "the job") {
	case "drops":
		kept = nil
		if err := j.Drop(); err != nil {
			t.Fatal(err)
		}
	case "ends":
		if err := errors.Join(j.Sync(), j.End(Outcome{At: started})); err != nil {
			t.Fatal(err)
		}
	case "dies":
		if err := j.Sync(); err != nil {
			t.Fatal(err)
		}
		m.restart(t)
		j = m.a.Begin(context.Background(), provider)
		settled := len(kept) > 0 && rapid.Bool().Draw(t, "settled")
		if settled {
			if head, err := j.Unsettled(); err != nil || head == nil || head.Job != m.job {
				t.Fatalf("unsettled is %+v, %v", head, err)
			}
			if err := j.End(Outcome{At: started}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range kept {
			kept[i].known = settled
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	m.want[provider] = append(m.want[provider], kept...)
}

// check compares what another process reads with what there must be.
func (m *model) check(t *rapid.T) {
	place := m.place()
	defer func() { _ = place.Close() }() // it was read
	for _, provider := range []string{"p", "q"} {
		var got []entry
		for doc, err := range Documents(context.Background(), place, provider) {
			if err != nil {
				t.Fatal(err)
			}
			in, err := doc.Open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(in)
			if err := errors.Join(err, in.Close()); err != nil {
				t.Fatal(err)
			}
			got = append(got, entry{doc.Job, string(body), doc.Outcome.Known()})
		}
		if !slices.Equal(got, m.want[provider]) {
			t.Fatalf("of %s it has %d documents, want %d: %.200v and %.200v", provider, len(got), len(m.want[provider]), got, m.want[provider])
		}
	}
}

// TestModel has any jobs, kills, restarts and edits, and compares the archive with what it must have.
func TestModel(t *testing.T) {
	folder, bucket := places(t)
	rapid.Check(t, func(t *rapid.T) {
		fresh := folder
		if rapid.IntRange(0, 4).Draw(t, "place") == 4 { // which takes as long as the other four
			fresh = bucket
		}
		m := &model{place: fresh(), base: time.Now(), want: make(map[string][]entry)}
		m.restart(t)
		defer func() {
			if err := m.close(); err != nil {
				t.Error(err)
			}
		}()
		parts := []string{strings.Repeat("first ", 300), strings.Repeat("second ", 2000), "short", string(newMarket(5 << 10).next(0))}
		part := rapid.Map(rapid.IntRange(0, len(parts)-1), func(i int) string { return parts[i] })
		body := rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), rapid.StringN(0, 3, 3).Draw(t, "between"))
		})
		provider := rapid.SampledFrom([]string{"p", "q"})
		t.Repeat(map[string]func(*rapid.T){
			"job": func(t *rapid.T) {
				m.run(t, provider.Draw(t, "provider"), rapid.SliceOfN(body, 0, 3).Draw(t, "documents"))
			},
			"restart": m.restart,
			"age": func(t *rapid.T) { // the next job begins another segment
				if s := m.a.segments[provider.Draw(t, "provider")]; s != nil {
					s.began = s.began.Add(-maxAge)
				}
			},
			"tidy": func(t *rapid.T) {
				m.a.stopTidying()
				if _, err := m.a.place.tidy(context.Background(), &limits{now: time.Now()}); err != nil {
					t.Fatal(err)
				}
			},
			"forget": func(t *rapid.T) {
				name := provider.Draw(t, "provider")
				if err := m.a.Forget(context.Background(), name); err != nil {
					t.Fatal(err)
				}
				delete(m.want, name)
			},
			"rename": func(t *rapid.T) {
				if err := m.a.Rename(context.Background(), "p", "q"); err != nil {
					t.Fatal(err)
				}
				m.want["q"] = append(m.want["q"], m.want["p"]...)
				delete(m.want, "p")
				slices.SortStableFunc(m.want["q"], func(x, y entry) int { return cmp.Compare(x.job, y.job) })
			},
			"check": m.check,
		})
		m.check(t)
	})
}

// All providers together take no more than they may, but for the segments that are written to, and nobody waits an hour
// for that. The newest documents are there.
func TestSize(t *testing.T) {
	folder, bucket := places(t)
	for _, fresh := range []func() func() Place{folder, bucket} {
		const most = 1 << 20
		open := fresh()
		a, err := Open(open(), 0, most)
		if err != nil {
			t.Fatal(err)
		}
		a.Failed = func(err error) { t.Error(err) }
		largest := int64(0)
		for n := range 60 {
			var noise strings.Builder
			for noise.Len() < 60<<10 {
				noise.WriteString(rand.Text())
			}
			put(t, a, uint64(n+1), []byte(noise.String()))
			a.tidying.Wait()
			all, err := a.place.segments(t.Context(), "feverup")
			if err != nil {
				t.Fatal(err)
			}
			total := int64(0)
			for _, s := range all {
				total += s.size
			}
			largest = max(largest, total)
		}
		bound := int64(most)
		if a.place.remote() { // until the next segment is begun
			bound += most / 2
		}
		if largest < most/2 || largest > bound {
			t.Errorf("it takes up to %d bytes", largest)
		}
		var docs []Document
		for doc, err := range Documents(t.Context(), a.place, "feverup") {
			if err != nil {
				t.Fatal(err)
			}
			docs = append(docs, doc)
		}
		if len(docs) < 10 || docs[0].Job == 1 || docs[len(docs)-1].Job != 60 {
			t.Errorf("it has %d documents, %+v", len(docs), docs)
		}
		if err := errors.Join(a.Close(), a.place.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestCommitted asks when the newest job began whose documents were committed, also after jobs that failed, brought
// nothing or were no jobs, in a segment that one of them has begun, and in another process.
func TestCommitted(t *testing.T) {
	folder, bucket := places(t)
	for name, make := range map[string]func() func() Place{"folder": folder, "bucket": bucket} {
		t.Run(name, func(t *testing.T) {
			place := make()
			want := func(a *Archive, ms int64) {
				t.Helper()
				j := a.Begin(t.Context(), "feverup")
				if _, err := j.Unsettled(); err != nil {
					t.Fatal(err)
				}
				got := j.Committed()
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				if ms == 0 && !got.IsZero() || ms > 0 && !got.Equal(time.UnixMilli(ms)) {
					t.Errorf("it says %v, want %d ms", got, ms)
				}
			}
			restart := func(a *Archive) *Archive {
				if a != nil {
					if err := errors.Join(a.Close(), a.place.Close()); err != nil {
						t.Fatal(err)
					}
				}
				a, err := Open(place(), 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			job := func(a *Archive, n uint64, end func(*Job) error) {
				t.Helper()
				j := a.Begin(t.Context(), "feverup")
				j.Document().Keep(Head{Job: n, Started: time.UnixMilli(int64(n))})
				if err := errors.Join(end(j), j.Close()); err != nil {
					t.Fatal(err)
				}
			}
			fails := func(j *Job) error {
				return errors.Join(j.Sync(), j.End(Outcome{At: time.Now(), Failure: feed.KindMalformed}))
			}

			a := restart(nil)
			want(a, 0)
			job(a, 1, fails)
			want(a, 0)
			put(t, a, 2, []byte("two"))
			want(a, 2)
			job(a, 3, fails)
			if err := a.ForgetGone(t.Context(), "feverup", "2026-01-01T00:00:00Z"); err != nil {
				t.Fatal(err)
			}
			want(a, 2)
			if !a.place.remote() { // there the segment that begins would have no objects
				a.segments["feverup"].began = time.Now().Add(-maxAge)
				job(a, 4, (*Job).Drop)
				want(a, 2)
			}
			put(t, a, 5, []byte("five"))
			a = restart(a)
			want(a, 5)
			if err := errors.Join(a.Close(), a.place.Close()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
