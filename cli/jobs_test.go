package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fever/store"
	"fever/store/bolt"
)

func TestJobCells(t *testing.T) {
	t.Parallel()
	start := time.Date(2021, 2, 1, 0, 0, 0, 0, time.UTC)
	if got := took(&store.Job{Started: start, Finished: start.Add(1234 * time.Millisecond)}); got != "1.2 s" {
		t.Errorf("it took %s", got)
	}
	if got := took(&store.Job{Started: start}); got != "-" {
		t.Errorf("a job that runs took %s", got)
	}
	failed := store.Job{Provider: "a", State: store.Failed, Kind: "decode", Message: "provider a: fetch: \x1b[2J\tnot a feed:\n" + strings.Repeat("ñ", 200)}
	if got, want := note(&failed), "decode: fetch: [2J not a feed: "+strings.Repeat("ñ", 68)+"…"; got != want {
		t.Errorf("note %q, want %q", got, want)
	}
}

// TestInterrupted starts after a process that died while it ran a job.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "fever.db")
	st, err := bolt.Open(db, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = st.Begin(t.Context(), store.Job{Provider: "feverup", Trigger: store.Schedule, Started: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if before, _ := run(t, exitDone, "dump", "--jobs", "--db", db); !strings.Contains(before, `"kind":"interrupted"`) {
		t.Errorf("before: %s", before)
	}
	run(t, exitDone, "sync", "--once", "--db", db, feeds("event-list")[0])
	after, _ := run(t, exitDone, "dump", "--jobs", "--db", db)
	if lines := strings.Split(after, "\n"); len(lines) != 3 || !strings.Contains(lines[0], `"state":"completed"`) || !strings.Contains(lines[1], `"kind":"interrupted"`) {
		t.Errorf("after: %s", after)
	}
}

// TestSecrets sends secrets to a provider that fails and repeats them, and looks for
// them in all that is printed and kept.
func TestSecrets(t *testing.T) {
	t.Parallel()
	var sent atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user == "me" && password == "s3cret" && r.FormValue("key") == "s3cret" && r.Header.Get("X-Key") == "s3cret" {
			sent.Add(1)
		}
		w.Header().Set("X-Key", "s3cret")
		http.Error(w, "s3cret", http.StatusForbidden)
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	db, file := filepath.Join(dir, "fever.db"), filepath.Join(dir, "fever.yaml")
	text := "providers:\n- name: a\n  url: " + strings.Replace(srv.URL, "//", "//me:s3cret@", 1) + "/?key=s3cret\n  headers: {X-Key: s3cret}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	printed, log := run(t, exitFailed, "sync", "--once", "--config", file, "--db", db, "--log-level", "debug")
	if sent.Load() != 1 || !strings.Contains(printed, "a: failed after ") || !strings.Contains(printed, "http_status: ") {
		t.Errorf("sent %d times; %s", sent.Load(), printed)
	}
	for _, form := range []string{"table", "json", "ndjson", "csv"} {
		jobs, _ := run(t, exitDone, "dump", "--jobs", "--db", db, "--format", form)
		printed += jobs
	}
	kept, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(printed+log+string(kept), "s3cret") {
		t.Errorf("a secret is in what was printed, or kept:\n%s%s", printed, log)
	}
}
