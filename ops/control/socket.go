package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// maxSocketPath is the length of the longest path of a Unix socket, in bytes. The system
// has 108 bytes for it (104 outside Linux), including the zero byte at the end.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// answerTimeout is how long to wait for a process to accept a connection. After that its
// socket counts as in use.
const answerTimeout = time.Second

// ErrNoSocket is returned (wrapped) when a control socket cannot be made although nothing
// is at its path: the path is too long, or its folder or file system does not allow it. The
// caller can work without the socket.
var ErrNoSocket = errors.New("no control socket can be made")

// ListenSocket opens a control socket. Everybody who can write to it controls the process,
// so the socket has mode 0600 before it gets its name.
//
// It replaces a socket that a dead process left. It does not replace a socket on which a
// process answers, nor a file of another type. The caller holds the lock on the data file,
// so that no other process does the same at the same time. Close removes the socket.
func ListenSocket(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("%w: %w", ErrNoSocket, tooLong(path, len(path)))
	}
	if err := vacant(path); err != nil {
		return nil, fmt.Errorf("listen on the control socket: %w", err)
	}
	l, err := listenSocket(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSocket, err)
	}
	return l, nil
}

func tooLong(path string, needed int) error {
	return fmt.Errorf("%s: a socket's path can have %d bytes, and here %d are needed; use a --db with a shorter path", path, maxSocketPath, needed)
}

func listenSocket(path string) (_ net.Listener, err error) {
	// The mode of a new socket depends on the umask. That belongs to the whole process, so
	// it cannot be changed while other goroutines create files. So the socket is made in a
	// folder that only this user can enter, gets its mode there, and is renamed. The rename
	// replaces an old socket without a moment in between.
	folder, err := os.MkdirTemp(filepath.Dir(path), ".s") // a short name, as the path is bounded
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	private := filepath.Join(folder, "s")
	if len(private) > maxSocketPath {
		return nil, tooLong(path, len(private))
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: private, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the listener knows only the first path
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if err := os.Chmod(private, 0o600); err != nil {
		return nil, err
	}
	own, err := os.Lstat(private)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(private, path); err != nil {
		return nil, err
	}
	return &socket{UnixListener: l, path: path, own: own}, nil
}

// vacant returns an error unless nothing is at the path, or a socket on which no process
// answers.
func vacant(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is in the way, and no socket; it was left as it is: move it, or use another --db", path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return errors.Join(fmt.Errorf("%s: another process answers on it; stop that, or use another --db", path), conn.Close())
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err // a process may use it
}

// A socket is a listener that removes its path when it is closed.
type socket struct {
	*net.UnixListener
	path string
	own  fs.FileInfo
	once sync.Once
}

// Close removes the socket and stops listening. It leaves another file at the path alone.
func (s *socket) Close() error {
	var removed error
	s.once.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.own) {
			removed = os.Remove(s.path)
		}
	})
	return errors.Join(removed, s.UnixListener.Close())
}

// Addr returns the path of the socket.
func (s *socket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }
