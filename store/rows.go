package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"fever/event"
)

// A Row is an event of a [Snapshot] with its key.
type Row struct {
	Key    []byte
	Event  *event.Event // nil: it is one of Unchanged or Encoded
	Values []byte       // of the event as it is encoded; Rows knows those of the encoded ones alone
	Digest Digest       // of these; Rows knows that of the unchanged and the encoded ones alone
	Past   bool
}

// Validate returns why the event of a row cannot be kept, or nil. Who has encoded one has validated it.
func (r *Row) Validate() error {
	if r.Event == nil {
		return nil
	}
	if err := r.Event.Validate(); err != nil {
		return fmt.Errorf("event %s: %w", r, err)
	}
	return nil
}

// String returns the key for people: see [event.Key.String].
func (r *Row) String() string { return string(bytes.ReplaceAll(r.Key, []byte{0}, []byte{'/'})) }

// Rows returns all events of a snapshot in the order of their keys, in which stores find and
// insert them fastest. It returns an error unless all are of the provider and each is there once.
func (s *Snapshot) Rows() ([]Row, error) {
	if err := event.ValidProvider(s.Provider); err != nil {
		return nil, err
	}
	if s.Changes != nil && len(s.Unchanged)+len(s.Encoded) > 0 {
		return nil, errors.New("a page of a feed of changes, without the values of some of its events")
	}
	rows := make([]Row, 0, len(s.Events)+len(s.Past)+len(s.Unchanged)+len(s.Encoded))
	add := func(key event.Key, r Row) error {
		if key.Provider != s.Provider {
			return fmt.Errorf("event %s belongs to another provider", key)
		}
		r.Key = key.Bytes()
		rows = append(rows, r)
		return nil
	}
	var err error
	for i := range s.Events {
		err = cmp.Or(err, add(s.Events[i].Key, Row{Event: &s.Events[i]}))
	}
	for i := range s.Past {
		err = cmp.Or(err, add(s.Past[i].Key, Row{Event: &s.Past[i], Past: true}))
	}
	for _, same := range s.Unchanged {
		err = cmp.Or(err, add(same.Key, Row{Digest: same.Digest}))
	}
	for i := range s.Encoded {
		e := &s.Encoded[i]
		err = cmp.Or(err, add(e.Key, Row{Values: e.Values, Digest: e.Digest, Past: e.Past}))
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b Row) int { return bytes.Compare(a.Key, b.Key) })
	for i := 1; i < len(rows); i++ {
		if bytes.Equal(rows[i-1].Key, rows[i].Key) {
			return nil, fmt.Errorf("event %s is in it twice", &rows[i])
		}
	}
	return rows, nil
}
