package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fever/internal/pipe"
)

// nobody is a user without any rights.
const nobody = 65534

// The tests in this file are not parallel to others: until its program has begun, a
// process that is started shares what they have open, such as locks on files, sockets
// that listen, and a program that is being written and cannot be run meanwhile.

// A person runs the program, in a folder of their own. It is nobody when these tests
// run as root, whom nothing is refused, and who runs them otherwise.
type person struct {
	binary string
	folder string
	id     int
}

func newPerson(t *testing.T, binary string) person {
	t.Helper()
	p := person{binary: binary, folder: pipe.SocketFolder(t), id: os.Getuid()}
	if p.id == 0 {
		p.id = nobody
	}
	p.own(t, p.folder, 0o700)
	t.Cleanup(func() { p.own(t, p.folder, 0o700) }) // so that it can be removed
	return p
}

// program returns the path of the program, for all to run: where the binary of these
// tests is, and in t.TempDir, another user cannot get.
func program(t *testing.T) string {
	t.Helper()
	folder := pipe.SocketFolder(t)
	path := filepath.Join(folder, "fever")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err == nil {
		err = errors.Join(os.WriteFile(path, binary, 0o600), os.Chmod(path, 0o755), os.Chmod(folder, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// path returns that of a file in the person's folder.
func (p person) path(name string) string { return filepath.Join(p.folder, name) }

// own gives a file to the person, with a mode.
func (p person) own(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.Chown(path, p.id, -1), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// put writes a file of the person's.
func (p person) put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.own(t, p.path(name), 0o600)
}

// command returns one of the program's, run in the person's folder, with a umask that
// takes no right away: modes are the program's own doing.
func (p person) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", `umask 0; exec "$0" "$@"`, p.binary}, args...)...)
	cmd.Dir = p.folder
	cmd.Env = []string{asProgram + "=1", "TMPDIR=" + p.folder, "NO_COLOR=1"}
	if p.id != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.id), Gid: uint32(p.id)}}
	}
	return cmd
}

// run runs the program to its end.
func (p person) run(t *testing.T, wantCode int, args ...string) (said string) {
	t.Helper()
	var out bytes.Buffer
	cmd := p.command(t, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != wantCode {
		t.Fatalf("fever %s: exit code %d, want %d\n%s", strings.Join(args, " "), code, wantCode, out.String())
	}
	return out.String()
}

// A process is a fever serve that runs.
type process struct {
	*exec.Cmd
	address, ops string
	stop         func()
}

// serve starts one and waits until it serves.
func (p person) serve(t *testing.T, args ...string) *process {
	t.Helper()
	cmd := p.command(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-format", "json"}, args...)...)
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &process{Cmd: cmd}
	s.stop = func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_, _ = io.Copy(io.Discard, logs) // until it has ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("fever serve: %v", err)
		}
	}
	var log strings.Builder
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		var line struct{ Msg, Address, Ops string }
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Msg == "serving" {
			s.address, s.ops = line.Address, line.Ops
			go func() { _, _ = io.Copy(io.Discard, logs) }() // ends with the process
			return s
		}
		log.WriteString(lines.Text() + "\n")
	}
	t.Fatalf("fever serve ended: %v: %s", cmd.Wait(), log.String())
	return nil
}

