package dump

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"time"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/jsonscan"
)

// NewReader returns a reader of the records that a mapping program makes. The rules are those of
// the format fever, and these differ:
//
//   - A member that is not known rejects the record, so that typing errors show.
//   - Times may be instants, as [event.Event.SetTimes] reads them.
//   - Without an event_id it is the base_id.
//   - An id of more than [event.MaxIDBytes] becomes "sha256-" and the first 32 hexadecimal digits
//     of its SHA-256.
func NewReader() *Reader { return newReader(jsonscan.New(bytes.NewReader(nil)), true, nil) }

// Read reads one record, as JSON, of a provider at the location. With an error, which is the
// reason to reject the record, the event has the ids that could be read. Current says whether
// the event is sold now: see [feed.Builder.Keep] and [feed.Builder.KeepPast].
func (r *Reader) Read(text []byte, location *time.Location) (e event.Event, current bool, err error) {
	r.location = location
	r.scanner.Reset(bytes.NewReader(text))
	got := r.read()
	if r.scanner.Kind() != jsonscan.End {
		return event.Event{}, false, errors.New("there is more behind the record")
	}
	if err := r.scanner.Err(); err != nil {
		return event.Event{}, false, fmt.Errorf("the record as JSON: %w", err)
	}
	got.BaseID, got.EventID = feed.ID([]byte(got.BaseID)), feed.ID([]byte(cmp.Or(got.EventID, got.BaseID)))
	return got.Event, got.current, got.err
}
