package feed

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"time"

	"fever/event"
)

// A Builder makes a [Feed] of the rows of a document, in any format. It decides which rows are
// valid, which of several rows with the same ids counts, and how much a feed may hold.
type Builder struct {
	Location *time.Location // in which the feed's local times count

	provider string
	progress *Progress
	feed     Feed
	stored   func(*event.Event) *Stored
	rows     map[event.Key]rowPosition // where each of feed.Events and feed.Unchanged is
	crossed  bool                      // some row is in the place of one in the other of the two
	past     map[int]bool              // the indexes in feed.Events of those that belong into feed.Past
	most     int                       // events, and four times as many zones
	zones    int                       // of all rows kept, replaced ones included
	unknown  *Rejection                // see Unknown
	expired  func() error              // of the document
	trace    func(*Row)                // of the document; nil: nobody traces
	row      *Row                      // the one that Row has begun, if somebody traces
	offset   int64                     // where the next one is: see At
	end      int64                     // likewise

	item     int            // the index in feed.Items of the one that Item has begun; -1: none
	items    map[string]int // the indexes in feed.Items of those that have ended, by id
	rowBytes int            // of all items
}

// Bounds on what a feed may hold in memory, whatever the size of its document: a zone can be
// seven bytes there, and an event.Zone has ten times as many. Real feeds have thousands of
// events and up to a few million zones.
const (
	maxRows  = 1 << 20
	maxZones = 4 * maxRows
)

// maxRowBytes bounds the rows of items that a feed keeps.
const maxRowBytes = 256 << 20

// A rowPosition is where a row is: its index in Feed.Events, or in Feed.Unchanged, its line in the
// document, and the index in Feed.Items of the item that it is of, or -1.
type rowPosition struct {
	index, line, item int

	unchanged bool
}

func newBuilder(provider string, location *time.Location, progress *Progress, trace func(*Row)) *Builder {
	return &Builder{
		Location: location, provider: provider, progress: progress, trace: trace, most: maxRows,
		rows: make(map[event.Key]rowPosition), past: make(map[int]bool), item: -1, items: make(map[string]int),
	}
}

// Grow makes room for n events, before the first one, if a format knows how many come.
func (b *Builder) Grow(n int) {
	n = min(n, b.most)
	b.feed.Events, b.rows = make([]event.Event, 0, n), make(map[event.Key]rowPosition, n)
}

// Keep adds a row that is sold online, or rejects it if the event is not valid. The event
// needs no provider. Keep copies its zones: the caller may use their memory again. Of several rows
// with the same ids the last counts. Keep returns an error if the feed is too large.
func (b *Builder) Keep(e event.Event, line int) error { return b.keep(e, line, false) }

// KeepPast is [Builder.Keep] for a row that was sold online before, and is no longer.
func (b *Builder) KeepPast(e event.Event, line int) error { return b.keep(e, line, true) }

func (b *Builder) keep(e event.Event, line int, past bool) error {
	e.Provider = b.provider
	if err := e.ValidateIn(b.Location); err != nil {
		b.RejectEvent(e.Key, e.Title, line, err.Error())
		return nil
	}
	if b.item >= 0 && len(b.feed.Items[b.item].Keys) == maxItemEvents {
		b.RejectEvent(e.Key, e.Title, line, fmt.Sprintf("the item makes more than %d events", maxItemEvents))
		return nil
	}
	b.see()
	b.zones += len(e.Zones)
	var same *Stored
	if b.stored != nil && !past {
		same = b.stored(&e)
	}
	var earlier rowPosition
	var again bool
	var err error
	if same != nil {
		earlier, again, err = b.putUnchanged(same, line)
	} else {
		e.Zones = slices.Clone(e.Zones)
		earlier, again, err = b.put(e, line, past)
	}
	switch {
	case err != nil:
		return err
	case again && b.isNewer(earlier.item):
		b.feed.Seen--
	case again:
		b.list(e.BaseID, e.EventID, earlier.line, fmt.Sprintf("replaced by a later row with the same ids, on line %d", line))
	}
	b.note(line, func(r *Row) {
		e.Zones = slices.Clone(e.Zones)
		r.Events = append(r.Events, e)
		if past {
			r.Past++
		}
	})
	return nil
}

// put adds an event within the bounds. If one with the same ids is there, it takes its place:
// again is true then, and earlier says where it was.
func (b *Builder) put(e event.Event, line int, past bool) (earlier rowPosition, again bool, err error) {
	now := rowPosition{index: len(b.feed.Events), line: line, item: b.item}
	if earlier, again, err = b.place(e.Key, &now); err != nil {
		return earlier, again, err
	}
	if now.index == len(b.feed.Events) {
		b.feed.Events = append(b.feed.Events, e)
	} else {
		b.feed.Events[now.index] = e
	}
	if b.item >= 0 && (!again || earlier.item != b.item) {
		b.feed.Items[b.item].Keys = append(b.feed.Items[b.item].Keys, e.Key)
	}
	delete(b.past, now.index)
	if past {
		b.past[now.index] = true
	}
	return earlier, again, nil
}

