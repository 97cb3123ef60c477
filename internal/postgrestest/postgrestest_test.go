package postgrestest

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fever/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(Run(m))) }

// TestDatabase makes a database, asks it something, and looks that nothing is left of the
// server when it was stopped.
func TestDatabase(t *testing.T) {
	t.Parallel()
	s, err := start(sharedServer(t).bin, "fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("its encoding", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), filepath.Join(s.bin, "psql"), "--no-psqlrc", "--tuples-only", "--command=show server_encoding", s.Database(t)).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "UTF8" {
			t.Errorf("%s, %v", out, err)
		}
	})
	place, err := url.Parse(s.URL("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := exec.CommandContext(t.Context(), filepath.Join(s.bin, "pg_isready"), "--quiet", "--host="+place.Query().Get("host")).Run(); err == nil {
		t.Error("the server still answers")
	}
	if _, err := os.Stat(s.folder); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}
}
