package postgrestest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Start makes a cluster, and runs a server on it with the settings, each "name=value". Each
// commit waits for the disk, unless they say otherwise. Who starts a server stops it.
func Start(settings ...string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	return start(bin, settings...)
}

// A Mode is how a server stops.
type Mode string

// The modes. After the last two the server has to recover at its next start.
const (
	Fast      Mode = "INT"  // it ends all sessions, and writes everything to disk
	Immediate Mode = "QUIT" // it ends at once
	Killed    Mode = "KILL" // its first process is killed, as if for want of memory
)

// Down stops the server and keeps what it holds, for [Server.Up].
func (s *Server) Down(how Mode) error {
	processes, err := s.processes()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.alive, how)
	err = errors.Join(err, s.alive.Close())
	s.alive = nil
	_ = s.command.Wait() // the status is that of a server which was told to stop
	for _, pid := range processes {
		for syscall.Kill(pid, 0) == nil { // they share memory, without which there is no start
			time.Sleep(10 * time.Millisecond)
		}
	}
	return err
}

// Standby makes a standby of the server, and runs it. It streams from the server under a name,
// which the server's synchronous_standby_names may have.
func (s *Server) Standby(name string) (*Server, error) {
	settings := append([]string{fmt.Sprintf("primary_conninfo=host=%s user=fever application_name=%s", s.folder, name)}, s.settings...)
	return launched(s.bin, settings, "pg_basebackup", "--host="+s.folder, "--username=fever", "--checkpoint=fast", "--write-recovery-conf", "--no-sync")
}

// Promote makes a standby a server of its own, and waits until it takes writes.
func (s *Server) Promote() error {
	if out, err := s.as(filepath.Join(s.bin, "pg_ctl"), "promote", "--wait", "--timeout=300", "--pgdata="+s.data()).CombinedOutput(); err != nil {
		return fmt.Errorf("promote: %w: %s", err, out)
	}
	return nil
}

// Query runs statements in a database, each of them alone, and returns what they select: a
// line a row, without names.
func (s *Server) Query(database string, statements ...string) (string, error) {
	arguments := []string{"--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"}
	for _, statement := range statements {
		arguments = append(arguments, "--command="+statement)
	}
	out, err := s.Client("psql", append(arguments, database)...)
	return strings.TrimSpace(out), err
}

// Client runs one of PostgreSQL's programs as a client of the server, and returns its output.
func (s *Server) Client(program string, arguments ...string) (string, error) {
	command := s.as(filepath.Join(s.bin, program), append([]string{"--host=" + s.folder, "--username=fever"}, arguments...)...)
	out, err := command.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%s: %w: %s", program, err, failed.Stderr)
	}
	return string(out), err
}

// Crowd takes so many connections to a database, as far as they can be had, until ctx ends.
func (s *Server) Crowd(ctx context.Context, database string, connections int) {
	hello := []byte("\x00\x00\x00\x00\x00\x03\x00\x00user\x00fever\x00database\x00" + database + "\x00application_name\x00crowd\x00\x00")
	binary.BigEndian.PutUint32(hello, uint32(len(hello)))
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := (&net.Dialer{}).DialContext(ctx, "unix", s.socket())
				if err == nil {
					stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
					_, _ = conn.Write(hello)
					_, _ = io.Copy(io.Discard, conn) // until it is refused, or told to end
					stop()
					_ = conn.Close() // for the second time, if ctx has ended
				}
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	all.Wait()
}

// Set changes a setting of the server, which need not be started again for it. No value takes
// the change back.
func (s *Server) Set(name, value string) error {
	statement := fmt.Sprintf("alter system set %s = '%s'", name, value)
	if value == "" {
		statement = "alter system reset " + name
	}
	_, err := s.Query("postgres", statement, "select pg_reload_conf()")
	return err
}

// Pause stops all processes of the server, without their notice, as if its machine stood still.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume has a paused server go on.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) error {
	processes, err := s.processes()
	for _, pid := range processes {
		err = errors.Join(err, syscall.Kill(pid, signal))
	}
	return err
}

// processes returns the ids of the server's processes, the way that Linux offers them. The
// first is the one that starts all others.
func (s *Server) processes() ([]int, error) {
	file, err := os.Open(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan()
	first, err := strconv.Atoi(lines.Text())
	if err != nil {
		return nil, fmt.Errorf("postmaster.pid: %w", err)
	}
	found := []int{first}
	statuses, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range statuses {
		status, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name of the program is between parentheses, and may hold anything.
		fields := strings.Fields(string(status[strings.LastIndexByte(string(status), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(first) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				return nil, err
			}
			found = append(found, pid)
		}
	}
	return found, nil
}
