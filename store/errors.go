package store

import (
	"errors"
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

// ErrRewritten is returned by Changes when what came after a revision cannot be told as
// changed events: events were removed or renamed, a provider's time zone changed, or the
// store is not as far as that. Load tells everything.
var ErrRewritten = errors.New("what has changed since cannot be told event by event")

// ErrNothing is returned (wrapped) by Forget and Rename when nothing is
// stored of the provider.
var ErrNothing = errors.New("nothing is stored")

// errNotOurs is what makes a value damaged that has the right checksum and type.
var errNotOurs = errors.New("not as fever writes it")
