package control

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fever/internal/pipe"
)

// dead leaves the socket of a process that did not remove it.
func dead(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestListenSocket(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(path string){
		"nothing there":  func(string) {},
		"a dead process": func(path string) { dead(t, path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := pipe.SocketFolder(t)
			path := filepath.Join(dir, "fever.db.sock")
			before(path)
			l, err := ListenSocket(path)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Lstat(path)
			if err != nil || info.Mode() != fs.ModeSocket|0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if l.Addr().String() != path {
				t.Errorf("its address is %s", l.Addr())
			}
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Errorf("the folder holds %v, %v", files, err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
				t.Errorf("after Close the folder holds %v, %v", files, err)
			}
		})
	}
}

// TestListenSocketRefuses listens where something is that is to be left.
func TestListenSocketRefuses(t *testing.T) {
	t.Parallel()
	dir := pipe.SocketFolder(t)
	taken := filepath.Join(dir, "taken.sock")
	l, err := ListenSocket(taken)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	file := filepath.Join(dir, "file.sock")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.sock")
	if err := os.Symlink(taken, link); err != nil {
		t.Fatal(err)
	}
	for path, say := range map[string]string{
		taken: "another process answers on it",
		file:  "no socket",
		dir:   "no socket",
		link:  "no socket",
		filepath.Join(dir, "missing", "fever.db.sock"):        "no such file or directory",
		filepath.Join(dir, strings.Repeat("long", 30)):        "a socket's path can have 107 bytes",
		filepath.Join(dir, strings.Repeat("x", 100-len(dir))): "",
	} {
		again, err := ListenSocket(path)
		switch {
		case err == nil:
			if say != "" {
				t.Errorf("%s: no error", path)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		case say == "" || !strings.Contains(err.Error(), say) || !strings.Contains(err.Error(), filepath.Dir(path)):
			t.Errorf("%s: error %v", path, err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}

// TestSocketReplaced closes a socket that has been replaced: its successor stays.
func TestSocketReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(pipe.SocketFolder(t), "fever.db.sock")
	first, err := ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("it is still there")
	}
}
