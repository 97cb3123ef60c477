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

// maxSocketPath is the longest path of a Unix socket, in bytes: the system has 108 for
// it (104 outside Linux), the zero byte at its end included.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// answerTimeout is how long a process may take to accept a connection before the
// socket that it left counts as its own all the same.
const answerTimeout = time.Second

// ErrNoSocket is returned where nothing is in the way of a control socket, and none can
// be made: the path is too long, or its folder or file system takes none. Whoever would
// listen can do without.
var ErrNoSocket = errors.New("no control socket can be made")

// ListenSocket opens a control socket. Who can write to it can steer the process, so its
// mode is 0600 before it has its name.
//
// A socket that a dead process left is replaced. One that somebody answers on is not,
// nor is a file that is no socket. The caller holds the lock on the data file: then no
// other process that does is about to do the same. Close removes the socket.
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
	// A socket gets its mode from the umask, which is the process's own and not to be
	// touched while others make files. In a folder that nobody else can enter there is
	// time to set it. Renaming it leaves no moment without a socket that answers.
	folder, err := os.MkdirTemp(filepath.Dir(path), ".s") // short, like what is in it
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
	l.SetUnlinkOnClose(false) // it would not find it
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

// vacant refuses a path at which there is something else than a socket that nobody
// answers on.
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
	return err // it may be somebody's
}

// A socket is a listener that takes its path with it when it is closed.
type socket struct {
	*net.UnixListener
	path string
	own  fs.FileInfo
	once sync.Once
}

// Close removes the socket and stops listening. What has taken its place is left.
func (s *socket) Close() error {
	var removed error
	s.once.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.own) {
			removed = os.Remove(s.path)
		}
	})
	return errors.Join(removed, s.UnixListener.Close())
}

// Addr returns the path under which the socket is found.
func (s *socket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }
