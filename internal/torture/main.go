// Torture kills fever serve at random instants, again and again, while fever collects feeds
// that change with each answer. Now and then there is no room for the data file to grow. Each
// time it checks the data file:
//
//   - it has every job that the log called completed, or whose data a search has shown;
//   - it has exactly the events that its completed jobs make;
//   - it has the history of an event that they make; every other file keeps none;
//   - the archive has the document of each completed job, as it was sent;
//   - jobs that ran become interrupted;
//   - a search in the next process finds all that is stored.
//
// After the last kill of a file, fever replay must make of the archive what the file has.
//
// It fails at the first violation, and keeps the file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fever/internal/harness"
	"fever/store"
	"fever/store/bolt"
)

func main() {
	fever := flag.String("fever", "bin/fever", "the fever `binary`")
	kills := flag.Int("kills", 1000, "how many `times` to kill it")
	perFile := flag.Int("per-file", 50, "begin a new data file after so many `kills`")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "`number` that the instants are drawn with")
	flag.Parse()
	if *kills < 1 || *perFile < 1 {
		fmt.Fprintln(os.Stderr, "torture: -kills and -per-file must be at least 1")
		os.Exit(2)
	}
	harness.Main("torture", func(ctx context.Context, out io.Writer) error {
		return run(ctx, out, *fever, *kills, *perFile, *seed)
	})
}

func run(ctx context.Context, out io.Writer, fever string, kills, perFile int, seed uint64) (err error) {
	dir, err := os.MkdirTemp("", "fever-torture")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("seed %d, files in %s: %w", seed, dir, err)
			return
		}
		err = os.RemoveAll(dir)
	}()
	served, err := serveFeeds(ctx)
	if err != nil {
		return err
	}
	defer served.close()
	v := victim{
		fever:  fever,
		dir:    dir,
		feeds:  served,
		random: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // an instant is no secret
		usual:  100 * time.Millisecond,
		began:  time.Now(),
	}
	for n := range kills {
		if n%perFile == 0 {
			if err := v.renew(n / perFile); err != nil {
				return err
			}
		}
		if err := v.live(ctx); err != nil {
			return fmt.Errorf("kill %d: %w", n+1, err)
		}
		if err := v.examine(ctx); err != nil {
			return fmt.Errorf("after kill %d: %w", n+1, err)
		}
		if last := n+1 == kills; last || (n+1)%perFile == 0 {
			if err := v.replay(ctx); err != nil {
				return fmt.Errorf("after kill %d: %w", n+1, err)
			}
		}
		if (n+1)%50 == 0 || n+1 == kills {
			if _, err := fmt.Fprintf(out, "%d kills, %d jobs completed, %s\n", n+1, v.figures.completed, time.Since(v.began).Round(time.Second)); err != nil {
				return err
			}
		}
	}
	return v.figures.print(out, time.Since(v.began), seed)
}

// A victim is a data file whose processes are killed.
type victim struct {
	fever, dir, db, config string

	feeds   *feeds
	random  *rand.Rand
	usual   time.Duration // from a start until it serves
	began   time.Time
	figures figures

	created  bool // a process has said that it had loaded the file
	history  bool // the file keeps what events were
	model    *model
	archived map[uint64]bool // of completed jobs, whether the archive has their documents
	stored   []record        // at the last examination
	shown    [providers]int  // versions that a search has shown
	process  *process        // the last

	searching <-chan []byte // set while searches run without a pause; brings the last answer
}

// renew begins a new data file.
func (v *victim) renew(n int) error {
	v.db = filepath.Join(v.dir, fmt.Sprintf("%d.db", n))
	v.config = filepath.Join(v.dir, fmt.Sprintf("%d.yaml", n))
	v.history = n%2 == 0
	v.created, v.model, v.archived, v.stored, v.shown = false, newModel(), make(map[uint64]bool), nil, [providers]int{}
	var b strings.Builder
	fmt.Fprintf(&b, "listen: 127.0.0.1:0\ndb: %s\nkeep-jobs: %d\n", v.db, keepJobs)
	if !v.history {
		b.WriteString("history: 0\n")
	}
	b.WriteString("providers:\n")
	for p := range providers {
		fmt.Fprintf(&b, "  - name: %s\n    url: %s%[1]s\n    every: 1s\n    timeout: 1h\n", providerName(p), v.feeds.url)
	}
	last := filepath.Join(v.dir, fmt.Sprintf("%d.db", n-1))
	if err := errors.Join(os.RemoveAll(last), os.RemoveAll(last+archiveSuffix)); err != nil {
		return err
	}
	return os.WriteFile(v.config, []byte(b.String()), 0o600)
}

