package store

import (
	"errors"
	"fmt"
	"io/fs"
)

// What can be wrong with a data file. The errors that wrap these name the file, say
// what it is, and what to do.
var (
	// ErrLocked is returned when another process holds the file.
	ErrLocked = errors.New("held by another fever process")

	// ErrForeign is returned when the file is not one of fever's: another program's, a
	// directory, or, for reading only, one that nothing was stored in yet.
	ErrForeign = errors.New("not a fever data file")

	// ErrNewer is returned when the file has a format that this version cannot read.
	ErrNewer = errors.New("from a newer version of fever")

	// ErrDamaged is returned when the file is one of fever's but cut short, or holds
	// what fever never writes.
	ErrDamaged = errors.New("damaged")
)

// ErrUncertain is returned when a commit failed at its very end: what it wrote can be
// read, and nobody knows whether it outlasts a crash. After any other error of a write
// the file holds what it held before.
var ErrUncertain = errors.New("stored, perhaps not for good")

// errNotOurs is what makes a value damaged that has the right checksum and type.
var errNotOurs = errors.New("not as fever writes it")

func locked(path string) error {
	return fmt.Errorf("%s is %w; stop it or use another --db", path, ErrLocked)
}

func foreign(path, reason string) error {
	return fmt.Errorf("%s is %w (%s); it was left as it is: use another --db", path, ErrForeign, reason)
}

func newer(path string, format uint64) error {
	return fmt.Errorf("%s is %w (format %d, this one knows %d); upgrade fever or use another --db", path, ErrNewer, format, formatVersion)
}

func damaged(path, reason string) error {
	return fmt.Errorf("%s is %w (%s); restore it from a backup, or move it away to start with an empty one", path, ErrDamaged, reason)
}

// unopened says that the file could not be opened, for a reason that names it.
func unopened(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open the store: %w; let this user read and write it, or use another --db", err)
	}
	return fmt.Errorf("open the store: %w", err)
}
