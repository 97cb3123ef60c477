package store

import (
	"errors"
	"fmt"
)

// Errors of opening a store. Those that wrap them name the file, say what it is, and what to
// do. ErrDamaged can come of every other method, too.
var (
	// ErrLocked is returned when another process holds the file.
	ErrLocked = errors.New("held by another fever process")

	// ErrForeign is returned when the file is not one of fever's: another program's, a
	// directory, or, for reading only, one in which nothing was stored yet.
	ErrForeign = errors.New("not a fever data file")

	// ErrNewer is returned when this version cannot read the file's format.
	ErrNewer = errors.New("from a newer version of fever")

	// ErrDamaged is returned when the file is one of fever's but cut short, or holds
	// what fever never writes.
	ErrDamaged = errors.New("damaged")
)

// ErrBusy is returned when another store runs a job of the provider. The text names it.
var ErrBusy = errors.New("another process runs a job of the provider")

// ErrNotDue is returned by Begin for a job of the trigger Schedule or StartUp when the provider
// is not due: another process has run the job meanwhile.
var ErrNotDue = errors.New("the provider is not due yet")

// ErrUnavailable is an error of a store that cannot be reached, or can do nothing at the moment.
// Nothing was written. The same may succeed a moment later.
var ErrUnavailable = errors.New("the store is not available")

// ErrFenced is returned by Keep, Apply and Finish when another job of the provider has begun
// since: this one must not write any more, and nothing of it was stored.
var ErrFenced = errors.New("the provider is another job's now")

// ErrStale is returned by Apply when an event of [Snapshot.Unchanged] is not stored as it says: the
// snapshot was decoded beside what was stored at another time. Nothing of it was stored.
var ErrStale = errors.New("what the snapshot was compared with is no longer stored")

// ErrUncertain is an error of writing: the commit failed at its very end. Either its data can
// be read, and nobody knows whether a crash would undo it, or the store could not be asked
// whether it has the data. After any other error of a write the store holds what it held
// before.
var ErrUncertain = errors.New("stored, perhaps not for good")

// ErrNothing is returned by Forget and Rename when nothing is stored of the provider.
var ErrNothing = errors.New("nothing is stored")

// ErrOtherKind is returned by [Renaming.Check]: one of the two providers has a feed of changes.
var ErrOtherKind = errors.New("their feeds are of two kinds")

// ErrRemoved is returned by Records when an event was forgotten, or its provider renamed,
// after Records had found the event and before it read it. Ask again.
var ErrRemoved = errors.New("it was forgotten or renamed while it waited to be read: ask again")

// ErrRewritten is returned by Changes when changed events do not tell all that came after a
// revision: events were removed or renamed, a provider's time zone changed, or the store
// has not reached that revision. Then the caller has to Load everything.
var ErrRewritten = errors.New("what has changed since cannot be told event by event")

// ErrHistory is an ErrRewritten: the store has another past than it had at that revision. It was
// put back to an earlier state, by a restore or by the promotion of a standby that lacked commits.
var ErrHistory = fmt.Errorf("the store was put back to an earlier state: %w", ErrRewritten)

// errNotOurs is the error for a value that has the right checksum and type, and that fever
// would encode in another way.
var errNotOurs = errors.New("not as fever writes it")
