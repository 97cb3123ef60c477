package store

import "time"

// Lease is how long a claim lasts that nobody keeps, in a store of several processes.
const Lease = 15 * time.Second

// A Turn says when the next job of a provider is due, as all processes that share a store know
// it. Its times are by the clock of the store.
type Turn struct {
	Due      time.Time // zero: at once, as nobody has said it
	Failures int       // jobs in a row that failed
	Blocked  time.Time // the provider asked not to be called before; zero: it did not

	Job    uint64    // the newest job, or what was done last by hand; 0: nothing yet
	Holder string    // who runs that job, for people; empty: nobody, or the claim is over
	Until  time.Time // when that claim is over unless it is kept; zero if there is no holder
}
