package store

import (
	"fmt"
	"strings"
	"time"

	"fever/event"
)

// A Forgetting says what Forget removes.
type Forgetting struct {
	Provider   string
	GoneBefore Cutoff    // only events that are not current and ended before it; zero: all that is stored of the provider
	DryRun     bool      // remove nothing
	At         time.Time // when that was, if it is done again; zero: now
}

// Forgotten says what was removed or, in a dry run, would be.
type Forgotten struct {
	Selection
	Jobs   int `json:"jobs"`   // outcomes of jobs
	Record Job `json:"record"` // what is recorded of it; zero in a dry run, and when there was nothing to remove

	Revision Revision `json:"-"` // of the store now
}

// Record returns the record of what was removed, but for its id and, unless it is done again, when that was done.
func (f *Forgetting) Record(done Forgotten, started time.Time) Job {
	message := fmt.Sprintf("all that was stored: %s and %s", amount(done.Events, "event"), amount(done.Jobs, "outcome of a job", "outcomes of jobs"))
	if !f.GoneBefore.IsZero() {
		message = fmt.Sprintf("what had left the feed and ended before %s: %s", f.GoneBefore, amount(done.Events, "event"))
	}
	if !f.At.IsZero() {
		started = f.At
	}
	return Job{Provider: f.Provider, Trigger: Forget, Started: started, Finished: f.At, Gone: done.Events, Message: message}
}

// A Renaming says what Rename moves.
type Renaming struct {
	From, To string // providers' names
	DryRun   bool   // move nothing
}

// Renamed says what was moved or, in a dry run, would be.
type Renamed struct {
	Selection     // of the events under the old name
	Known     int `json:"known"`   // of these, the new name had so many too
	Changed   int `json:"changed"` // of the known ones, so many get the values under the old name
	Jobs      int `json:"jobs"`    // outcomes of jobs under the old name

	OldTimeZone string `json:"old_time_zone"` // the local times counted in it; empty when no snapshot was stored
	TimeZone    string `json:"time_zone"`     // from now on they count in this one; likewise
	Record      Job    `json:"record"`        // what is recorded of it, of the new name; zero in a dry run

	Revision Revision `json:"-"` // of the store now
}

// Record returns the record of what was moved, but for its id and when it was done.
func (r *Renaming) Record(done Renamed, started time.Time) Job {
	return Job{
		Provider: r.To, Trigger: Rename, Started: started,
		Seen: done.Events, New: done.Events - done.Known, Changed: done.Changed, Unchanged: done.Known - done.Changed,
		Message: fmt.Sprintf("%s%s: %s, %d of them known already, and %s",
			allOf, r.From, amount(done.Events, "event"), done.Known, amount(done.Jobs, "outcome of a job", "outcomes of jobs")),
	}
}

// allOf begins the message of a record of Rename. The old name follows, and a colon.
const allOf = "all that was stored of "

// RenamedFrom returns the old name of the provider if the job is a record of Rename, else "".
func (j *Job) RenamedFrom() string {
	after, found := strings.CutPrefix(j.Message, allOf)
	name, _, _ := strings.Cut(after, ":")
	if j.Trigger != Rename || !found || event.ValidProvider(name) != nil {
		return ""
	}
	return name
}

// amount writes how many things there are: "1 event", "2 events". The plural is to be given
// where it is not made with an s.
func amount(n int, thing string, things ...string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case len(things) > 0:
		return fmt.Sprintf("%d %s", n, things[0])
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// A Selection sums up some stored events of one provider.
type Selection struct {
	Events  int            `json:"events"`
	Current int            `json:"current"`         // of these in the provider's latest snapshot
	From    time.Time      `json:"from,omitzero"`   // the first start; UTC, like the next
	To      time.Time      `json:"to,omitzero"`     // the last end
	First   []event.Record `json:"first,omitempty"` // the first of them in the order of events, [MostFirst] at most
}

// MostFirst is the number of events that a [Selection] names.
const MostFirst = 5

// A Cutoff is the moment before which events must have ended: an instant, or the beginning
// of a date at the provider's place. The zero value is none.
type Cutoff struct {
	text    string
	instant event.Instant
	date    time.Time // as midnight in UTC; zero when it is an instant
}

// ParseCutoff reads a date such as 2021-06-30, or a date-time of RFC 3339 with an offset.
func ParseCutoff(text string) (Cutoff, error) {
	c := Cutoff{text: text}
	var err error
	if len(text) == len(time.DateOnly) {
		c.date, err = time.Parse(time.DateOnly, text)
	} else {
		c.instant, err = event.ParseInstant(text)
	}
	if err != nil {
		return Cutoff{}, fmt.Errorf("%.40q is neither a date like 2021-06-30 nor a time like 2021-06-30T21:00:00Z", text)
	}
	return c, nil
}

// String returns what [ParseCutoff] read, or "" for the zero value.
func (c Cutoff) String() string { return c.text }

// IsZero reports whether there is no cutoff.
func (c Cutoff) IsZero() bool { return c.text == "" }

// Second returns the first Unix second that is not before the cutoff. The place may be nil
// when there are no events.
func (c Cutoff) Second(place *time.Location) int64 {
	if c.date.IsZero() || place == nil {
		return c.instant.Ceil()
	}
	year, month, day := c.date.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, place).Unix()
}
