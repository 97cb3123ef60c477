package event

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"strings"
	"time"
	"unique"

	"github.com/google/uuid"
)

// A SortKey is the position of an event in the order of all events.
type SortKey struct {
	Start int64     // Unix seconds
	End   int64     // Unix seconds, never before Start
	ID    uuid.UUID // of the event's [Key]
}

// An Entry is what a search needs of an event: its sort key and its encoded summary. It is
// immutable, so everybody may keep it.
type Entry struct {
	SortKey
	Summary  []byte                // an EventSummary of the OpenAPI document, as JSON
	Provider unique.Handle[string] // its name, which all entries share
}

// NewEntry makes the entry of a valid event whose provider is at loc. Its local times count in
// its own time zone, if it has one.
//
// A start without a time of day is the start of its day. An end without one is the last
// second of its day. An event without an end ends when it starts. When the clocks go back
// and show a time twice, a start is the first of the two, and an end is the first that is
// not before the start, unless the provider said that it is the second.
func NewEntry(e *Event, loc *time.Location) *Entry {
	lowest, highest := e.PriceRange()
	return Summarize(e, lowest, highest, loc)
}

// Summarize is [NewEntry] for a caller that has the price range but not the zones: it reads
// only the key, the title and the times of e.
func Summarize(e *Event, lowest, highest Price, loc *time.Location) *Entry {
	id := e.ID()
	start, end := e.instants(loc)
	// When the clocks skip the start, it can come out after the end.
	return &Entry{SortKey{start, max(start, end), id}, summary(e, id, lowest, highest), unique.Make(e.Provider)}
}

// instants returns the Unix seconds at which a valid event starts and ends, whose provider is at
// loc. When the clocks show the end twice, and the first is before the start, it is the second.
func (e *Event) instants(loc *time.Location) (start, end int64) {
	if e.TimeZone != "" {
		if own, err := LoadLocation(e.TimeZone); err == nil { // else it is not valid
			loc = own
		}
	}
	start = e.Start.Unix(loc)
	if e.End.IsZero() {
		return start, start
	}
	if end = e.End.ends(loc); end < start {
		end = e.End.endsAgain(loc)
	}
	return start, end
}

// Compare orders events by start, then by end, then by id. It is the only order of events,
// and a total one: no two events compare as equal.
func (p *SortKey) Compare(q *SortKey) int {
	if c := cmp.Compare(p.Start, q.Start); c != 0 {
		return c
	}
	if c := cmp.Compare(p.End, q.End); c != 0 {
		return c
	}
	return bytes.Compare(p.ID[:], q.ID[:])
}

// summary encodes an EventSummary. It appends the few fixed fields by hand, because a start
// with a million events encodes a million of them.
func summary(e *Event, id uuid.UUID, lowest, highest Price) []byte {
	var room [512]byte
	b := append(room[:0], `{"id":"`...)
	b = appendID(b, id)
	b = append(b, `","title":`...)
	b = appendString(b, e.Title)
	b = append(b, `,"start_date":"`...)
	b = e.Start.appendDate(b)
	b = append(b, `","start_time":`...)
	b = appendClock(b, e.Start)
	b = append(b, `,"end_date":`...)
	if e.End.IsZero() {
		b = append(b, "null"...)
	} else {
		b = append(e.End.appendDate(append(b, '"')), '"')
	}
	b = append(b, `,"end_time":`...)
	b = appendClock(b, e.End)
	b = append(b, `,"min_price":`...)
	b = lowest.AppendJSON(b)
	b = append(b, `,"max_price":`...)
	b = highest.AppendJSON(b)
	b = append(b, '}')
	return bytes.Clone(b) // without spare capacity: entries live long
}

// appendID appends what id.String returns, without an allocation.
func appendID(b []byte, id uuid.UUID) []byte {
	b = hex.AppendEncode(b, id[0:4])
	b = hex.AppendEncode(append(b, '-'), id[4:6])
	b = hex.AppendEncode(append(b, '-'), id[6:8])
	b = hex.AppendEncode(append(b, '-'), id[8:10])
	return hex.AppendEncode(append(b, '-'), id[10:16])
}

func appendClock(b []byte, l Local) []byte {
	if !l.clock {
		return append(b, "null"...)
	}
	return append(l.appendClock(append(b, '"')), '"')
}

// appendString appends s as a JSON string, with only the escapes that RFC 8259 section 7
// demands. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range []byte(strings.ToValidUTF8(s, "\ufffd")) {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
