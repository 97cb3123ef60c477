package bolt

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
	"fever/store/storetest"
)

// collectVariable names the file that a process started by TestKilled writes.
const collectVariable = "FEVER_TEST_COLLECT"

// flipping is what is on sale in a world that flips between two states: each event has
// one of two capacities, and some are there in one of the states alone.
type flipping [2][]event.Event

func newFlipping() (f flipping) {
	for i := range 600 {
		for state := range f {
			if i%10 != state {
				e := sample("a", i, 1)
				e.Zones[0].Capacity = int64(state)
				f[state] = append(f[state], e)
			}
		}
	}
	return f
}

func (f *flipping) snapshot(n int) store.Snapshot {
	snap := snapshot("a", int64(n), f[n%2]...)
	snap.Validators.ETag = strconv.Itoa(n)
	return snap
}

// collect applies one snapshot after the other until it is killed, and prints the number
// of each when it is told that it is stored.
func collect(path string) error {
	ctx := context.Background()
	s, err := Open(path, keep)
	if err != nil {
		return err
	}
	last, err := s.Validators(ctx, "a")
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(last.ETag) // 0 in a new file
	world := newFlipping()
	for {
		n++
		job, err := s.Begin(ctx, store.Job{Provider: "a", Trigger: store.Schedule, Started: noon})
		if err != nil {
			return err
		}
		job.Finished, job.Bytes = noon, int64(n)
		if _, _, err := s.Apply(ctx, world.snapshot(n), job); err != nil {
			return err
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
}

// TestKilled kills a process that collects, at any moment, again and again. Each time
// the file must hold the version whose end was printed last or, when the process was
// killed before it could print it, the one after that: whole, and with its job.
//
// Not parallel: until its program has begun, a process that is started shares what other
// tests have open, locks on files included.
func TestKilled(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "fever.db")
	m := storetest.NewModel()
	world := newFlipping()
	stored := 0 // the version that the model is at
	for range 10 {
		printed := runAndKill(t, collectVariable+"="+path, random)
		s, err := Open(path, keep)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		v, err := s.Validators(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(v.ETag)
		if err != nil || n != printed && n != printed+1 {
			t.Fatalf("version %q is stored, %d was printed", v.ETag, printed)
		}
		for stored < n {
			stored++
			m.Apply(world.snapshot(stored), 0)
		}
		got := make(map[event.Key]event.Record)
		for _, r := range records(t, s, everything) {
			got[r.Key] = r
		}
		if !reflect.DeepEqual(got, m.Records) {
			t.Fatalf("%d records, not the %d of version %d", len(got), len(m.Records), n)
		}
		checkInterrupted(t, s, n)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// runAndKill starts a process with a setting that says what it does to a file, kills it after
// some steps and a moment more, and returns the number of the last that it printed.
func runAndKill(t *testing.T, setting string, random *rand.Rand) (printed int) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), program)
	child.Env = append(os.Environ(), setting)
	var stderr bytes.Buffer
	child.Stderr = &stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for range 1 + random.IntN(2) {
		lines.Scan()
	}
	work := make([]byte, 1<<20)
	for range random.IntN(3000) { // of which the next version takes about as many
		_ = crc32.ChecksumIEEE(work)
	}
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	last := lines.Text()
	for lines.Scan() { // what it printed before it was killed
		last = lines.Text()
	}
	_ = child.Wait() // the error says what the next line finds out
	if got := child.ProcessState.String(); got != "signal: killed" {
		t.Fatalf("it ended by itself: %s\n%s", got, &stderr)
	}
	if printed, err = strconv.Atoi(last); err != nil {
		t.Fatal(err)
	}
	return printed
}

// checkInterrupted looks at the jobs when version n is stored and the process that
// collected was killed.
func checkInterrupted(t *testing.T, s *Store, n int) {
	t.Helper()
	all := jobs(t, s, store.JobFilter{})
	running := 0
	if all[0].State == store.Running {
		running = 1
	}
	if newest := all[running]; newest.State != store.Completed || newest.Bytes != int64(n) {
		t.Errorf("version %d is stored, the newest finished job is %+v", n, newest)
	}
	if got, err := s.Interrupt(t.Context(), noon); got != running || err != nil {
		t.Errorf("%d interrupted, not %d: %v", got, running, err)
	}
	if running == 1 {
		if got := jobs(t, s, store.JobFilter{Limit: 1})[0]; got.ID != all[0].ID || got.State != store.Failed || got.Kind != feed.KindInterrupted {
			t.Errorf("the job that ran is %+v", got)
		}
	}
}
