// Package store is the contract of what keeps everything that was ever on sale online: each
// event with its latest values, when it was first seen and last changed, and whether it is
// in its provider's latest snapshot; and what became of the jobs that brought it. It holds
// the nouns, the errors, and the encoding of the values. What keeps them is a package
// below it: [fever/store/bolt] or [fever/store/postgres].
package store

import (
	"time"

	"github.com/google/uuid"

	"fever/event"
	"fever/provider/feed"
)

// A Revision counts the commits that changed an event: it came, its values changed, it became
// current or is no longer, it was removed, it got another provider's name, or its local times
// count in another zone. It says how far a store is; 0 is before the first.
type Revision uint64

// A Snapshot is what a provider sells online at one moment or, with Changes, what one page of a
// feed of changes says.
type Snapshot struct {
	Provider string
	TimeZone string        // IANA name of the provider's zone, recorded with the provider
	Events   []event.Event // unique by key, all of this provider, valid
	Past     []event.Event // sold before: kept with their values, but not current; none is in Events
	// Unchanged are its other events, which are stored with these values and current. Stores compare
	// their digests, and read nothing else of them: see [Digests]. None is in Events or Past, and a
	// snapshot with Changes has none.
	Unchanged []*feed.Stored
	// Encoded are events that were encoded already, with the digests of their values. None is in the
	// others, and a snapshot with Changes has none.
	Encoded []feed.Encoded
	Taken   time.Time // becomes FirstSeen and LastChanged, to the millisecond

	Validators feed.Validators // of the answer that it was decoded from

	// Changes are not nil in a page of a feed of changes: what is in neither Events nor Past is
	// as before then, unless Changes say otherwise.
	Changes *Changes

	// Accept is asked, unless it is nil, when all is compared and nothing is written. Its
	// error keeps the snapshot out, and is that of Apply.
	Accept func(Applied) error
}

// Applied says what a snapshot changed. Each of its events, the past ones too, is New,
// Changed or Unchanged.
type Applied struct {
	New       int // never stored before
	Changed   int // stored with other values
	Unchanged int
	Gone      int // current before this snapshot, and not with it
	Before    int // current before this snapshot
	Current   int // current with it

	Known bool // some event of the provider was stored before

	// Revision is that of the store with this snapshot: a new one if the snapshot changed an
	// event.
	Revision Revision
}

// A Filter says which events Records yields.
type Filter struct {
	Provider string       // of this provider alone; empty: of all
	Key      event.Key    // this event alone, whatever Provider and ID are; zero: all
	ID       uuid.UUID    // this event alone, for which all keys are read; zero: all
	Window   event.Window // as in a search: the zero value is one second, event.Always has no bounds
	Limit    int          // at most so many, the first ones; 0 or less: all
}

// A JobFilter says which jobs Jobs yields.
type JobFilter struct {
	Provider string // of this provider alone; empty: of all
	State    State  // in this state alone; empty: in any
	Before   uint64 // with a smaller id than this alone; 0: with any
	Limit    int    // at most so many, the newest ones; 0 or less: all
}

// Stats says how a store is doing.
type Stats struct {
	// Broken is nil, or why the store refuses everything from now on. Only opening it again can
	// help.
	Broken error
	// Down is since when a shared store has not answered, and Why what the last attempt ended
	// with. They are zero while it answers. A file always does.
	Down time.Time
	Why  error

	Size       int64          // of the file, in bytes; 0: there is none
	Free       int64          // of these, in pages that hold nothing: they are used before the file grows
	Commits    uint64         // transactions written since the store was opened
	CommitTime time.Duration  // what all these took to write, until the disk had them
	Current    map[string]int // by provider: the events in its latest snapshot

	// The others are of a shared store alone.

	Revision Revision // the latest that it was heard to have
	// Claims counts how often this process claimed a provider for a job (Won, and of these Expired:
	// from a process that had not kept its claim), found it claimed by another (Busy), and found its
	// own claim lost (Fenced).
	Claims struct{ Won, Expired, Busy, Fenced uint64 }
	// Uncertain counts the commits of which nobody could tell in time whether they succeeded.
	Uncertain uint64
	Pool      Pool
}

// A Pool says how the connections to a shared store are used.
type Pool struct {
	Used, Idle int
	Waits      uint64        // for a connection, as all were used or none was open
	Waited     time.Duration // in all of these
}