// limit returns the largest size of the data file in the next process. In one of sixteen it is
// less than the present size; else it is 0, which means no limit.
func (v *victim) limit() (int64, error) {
	if !v.created || v.random.IntN(16) > 0 {
		return 0, nil
	}
	info, err := os.Stat(v.db)
	if err != nil {
		return 0, err
	}
	return 1<<14 + v.random.Int64N(info.Size()), nil
}

// live starts a process and kills it: one in four while it starts, the others while they
// collect, at any time or soon after an event that makes commits likely.
func (v *victim) live(ctx context.Context) error {
	open := v.feeds.shut()
	defer open()
	limit, err := v.limit()
	if err != nil {
		return err
	}
	process, err := startProcess(ctx, v.fever, v.config, limit)
	if err != nil {
		return err
	}
	v.process = process
	err = v.use(ctx, process, open)
	err = errors.Join(err, process.kill())
	if v.searching == nil {
		return err
	}
	answer := <-v.searching // the last one before the end
	v.searching = nil
	if err != nil || answer == nil {
		return err
	}
	v.figures.searches++
	v.shown, err = whole(answer)
	return err
}

// use works with a process until it is time to kill it.
func (v *victim) use(ctx context.Context, process *process, open func()) error {
	manner := v.random.IntN(4)
	if process.starved {
		manner = 2
	}
	if !v.created && v.random.IntN(8) > 0 {
		return wait(ctx, v.draw(20*time.Millisecond)) // it is about to create the file
	}
	if manner == 0 {
		return wait(ctx, v.draw(v.usual))
	}
	if err := process.await(ctx, "served", process.Serving); err != nil {
		return err
	}
	v.usual = time.Since(process.began)
	answer, err := process.search(ctx)
	if err == nil {
		err = agree(answer, v.stored)
	}
	if err != nil {
		return err
	}
	v.figures.searches++
	open()
	if v.random.IntN(2) == 0 {
		answers := make(chan []byte, 1)
		v.searching = answers
		go func() { answers <- process.searchOn(ctx) }()
	}
	switch manner {
	case 1:
		err = process.await(ctx, "fetched a feed", v.feeds.served)
	case 2:
		err = process.await(ctx, "completed a job", process.told)
	}
	if err != nil {
		return err
	}
	return wait(ctx, v.draw(max(v.usual, 120*time.Millisecond))) // longer on a slow machine
}

func (v *victim) draw(most time.Duration) time.Duration {
	return time.Duration(v.random.Int64N(int64(most)))
}

func wait(ctx context.Context, d time.Duration) error {
	if !harness.Pause(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// examine checks the data file after the kill.
func (v *victim) examine(ctx context.Context) error {
	v.created = v.created || isClosed(v.process.loaded)
	if !v.created && isUnborn(v.db) {
		v.figures.creating++ // the next process must create it
		return nil
	}
	jobs, err := dump[job](ctx, v.fever, v.db, "--jobs")
	if err != nil {
		return err
	}
	completed, running, err := v.model.take(jobs, isClosed(v.process.Serving), v.process.starved)
	if err != nil {
		return err
	}
	for _, id := range v.process.completed {
		if state := v.model.jobs[id].State; state != "completed" {
			return fmt.Errorf("job %d was said to have completed, and is recorded as %q", id, state)
		}
	}
	for p, shown := range v.shown {
		if shown > v.model.version[p] {
			return fmt.Errorf("a search has shown version %d of %s, and stored is version %d", shown, providerName(p), v.model.version[p])
		}
	}
	if v.stored, err = dump[record](ctx, v.fever, v.db); err != nil {
		return err
	}
	if err := v.model.compare(v.stored); err != nil {
		return err
	}
	if err := errors.Join(v.examineHistory(ctx), check(v.db), v.examineArchive(ctx)); err != nil {
		return err
	}
	v.figures.count(v, completed, running)
	return nil
}

// examineHistory looks at the history of an event, which may never have been on sale.
func (v *victim) examineHistory(ctx context.Context) error {
	at := place{v.random.IntN(providers), v.random.IntN(events)}
	found, err := dump[past](ctx, v.fever, v.db, "--history", fmt.Sprintf("%s/%06d/%06[2]d", providerName(at.provider), at.event))
	never := v.model.events[at.provider][at.event].version == 0
	switch {
	case never && err != nil && strings.Contains(err.Error(), "no such event is stored"):
		return nil
	case never && err == nil:
		return fmt.Errorf("fever dump --history of %+v, which was never on sale, has not failed: %+v", at, found)
	case err != nil:
		return err
	}
	return v.model.compareHistory(at, found, v.history)
}

// isUnborn reports whether there is no data file, or one that nothing was stored in.
func isUnborn(db string) bool {
	s, err := bolt.OpenReadOnly(db)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrForeign)
	}
	return s.Close() != nil
}

// check checks the data file as the tests of the store do.
func check(db string) error {
	s, err := bolt.OpenReadOnly(db)
	if err != nil {
		return err
	}
	return errors.Join(s.Check(), s.Close())
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
