package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"fever/provider/feed"
)

// jobFields is a [Job] as it is encoded. Times are Unix milliseconds, 0 for
// the zero time.
type jobFields struct {
	_           struct{} `cbor:",toarray"`
	Trigger     Trigger
	State       State
	Scheduled   int64
	Started     int64
	Finished    int64
	Attempts    int
	HTTPStatus  int
	Bytes       int64
	NotModified bool
	Seen        int
	New         int
	Changed     int
	Unchanged   int
	Ignored     int
	Rejected    int
	Gone        int
	Rejections  []rejectionFields
	Kind        string
	Message     string
}

type rejectionFields struct {
	_       struct{} `cbor:",toarray"`
	BaseID  string
	EventID string
	Line    int
	Reason  string
}

// A record of Forget or Rename is written as a manual job that failed, of one of these kinds.
// Versions of fever that know neither can read it, and take it for what it is: no answer of
// the provider, and no snapshot.
const (
	kindForgotten = "forgotten"
	kindRenamed   = "renamed"
)

// idBytes is the length of an id in a job's key, and of the zero byte before it.
const idBytes = 1 + 8

// JobKey is the provider's name, a zero byte, and the id in the order of bytes.
func JobKey(provider string, id uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(provider), 0), id)
}

// ParseJobKey is the inverse of [JobKey].
func ParseJobKey(key []byte) (provider string, id uint64, err error) {
	n := len(key) - idBytes
	if n < 0 || key[n] != 0 {
		return "", 0, fmt.Errorf("%q is not a job's key", key)
	}
	return string(key[:n]), binary.BigEndian.Uint64(key[n+1:]), nil
}

// Encode makes j what is read back after it was stored, and returns what to store. Texts
// that are too long are cut, times lose what is less than a millisecond.
func (j *Job) Encode() (key, value []byte, err error) {
	j.normalize()
	if err := j.validate(); err != nil {
		return nil, nil, err
	}
	key = JobKey(j.Provider, j.ID)
	value, err = Seal(key, j.fields())
	return key, value, err
}

func (j *Job) fields() *jobFields {
	rejections := make([]rejectionFields, len(j.Rejections))
	for i, r := range j.Rejections {
		rejections[i] = rejectionFields{BaseID: r.BaseID, EventID: r.EventID, Line: r.Line, Reason: r.Reason}
	}
	f := &jobFields{
		Trigger:     j.Trigger,
		State:       j.State,
		Scheduled:   millis(j.Scheduled),
		Started:     millis(j.Started),
		Finished:    millis(j.Finished),
		Attempts:    j.Attempts,
		HTTPStatus:  j.HTTPStatus,
		Bytes:       j.Bytes,
		NotModified: j.NotModified,
		Seen:        j.Seen,
		New:         j.New,
		Changed:     j.Changed,
		Unchanged:   j.Unchanged,
		Ignored:     j.Ignored,
		Rejected:    j.Rejected,
		Gone:        j.Gone,
		Rejections:  rejections,
		Kind:        string(j.Kind),
		Message:     j.Message,
	}
	switch j.Trigger {
	case Forget:
		f.Trigger, f.State, f.Kind = Manual, Failed, kindForgotten
	case Rename:
		f.Trigger, f.State, f.Kind = Manual, Failed, kindRenamed
	}
	return f
}

// DecodeJob is the inverse of [Job.Encode], and accepts nothing that this does not return.
func DecodeJob(key, b []byte) (Job, error) {
	provider, id, err := ParseJobKey(key)
	if err != nil {
		return Job{}, err
	}
	var f jobFields
	if err := Unseal(key, b, &f); err != nil {
		return Job{}, err
	}
	j := Job{
		ID:          id,
		Provider:    provider,
		Trigger:     f.Trigger,
		State:       f.State,
		Scheduled:   moment(f.Scheduled),
		Started:     moment(f.Started),
		Finished:    moment(f.Finished),
		Attempts:    f.Attempts,
		HTTPStatus:  f.HTTPStatus,
		Bytes:       f.Bytes,
		NotModified: f.NotModified,
		Seen:        f.Seen,
		New:         f.New,
		Changed:     f.Changed,
		Unchanged:   f.Unchanged,
		Ignored:     f.Ignored,
		Rejected:    f.Rejected,
		Gone:        f.Gone,
		Kind:        feed.Kind(f.Kind),
		Message:     f.Message,
	}
	switch f.Kind {
	case kindForgotten:
		j.Trigger, j.State, j.Kind = Forget, Completed, ""
	case kindRenamed:
		j.Trigger, j.State, j.Kind = Rename, Completed, ""
	}
	for _, r := range f.Rejections {
		j.Rejections = append(j.Rejections, feed.Rejection{BaseID: r.BaseID, EventID: r.EventID, Line: r.Line, Reason: r.Reason})
	}
	_, again, err := j.Encode()
	if err != nil {
		return Job{}, err
	}
	if !bytes.Equal(again, b) {
		return Job{}, errNotOurs
	}
	return j, nil
}
