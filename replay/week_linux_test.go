package replay_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"fever/archive"
	"fever/ingest"
	"fever/provider/feed"
	"fever/provider/feed/feverup"
	"fever/replay"
	"fever/store"
	"fever/store/bolt"
)

var (
	weekJobs   = flag.Int("jobs", 5, "how many jobs of the simulated week to run, one a minute")
	weekEvents = flag.Int("events", 200, "how many events each feed of the simulated week has, of some 370 bytes each")
	weekSize   = flag.Int64("size", 10<<30, "how many bytes the archive of the simulated week may have")
	weekKeep   = flag.Duration("keep", 90*24*time.Hour, "how long to keep the documents of the simulated week")
)

// A programme is a feed of events, of which one in a hundred changes each time.
type programme struct {
	random   *rand.Rand
	document []byte
	places   []int // of the number of tickets of each event
}

// digits are those of the number of tickets.
const digits = 6

func newProgramme(events int) *programme {
	p := &programme{random: rand.New(rand.NewPCG(1, 2))}
	p.document = append(p.document, `<planList><output>`...)
	for i := range events {
		p.document = fmt.Appendf(p.document, `<base_plan base_plan_id="%d" sell_mode="online" title="Concert %08x of the %08x">`+
			`<plan plan_id="%d" plan_start_date="2030-%02d-%02dT%02d:30:00" plan_end_date="2031-01-01T00:00:00" sell_from="2020-07-01T00:00:00" sell_to="2029-06-30T20:00:00" sold_out="false">`+
			`<zone zone_id="1" capacity="`, i, p.random.Uint32(), p.random.Uint32(), i, 1+p.random.IntN(12), 1+p.random.IntN(28), p.random.IntN(24))
		p.places = append(p.places, len(p.document))
		p.document = fmt.Appendf(p.document, `%0*d" price="%d.50" name="Platea" numbered="true"/></plan></base_plan>`+"\n", digits, p.random.IntN(1000), p.random.IntN(100))
	}
	p.document = append(p.document, `</output></planList>`...)
	return p
}

func (p *programme) change() {
	for range max(len(p.places)/100, 1) {
		place := p.places[p.random.IntN(len(p.places))]
		copy(p.document[place:], fmt.Appendf(nil, "%0*d", digits, p.random.IntN(1_000_000)))
	}
}

// A collector collects the programme into a data file.
type collector struct {
	st        *bolt.Store
	g         *ingest.Ingester
	processor time.Duration // that its jobs took
	written   int64         // bytes, by its jobs since they were last told
}