// sockets returns what a process listens on: the addresses of TCP and paths, and
// everything of UDP, as the kernel writes them.
func sockets(t *testing.T, pid int) (all []string) {
	t.Helper()
	folder := fmt.Sprintf("/proc/%d/", pid)
	open, err := os.ReadDir(folder + "fd")
	if err != nil {
		t.Fatal(err)
	}
	var inodes []string
	for _, descriptor := range open {
		target, err := os.Readlink(folder + "fd/" + descriptor.Name())
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // closed by now
			t.Fatal(err)
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	for _, table := range []struct {
		name                  string
		state, address, inode int // columns
		listens               string
	}{
		{"tcp", 3, 1, 9, "0A"},
		{"tcp6", 3, 1, 9, "0A"},
		{"udp", 3, 1, 9, ""},
		{"udp6", 3, 1, 9, ""},
		{"raw", 3, 1, 9, ""},
		{"unix", 3, 7, 6, "00010000"},
	} {
		text, err := os.ReadFile(folder + "net/" + table.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without it has no such sockets
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			columns := strings.Fields(line)
			if len(columns) <= max(table.inode, table.address) || !slices.Contains(inodes, columns[table.inode]) {
				continue
			}
			if table.listens == "" || columns[table.state] == table.listens {
				all = append(all, table.name+" "+columns[table.address])
			}
		}
	}
	return all
}

// TestListeners looks at all that a service listens on: the two addresses, and the
// socket beside the data file.
func TestListeners(t *testing.T) {
	p := newPerson(t, program(t))
	for ops, want := range map[string]int{"127.0.0.1:0": 2, "": 1} {
		s := p.serve(t, "--no-sync", "--ops-listen", ops)
		var tcp int
		for _, socket := range sockets(t, s.Process.Pid) {
			kind, address, _ := strings.Cut(socket, " ")
			switch {
			case kind == "tcp" && strings.HasPrefix(address, "0100007F:"): // 127.0.0.1
				tcp++
			case kind == "unix" && strings.HasSuffix(address, "/s"): // where it was made: see ops.ListenSocket
			default:
				t.Errorf("ops %q: it listens on %s", ops, socket)
			}
		}
		if tcp != want {
			t.Errorf("ops %q: it listens on %d addresses of TCP, not %d", ops, tcp, want)
		}
		s.stop()
	}
}

// TestModes looks at every file that is made, while and after it is.
func TestModes(t *testing.T) {
	p := newPerson(t, program(t))
	begun, release := make(chan struct{}), make(chan struct{})
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		// Far more than a spool holds in memory, and the kernel under way.
		white := bytes.Repeat([]byte(" "), 1<<20)
		for range 64 {
			_, _ = w.Write(white) // the client may not care
		}
		close(begun)
		<-release
		_, _ = io.WriteString(w, "<planList><output/></planList>")
	}))
	t.Cleanup(provider.Close)
	s := p.serve(t, "--no-sync", "--ops-listen", "127.0.0.1:0", "--provider-url", provider.URL, "--timeout", "30m")
	synced := make(chan string, 1)
	go func() {
		said, err := p.command(t, "sync", "--once").CombinedOutput()
		synced <- fmt.Sprintf("%s, %v", said, err)
	}()
	<-begun
	unnamed := func() (names []string) {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, descriptor := range open {
			path := fmt.Sprintf("/proc/%d/fd/%s", s.Process.Pid, descriptor.Name())
			target, err := os.Readlink(path)
			if err != nil || !strings.HasSuffix(target, " (deleted)") {
				continue
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("%s: %v, %v", target, info, err)
			}
			names = append(names, target)
		}
		return names
	}
	if spooled := unnamed(); len(spooled) != 1 {
		t.Errorf("the body is in %v", spooled)
	}
	p.modes(t, "fever.db", "fever.db.archive", "fever.db.sock")
	close(release)
	if said := <-synced; !strings.Contains(said, "completed") || !strings.HasSuffix(said, "<nil>") {
		t.Error(said)
	}
	if left := unnamed(); len(left) > 0 {
		t.Errorf("%v are left open", left)
	}
	p.run(t, exitDone, "backup", "used.db")
	p.modes(t, "fever.db", "fever.db.archive", "fever.db.sock", "used.db")
	s.stop()
	p.run(t, exitDone, "backup", "free.db")
	p.modes(t, "fever.db", "fever.db.archive", "free.db", "used.db")
}

// modes checks that these files are in the person's folder and no others, and that
// nobody else may do anything with them.
func (p person) modes(t *testing.T, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, entry.Name())
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s: %v", entry.Name(), info.Mode())
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("there are %q, not %q", names, want)
	}
}

