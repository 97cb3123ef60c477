package store

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"fever/event"
	"fever/provider/feed"
)

// A Job is one run of one provider's collector, as it is recorded. Times are in UTC,
// to the millisecond; the zero time means not yet, or that nobody said.
type Job struct {
	ID          uint64    `json:"id"` // ascends with time, unique in a data file; 0 before Begin
	Provider    string    `json:"provider"`
	Trigger     Trigger   `json:"trigger"`
	State       State     `json:"state"`
	Scheduled   time.Time `json:"scheduled,omitzero"` // when it became due
	Started     time.Time `json:"started,omitzero"`
	Finished    time.Time `json:"finished,omitzero"`
	Attempts    int       `json:"attempts"`     // fetches tried
	HTTPStatus  int       `json:"http_status"`  // of the last answer, 0 for none
	Bytes       int64     `json:"bytes"`        // read over all attempts, after decompression
	NotModified bool      `json:"not_modified"` // since the last good answer: nothing was decoded

	Seen      int `json:"seen"` // rows of the feed: new, changed, unchanged, ignored and rejected
	New       int `json:"new"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
	Ignored   int `json:"ignored"` // not sold online
	Rejected  int `json:"rejected"`
	Gone      int `json:"gone"` // current with the provider's snapshot before, and not with this one

	// Rejections are the first of the rejected rows, [feed.MaxRejections] at most, or the one
	// thing that a feed without rows has instead. Their texts are cut when they are long.
	Rejections []feed.Rejection `json:"rejections,omitempty"`

	Kind    feed.Kind `json:"kind,omitempty"`    // of a failure; cut at 64 bytes
	Message string    `json:"message,omitempty"` // of a failure, or of a record of Forget or Rename, for people; cut at 2 KiB

	// Suspect says of a job that has just ended, in one word, why its provider's snapshot
	// as a whole is suspect. It is not stored: package ingest finds it out again.
	Suspect string `json:"suspect,omitempty"`

	// More says of a job that has just ended that it left pages of a feed of changes for the next
	// one, which is due at once. It is not stored.
	More bool `json:"more,omitempty"`

	// Turn says, when a job ends in a store of several processes, when the next one is due, with
	// Failures and Blocked. If Due is zero all stays as it was. Begin sets it to what counted
	// before the job. It is not part of the record.
	Turn Turn `json:"-"`
}

// A Trigger says why a job runs.
type Trigger string

// The triggers. The last two are those of no job: they record what somebody did with all
// that was stored. Then Gone counts the events that were forgotten, and Seen, New, Changed
// and Unchanged those that were renamed.
const (
	Schedule Trigger = "schedule"
	StartUp  Trigger = "start-up"
	Manual   Trigger = "manual"
	Document Trigger = "document" // somebody gave one: the provider itself was not asked
	Forget   Trigger = "forget"   // events were removed
	Rename   Trigger = "rename"   // events got another provider's name
)

// Collects reports whether it is the trigger of a job, and not of a record of what
// somebody did with all that was stored.
func (t Trigger) Collects() bool { return t != Forget && t != Rename }

// A State says how far a job is.
type State string

// The states. A store holds jobs in the last three.
const (
	Pending   State = "pending"
	Running   State = "running"
	Completed State = "completed"
	Failed    State = "failed"
)

// Bounds of what is stored of a job, in bytes. What feeds
// and servers say must not make a job impossible to record, so texts are cut.
const (
	maxReason  = 1 << 10
	maxKind    = 64
	maxMessage = 2 << 10
)

// normalize makes j what is read back after it was stored.
func (j *Job) normalize() {
	for _, t := range []*time.Time{&j.Scheduled, &j.Started, &j.Finished} {
		*t = moment(millis(*t))
	}
	j.Kind, j.Message = feed.Kind(clip(string(j.Kind), maxKind)), clip(j.Message, maxMessage)
	var rejections []feed.Rejection
	for _, r := range j.Rejections {
		r.BaseID, r.EventID = clip(r.BaseID, event.MaxIDBytes), clip(r.EventID, event.MaxIDBytes)
		r.Reason = clip(r.Reason, maxReason)
		rejections = append(rejections, r)
	}
	j.Rejections = rejections
}

// validate says what keeps j from being stored.
func (j *Job) validate() error {
	if err := event.ValidProvider(j.Provider); err != nil {
		return err
	}
	if j.ID == 0 {
		return errors.New("it has no id")
	}
	switch j.Trigger {
	case Schedule, StartUp, Manual, Document:
	case Forget, Rename:
		if j.State != Completed || j.NotModified {
			return fmt.Errorf("trigger %q of a job", j.Trigger)
		}
	default:
		return fmt.Errorf("trigger %q", j.Trigger)
	}
	if j.Started.IsZero() {
		return errors.New("it was not started")
	}
	for _, t := range []time.Time{j.Scheduled, j.Started, j.Finished} {
		if !t.IsZero() && (t.Year() < 1970 || t.Year() > 9999) {
			return fmt.Errorf("the clock said %s", t)
		}
	}
	if len(j.Rejections) > feed.MaxRejections {
		return fmt.Errorf("%d rejections, more than %d", len(j.Rejections), feed.MaxRejections)
	}
	numbers := []int64{
		int64(j.Attempts), int64(j.HTTPStatus), j.Bytes, int64(j.Seen), int64(j.New), int64(j.Changed),
		int64(j.Unchanged), int64(j.Ignored), int64(j.Rejected), int64(j.Gone),
	}
	for _, r := range j.Rejections {
		numbers = append(numbers, int64(r.Line))
	}
	for _, n := range numbers {
		if n < 0 {
			return fmt.Errorf("a count of %d", n)
		}
	}
	return j.validateState()
}

func (j *Job) validateState() error {
	finished, failed := !j.Finished.IsZero(), j.Kind != ""
	switch j.State {
	case Running:
		if finished || failed || j.Message != "" {
			return errors.New("it runs, and has an end")
		}
	case Completed:
		if !finished || failed || j.Trigger.Collects() && j.Message != "" {
			return errors.New("it completed, without a time or with a failure")
		}
	case Failed:
		if !finished || !failed {
			return errors.New("it failed, without a time or a kind of failure")
		}
		if j.Kind == kindForgotten || j.Kind == kindRenamed {
			return fmt.Errorf("its kind is %s, which is that of a record", j.Kind)
		}
	default:
		return fmt.Errorf("state %q", j.State)
	}
	return nil
}

// Answered reports whether the job says that its provider is there.
func (j *Job) Answered() bool {
	return j.State == Completed && j.Trigger != Document && j.Trigger.Collects()
}

// Applied reports whether the job brought a snapshot.
func (j *Job) Applied() bool { return j.State == Completed && !j.NotModified && j.Trigger.Collects() }

// Interrupt makes j, which was found running, failed. The time may be unknown.
func (j *Job) Interrupt(now time.Time) {
	j.State, j.Finished = Failed, now
	j.Kind, j.Message = feed.KindInterrupted, "the process ended, or could not record the job's end"
}

// clip makes s valid UTF-8 of at most so many bytes.
func clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// millis returns t in Unix milliseconds, and 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is the inverse of millis.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
