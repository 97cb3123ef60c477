package store

import (
	"bytes"
	"fmt"
	"slices"

	"fever/event"
)

// A Row is an event of a [Snapshot] with its key.
type Row struct {
	Key   []byte
	Event *event.Event
	Past  bool
}

// Rows returns all events of a snapshot in the order of their keys, in which stores find and
// insert them fastest. It returns an error unless all are of the provider and each is there once.
func (s *Snapshot) Rows() ([]Row, error) {
	if err := event.ValidProvider(s.Provider); err != nil {
		return nil, err
	}
	rows := make([]Row, 0, len(s.Events)+len(s.Past))
	for i := range s.Events {
		e := &s.Events[i]
		rows = append(rows, Row{e.Bytes(), e, false})
	}
	for i := range s.Past {
		e := &s.Past[i]
		rows = append(rows, Row{e.Bytes(), e, true})
	}
	for _, r := range rows {
		if r.Event.Provider != s.Provider {
			return nil, fmt.Errorf("event %s belongs to another provider", r.Event.Key)
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return bytes.Compare(a.Key, b.Key) })
	for i := 1; i < len(rows); i++ {
		if bytes.Equal(rows[i-1].Key, rows[i].Key) {
			return nil, fmt.Errorf("event %s is in it twice", rows[i].Event.Key)
		}
	}
	return rows, nil
}