func newCollector(t *testing.T, path string, p *programme) *collector {
	t.Helper()
	st, err := bolt.Open(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	st.History = 90 * 24 * time.Hour
	return &collector{st: st, g: ingest.New(st, slog.New(slog.DiscardHandler), 1, programmeProvider(p))}
}

func programmeProvider(p *programme) ingest.Provider {
	format := feverup.New(0)
	return ingest.Provider{
		Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour,
		Begin: func(string) *feed.Page { return &feed.Page{Number: 1} },
		Get: func(context.Context, feed.Validators, *feed.Progress) (*feed.Document, error) {
			return &feed.Document{Body: io.NopCloser(bytes.NewReader(p.document)), Op: "fetch from example.com", Page: feed.Page{Number: 1, Began: time.Now()}}, nil
		},
		Decode: func(doc *feed.Document) (*feed.Feed, error) { return feed.Decode(doc, format, "feverup", time.UTC) },
	}
}

// collect runs a job.
func (c *collector) collect(t *testing.T) {
	t.Helper()
	processor, written := processorTime(t), writtenBytes(t)
	job, err := c.g.RunNow(t.Context(), "feverup", store.Schedule, false)
	if err != nil || job.State != store.Completed || job.New+job.Changed+job.Unchanged != *weekEvents || job.New+job.Changed == 0 {
		t.Fatalf("%.500s, %v", fmt.Sprintf("%+v", job), err)
	}
	c.processor += processorTime(t) - processor
	c.written += writtenBytes(t) - written
}

// processorTime returns the time that this process has had a processor.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	u := usage(t)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func usage(t *testing.T) (u syscall.Rusage) {
	t.Helper()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// writtenBytes returns how many bytes this process has written to files.
func writtenBytes(t *testing.T) (n int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Fatal(err)
	}
	var read int64
	if _, err := fmt.Sscanf(string(text), "rchar: %d\nwchar: %d", &read, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// sizeOf returns the size of a file, or of all files in a folder.
func sizeOf(t *testing.T, path string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		size += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// age sets the time of the newest segment to that of the simulation.
func age(t *testing.T, dir string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*", "*.segment"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments %q, %v", segments, err)
	}
	if err := os.Chtimes(segments[len(segments)-1], time.Time{}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// hasFirst reports whether an archive still has the document of the first job.
func hasFirst(t *testing.T, dir string) bool {
	t.Helper()
	for doc, err := range archive.Documents(t.Context(), archive.Folder(dir), "feverup") {
		if err != nil {
			t.Fatal(err)
		}
		return doc.Job == 1
	}
	return false
}

// TestWeek simulates a week of a feed that comes each minute, with 1 % changes, and then replays what the archive
// has: nothing differs from what is stored. It tells what the archive takes. Each document is collected with an
// archive and without one, in turn, so that the two can be compared. The clock of the jobs and of the archive is
// that of the test. make week runs all of it.
//
// Not parallel: it counts what the process does.
func TestWeek(t *testing.T) {
	const mb = 1e6
	folder := t.TempDir()
	dir, path := filepath.Join(folder, "archive"), filepath.Join(folder, "with.db")
	p := newProgramme(*weekEvents)
	t.Logf("%d jobs, one a minute, of feeds of %.1f MB with %d events, of which 1 %% change; documents are kept for %s", *weekJobs, float64(len(p.document))/mb, *weekEvents, *weekKeep)
	synctest.Test(t, func(t *testing.T) {
		with, without := newCollector(t, path, p), newCollector(t, filepath.Join(folder, "without.db"), p)
		a, err := archive.Open(archive.Folder(dir), *weekKeep, *weekSize)
		if err != nil {
			t.Fatal(err)
		}
		with.g.Archive = a
		defer func() {
			if err := with.st.Close(); err != nil {
				t.Error(err)
			}
			if err := without.st.Close(); err != nil {
				t.Error(err)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}()
		began := time.Now()
		for n := range *weekJobs {
			turn := []*collector{with, without}
			for i := range turn {
				turn[(i+n)%2].collect(t)
			}
			age(t, dir)
			if unkept := with.g.Unarchived.Load(); unkept > 0 {
				t.Fatalf("the archive has failed %d times", unkept)
			}
			p.change()
			time.Sleep(time.Minute)
			if (n+1)%1440 == 0 || n+1 == *weekJobs {
				t.Logf("%s: archive %.1f MB, data file %.1f MB; written since the last line: %.1f MB, of which %.1f MB by the archive",
					time.Since(began), float64(sizeOf(t, dir))/mb, float64(sizeOf(t, path))/mb,
					float64(with.written)/mb, float64(with.written-without.written)/mb)
				with.written, without.written = 0, 0
			}
		}
		t.Logf("processor time of a job: %.1f ms with the archive, %.1f ms without: %.2f times as much", with.processor.Seconds()*1e3/float64(*weekJobs),
			without.processor.Seconds()*1e3/float64(*weekJobs), with.processor.Seconds()/without.processor.Seconds())
	})
	t.Logf("memory at most %.0f MB, %.0f MB of which are the document", float64(usage(t).Maxrss)/1e3, float64(len(p.document))/mb)

	stored, made := openStore(t, path), openStore(t, filepath.Join(folder, "replayed.db"))
	made.History = 90 * 24 * time.Hour
	g := ingest.New(made, slog.New(slog.DiscardHandler), 1, programmeProvider(p))
	began, processor := time.Now(), processorTime(t)
	result, err := replay.Provider(t.Context(), g, archive.Folder(dir), "feverup", replay.Range{Store: stored, At: time.Now()})
	if err != nil || len(result.Wrong) > 0 || result.Committed == 0 || result.Committed < *weekJobs && hasFirst(t, dir) {
		t.Fatalf("replayed: %+v, %v", result, err)
	}
	t.Logf("replayed: %d jobs in %s, with %s of processor time: %s for a day", result.Committed, time.Since(began).Round(time.Millisecond),
		(processorTime(t) - processor).Round(time.Millisecond), (time.Since(began) * 1440 / time.Duration(result.Committed)).Round(time.Second))
	m := replay.Merge{Stored: stored, Replayed: made, Results: map[string]replay.Result{"feverup": result}}
	if got := differences(t, &m); len(got) > 0 {
		t.Errorf("%d events differ, such as %s", len(got), got[0])
	}
}