// putUnchanged is put for an event that is stored with the same values.
func (b *Builder) putUnchanged(same *Stored, line int) (earlier rowPosition, again bool, err error) {
	now := rowPosition{index: len(b.feed.Unchanged), line: line, item: b.item, unchanged: true}
	if earlier, again, err = b.place(same.Key, &now); err == nil && now.index == len(b.feed.Unchanged) {
		b.feed.Unchanged = append(b.feed.Unchanged, same)
	}
	return earlier, again, err
}

// place finds the place of an event, which is the next one unless one with the same ids is there.
func (b *Builder) place(key event.Key, now *rowPosition) (earlier rowPosition, again bool, err error) {
	if b.zones > 4*b.most || len(b.feed.Events)+len(b.feed.Unchanged) >= b.most {
		return earlier, false, Errorf(KindTooLarge, "the feed has more than %d events, or %d zones", b.most, 4*b.most)
	}
	earlier, again = b.rows[key]
	switch {
	case again && earlier.unchanged == now.unchanged:
		now.index = earlier.index
	case again:
		b.crossed = true
	}
	b.rows[key] = *now
	return earlier, again, nil
}

// Ignore counts a row that is not sold online. The line is that in the document, from 1.
func (b *Builder) Ignore(line int) {
	b.see()
	b.feed.Ignored++
	b.note(line, func(*Row) {})
}

// Reject counts a row that cannot be kept, for the given reason. The line is that in the
// document, from 1. Either id may be empty.
func (b *Builder) Reject(baseID, eventID string, line int, reason string) {
	b.RejectEvent(event.Key{BaseID: baseID, EventID: eventID}, "", line, reason)
}

// RejectEvent is [Builder.Reject] where the title may have been read, too.
func (b *Builder) RejectEvent(key event.Key, title string, line int, reason string) {
	b.see()
	b.list(key.BaseID, key.EventID, line, reason)
	if b.item >= 0 {
		b.feed.Items[b.item].Rejected = true
	}
	b.note(line, func(r *Row) {
		r.Rejections = append(r.Rejections, rejection(key.BaseID, key.EventID, line, reason))
		r.Titles = append(r.Titles, title)
	})
}

// Unknown notes something unknown in the place of a row. If the document has no rows, the
// first such note becomes the feed's only rejection.
func (b *Builder) Unknown(line int, format string, args ...any) {
	if b.unknown == nil && b.feed.Seen == 0 {
		b.unknown = &Rejection{Line: line, Reason: fmt.Sprintf(format, args...)}
	}
}

// Expired returns why the document must not be read on, such as a time limit that has passed,
// or nil. Reading the body tells that, too: call it where a few bytes can take long.
func (b *Builder) Expired() error {
	if b.expired == nil {
		return nil
	}
	return b.expired()
}

// Next says that the feed continues in another document, at u, which may be relative.
func (b *Builder) Next(u *url.URL) { b.feed.Next = &Page{URL: u} }

// see counts a row.
func (b *Builder) see() {
	b.feed.Seen++
	b.progress.Rows.Store(int64(b.feed.Seen))
}

// list counts a rejection, and lists it if it is one of the first.
func (b *Builder) list(baseID, eventID string, line int, reason string) {
	b.feed.Rejected++
	if len(b.feed.Rejections) < MaxRejections {
		b.feed.Rejections = append(b.feed.Rejections, rejection(baseID, eventID, line, reason))
	}
}

// rejection removes control characters from the ids, which would steer a terminal.
func rejection(baseID, eventID string, line int, reason string) Rejection {
	return Rejection{
		BaseID: shorten(withoutControls([]byte(baseID))), EventID: shorten(withoutControls([]byte(eventID))), Line: line, Reason: reason,
	}
}

// whole returns the feed, after the last row.
func (b *Builder) whole() *Feed {
	b.endRow()
	b.endItem()
	b.feed.Rows = cmp.Or(b.feed.Rows, b.feed.Seen)
	if b.feed.Seen == 0 && b.unknown != nil {
		b.feed.Rejections = []Rejection{*b.unknown}
	}
	if len(b.past) == 0 && len(b.feed.Items) == 0 && !b.crossed {
		return &b.feed
	}
	all, unchanged := b.feed.Events, b.feed.Unchanged
	b.feed.Events, b.feed.Unchanged = nil, nil
	for i, same := range unchanged {
		if position := b.rows[same.Key]; position.unchanged && position.index == i {
			b.feed.Unchanged = append(b.feed.Unchanged, same)
		}
	}
	for i := range all {
		switch position, ok := b.rows[all[i].Key]; {
		case !ok || position.unchanged || position.index != i: // of an item that has come again, or crossed
		case b.past[i]:
			b.feed.Past = append(b.feed.Past, all[i])
		default:
			b.feed.Events = append(b.feed.Events, all[i])
		}
	}
	b.wholeItems()
	return &b.feed
}
