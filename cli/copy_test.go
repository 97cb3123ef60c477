package cli

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/internal/postgrestest"
	"fever/store/bolt"
	"fever/store/storetest"
)

// dumps returns all that fever dump says of a place.
func dumps(t *testing.T, place string) string {
	t.Helper()
	events, _ := run(t, exitDone, "dump", "--format", "json", "--db", place)
	jobs, _ := run(t, exitDone, "dump", "--jobs", "--format", "json", "--db", place)
	return events + jobs
}

// TestCopyThereAndBack moves a data file into a database and back, and has the database backed up.
func TestCopyThereAndBack(t *testing.T) {
	t.Parallel()
	file, database, folder := synced(t, "event-list"), postgrestest.Database(t), t.TempDir()
	want := dumps(t, file)
	stdout, _ := run(t, exitDone, "copy", file, database)
	if !strings.Contains(stdout, "3 events, 1 provider, 3 outcomes of jobs, 5 changes kept, checked") {
		t.Errorf("copied: %s", stdout)
	}
	back, backup, again := filepath.Join(folder, "back.db"), filepath.Join(folder, "backup.db"), filepath.Join(folder, "again.db")
	run(t, exitDone, "copy", database, back)
	run(t, exitDone, "backup", "--db", database, backup)
	output, _ := run(t, exitDone, "backup", "--db", database, "-")
	if err := os.WriteFile(again, []byte(output), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{database, back, backup, again} {
		if got := dumps(t, place); got != want {
			t.Errorf("%s dumps\n%s\nnot\n%s", place, got, want)
		}
		stdout, _ := run(t, exitDone, "check", "--db", place)
		if !strings.Contains(stdout, ": 3 events, 1 provider, 3 outcomes of jobs, 5 changes kept, at revision 3: all in order\n") {
			t.Errorf("checked: %s", stdout)
		}
	}

	run(t, exitDone, "forget", "--provider", "feverup", "--db", database)
	if _, stderr := run(t, exitFailed, "copy", backup, database); !strings.Contains(stderr, "something is stored there; add --replace") {
		t.Errorf("refused: %s", stderr)
	}
	run(t, exitDone, "copy", "--replace", backup, database)
	if got := dumps(t, database); got != want {
		t.Errorf("restored are\n%s\nnot\n%s", got, want)
	}
}

// TestCopyKilled kills copies over a file, and over a database: each stays what it was, or becomes
// the copy.
func TestCopyKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	large, old := filepath.Join(folder, "large.db"), synced(t, "event-list")
	st, err := bolt.Open(large, 1)
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	for n := range 2000 {
		events = append(events, storetest.Sample("a", n, 3))
	}
	storetest.Apply(t, st, storetest.Snapshot("a", 1, events...))
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for name, to := range map[string]string{"file": filepath.Join(folder, "to.db"), "database": postgrestest.Database(t)} {
		run(t, exitDone, "copy", old, to)
		before, after := dumps(t, to), dumps(t, large)
		killed := 0
		for range 5 {
			copying := exec.CommandContext(t.Context(), self, "copy", "--replace", large, to)
			copying.Env = []string{asProgram + "=1"}
			if err := copying.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.Int64N(int64(time.Second / 2))))
			_ = copying.Process.Kill() // it may have ended
			if copying.Wait() != nil {
				killed++
			}
			if got := dumps(t, to); got != before && got != after {
				t.Fatalf("%s: it dumps %d bytes, not %d or %d", name, len(got), len(before), len(after))
			}
		}
		run(t, exitDone, "check", "--db", to)
		t.Logf("%s: %d of 5 were killed", name, killed)
	}
}
