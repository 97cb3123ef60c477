package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"fever/event"
)

// MaxHistory bounds what a store keeps of the history of one event, in bytes as [UndoSize] counts
// them. The oldest changes are removed first.
const MaxHistory = 64 << 10

// undoOverhead is what [UndoSize] adds for the key of an undo, and for its place in a page.
const undoOverhead = 64

// A Version is an event as it is stored, or as it was before a change.
type Version struct {
	event.Record // with its values and whether it was current, as it was then

	// At is when the change came that made it so, and Job the job that brought it, or the record of
	// [Rename]. The oldest version that is known has the time at which its values came, and no job.
	At  time.Time `json:"at"`
	Job uint64    `json:"job,omitempty"`
}

// An Undo takes back one change of an event: it has what the event was before, without what it
// has in common with what it is after the change. Stores keep it under the key of [UndoKey].
type Undo struct {
	_ struct{} `cbor:",toarray"`

	At  int64  // Unix milliseconds at which the change came: those of [Snapshot.Taken]
	Job uint64 // brought the change

	// All else is of the event as it was before.
	Current     bool
	LastChanged int64 // Unix milliseconds
	// Edits make the encoded event of the one after the change, from its beginning on. Without any the
	// change was of Current alone.
	Edits []Edit
}

// SetEvent makes u lead from one encoded event back to the one before, which is another. It shares
// no memory with them.
func (u *Undo) SetEvent(before, after []byte) { u.Edits = editsOf(before, after) }

// event is the inverse of SetEvent.
func (u *Undo) event(after []byte) ([]byte, error) {
	if len(u.Edits) == 0 {
		return after, nil
	}
	var before []byte
	for _, e := range u.Edits {
		if e.Keep < 0 || e.Drop < 0 || e.Keep > len(after) || e.Drop > len(after)-e.Keep {
			return nil, fmt.Errorf("it keeps %d and drops %d of %d bytes", e.Keep, e.Drop, len(after))
		}
		before = append(append(before, after[:e.Keep]...), e.Put...)
		after = after[e.Keep+e.Drop:]
	}
	return append(before, after...), nil
}

// Encode returns what to store under a key of [UndoKey].
func (u *Undo) Encode(key []byte) ([]byte, error) { return Seal(key, u) }

// DecodeUndo is the inverse of [Undo.Encode], and accepts nothing that this does not return.
func DecodeUndo(key, b []byte) (u Undo, err error) {
	if err := Unseal(key, b, &u); err != nil {
		return Undo{}, err
	}
	again, err := u.Encode(key)
	if err == nil && !bytes.Equal(again, b) {
		err = errNotOurs
	}
	return u, err
}

// UndoSize returns how much of [MaxHistory] a stored undo takes. The next undo of the event has a
// position that is higher by so much.
func UndoSize(value []byte) uint64 { return uint64(len(value)) + undoOverhead }

// positionBytes is the length of a position in a key, and of the zero byte before it.
const positionBytes = 1 + 8

// UndoKey is the event's key, a zero byte, and the undo's position in the order of bytes. So the
// undos of an event follow each other, the oldest first.
func UndoKey(key []byte, position uint64) []byte {
	return binary.BigEndian.AppendUint64(append(bytes.Clone(key), 0), position)
}

// ParseUndoKey is the inverse of [UndoKey].
func ParseUndoKey(k []byte) (key []byte, position uint64, err error) {
	n := len(k) - positionBytes
	if n < 0 || k[n] != 0 {
		return nil, 0, fmt.Errorf("%q is not the key of an undo", k)
	}
	return k[:n], binary.BigEndian.Uint64(k[n+1:]), nil
}

// A StoredUndo is an encoded [Undo] with its position in the history of its event.
type StoredUndo struct {
	Position uint64
	Value    []byte
}

// Versions yields the versions of an event, the present one first, given what a store has of it: its
// value, whether it is current, and its undos, the oldest first. The error says why an undo does not
// follow from what is there.
func Versions(key []byte, v Value, current bool, undos []StoredUndo) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		var enc Encoder
		for i := len(undos); ; i-- {
			made := Undo{At: v.LastChanged}
			var err error
			if i > 0 {
				made, err = decodeStored(key, undos, i-1)
			}
			var version Version
			if err == nil {
				version, err = enc.version(key, v, current, made)
			}
			if err == nil && i > 0 {
				v, err = made.back(v)
				current = made.Current
			}
			if err != nil {
				yield(Version{}, fmt.Errorf("history of event %q: %w", key, err))
				return
			}
			if !yield(version, nil) || i == 0 {
				return
			}
		}
	}
}

// decodeStored decodes an undo, and compares its position with that of the next one.
func decodeStored(key []byte, undos []StoredUndo, i int) (Undo, error) {
	u, err := DecodeUndo(UndoKey(key, undos[i].Position), undos[i].Value)
	if err == nil && i+1 < len(undos) && undos[i].Position+UndoSize(undos[i].Value) != undos[i+1].Position {
		err = errors.New("it has a hole")
	}
	if err != nil {
		err = fmt.Errorf("position %d: %w", undos[i].Position, err)
	}
	return u, err
}

// version decodes an event, and accepts nothing that would not be encoded.
func (c *Encoder) version(key []byte, v Value, current bool, made Undo) (Version, error) {
	sealed, err := v.Encode(key)
	if err != nil {
		return Version{}, err
	}
	r, _, err := c.CheckRecord(key, sealed)
	r.Current = current
	return Version{Record: r, At: time.UnixMilli(made.At).UTC(), Job: made.Job}, err
}

// back returns the value before the change of the undo, given the one after it.
func (u *Undo) back(v Value) (before Value, err error) {
	before = v
	if before.Event, err = u.event(v.Event); err != nil {
		return before, err
	}
	before.LastChanged = u.LastChanged
	since := u.At // the values after the change
	if bytes.Equal(before.Event, v.Event) {
		since = u.LastChanged
	}
	if v.LastChanged != since {
		err = errors.New("the values after the change are those of another time")
	}
	return before, err
}