// TestLackOfPermission takes rights away, one at a time. What needs them is refused with
// a message that says which file it is about, and leaves everything as it was.
func TestLackOfPermission(t *testing.T) {
	const feed = "<planList><output/></planList>"
	binary := program(t)
	serve := []string{"serve", "--no-sync", "--listen=127.0.0.1:0", "--ops-listen="}
	tests := map[string]struct {
		file string // in the folder; or "", the folder itself
		mode fs.FileMode
		args []string
		says string
	}{
		"to make the data file":     {"", 0o500, []string{"sync", "--once", "--db", "new.db", "feed.xml"}, "new.db: permission denied"},
		"to read the file it holds": {"fever.db", 0o200, serve, "fever.db: permission denied"},
		"to write to it":            {"fever.db", 0o400, serve, "fever.db: permission denied"},
		"to write to it, to sync":   {"fever.db", 0o400, []string{"sync", "--once", "feed.xml"}, "fever.db: permission denied"},
		"to read it, to dump":       {"fever.db", 0o200, []string{"dump"}, "fever.db: permission denied"},
		"to read it, to back up":    {"fever.db", 0o000, []string{"backup", "copy.db"}, "fever.db: permission denied"},
		"to make the backup":        {"", 0o500, []string{"backup", "copy.db"}, "back up: "},
		"to read a feed":            {"feed.xml", 0o000, []string{"sync", "--once", "feed.xml"}, "open feed.xml: permission denied"},
		"to read the configuration": {"fever.yaml", 0o000, append(serve, "--config", "fever.yaml"), "fever.yaml: permission denied"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, binary)
			p.put(t, "feed.xml", feed)
			p.put(t, "fever.yaml", "workers: 1\n")
			p.run(t, exitDone, "sync", "--once", "feed.xml")
			before := p.content(t)
			p.own(t, p.path(test.file), test.mode)
			wantCode := exitFailed
			if name == "to read the configuration" {
				wantCode = exitUsage
			}
			if said := p.run(t, wantCode, test.args...); !strings.Contains(said, test.says) || !strings.Contains(said, "permission denied") {
				t.Errorf("%q is not in %s", test.says, said)
			}
			p.own(t, p.folder, 0o700)
			// That a feed could not be read is an outcome, which is kept.
			if after := p.content(t); after != before && name != "to read a feed" {
				t.Errorf("there was %.200q, and is %.200q", before, after)
			}
		})
	}
}

// content returns all files and what is in them.
func (p person) content(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() { // the archive, in which nothing is kept of what fails
			continue
		}
		text, err := os.ReadFile(p.opened(t, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(entry.Name() + ": " + string(text))
	}
	return all.String()
}

// opened returns the path of a file in the person's folder that may be read again.
func (p person) opened(t *testing.T, name string) (path string) {
	t.Helper()
	p.own(t, p.path(name), 0o600)
	return p.path(name)
}

// TestStranger asks a service by way of its socket as somebody who may not write to it.
func TestStranger(t *testing.T) {
	p := newPerson(t, program(t))
	s := p.serve(t, "--no-sync", "--ops-listen=")
	// The folder lets everybody in: the files are what is closed.
	p.own(t, p.folder, 0o755)
	stranger := p
	if os.Getuid() == 0 {
		stranger.id-- // another one
	} else {
		p.own(t, p.path("fever.db"), 0o000)
		p.own(t, p.path("fever.db.sock"), 0o000)
	}
	for _, args := range [][]string{
		{"dump"}, {"dump", "--jobs"}, {"sync", "--once"}, {"backup", "-"}, {"health"}, {"serve", "--listen=127.0.0.1:0", "--ops-listen="},
	} {
		if said := stranger.run(t, exitFailed, args...); !strings.Contains(said, "permission denied") {
			t.Errorf("%v: %s", args, said)
		}
	}
	p.own(t, p.path("fever.db"), 0o600)
	p.own(t, p.path("fever.db.sock"), 0o600)
	healthy := false
	for range 5 { // on a busy machine it may not wait long enough
		healthy = healthy || p.command(t, "health").Run() == nil
	}
	if !healthy {
		t.Error("its owner cannot reach it")
	}
	s.stop()
}
