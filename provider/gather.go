package provider

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"fever/event"
	"fever/provider/feed"
)

// A gatherer makes a Feed of the rows of a document, in whatever format. Its user
// counts those ignored.
type gatherer struct {
	progress *feed.Progress
	feed     *feed.Feed
	rows     map[rowKey]rowPlace // of feed.Events
	past     map[int]bool        // the places in feed.Events of what belongs into feed.Past
	zones    int                 // of all rows that were kept
	odd      *feed.Rejection     // the first of what is no row and stands in the place of one
}

// Bounds on what one feed may have in memory, whatever the size of its document: seven
// bytes can be a zone, of which an event.Zone is ten times as many. Real feeds have
// thousands of events and some million zones.
const (
	maxRows  = 1 << 20
	maxZones = 1 << 22
)

// A rowKey is an event's key without its provider.
type rowKey struct{ baseID, eventID string }

// A rowPlace says where a row is: in Feed.Events, and in the document.
type rowPlace struct{ index, line int }

func newGatherer(progress *feed.Progress) *gatherer {
	if progress == nil {
		progress = new(feed.Progress)
	}
	return &gatherer{progress: progress, feed: &feed.Feed{}, rows: make(map[rowKey]rowPlace), past: make(map[int]bool)}
}

// see counts a row.
func (g *gatherer) see() {
	g.feed.Seen++
	g.progress.Rows.Store(int64(g.feed.Seen))
}

// keep adds a valid event to the feed, in place of one with its key. The error is a
// *fault.
func (g *gatherer) keep(e event.Event, line int, past bool) error {
	g.zones += len(e.Zones)
	if g.zones > maxZones || len(g.feed.Events) == maxRows {
		return &fault{feed.KindTooLarge, fmt.Sprintf("the feed has more than %d events, or %d zones", maxRows, maxZones)}
	}
	key := rowKey{e.BaseID, e.EventID}
	place, again := g.rows[key]
	if again {
		g.reject(e.BaseID, e.EventID, place.line, fmt.Sprintf("replaced by a later row with the same ids, on line %d", line))
		g.feed.Events[place.index] = e
	} else {
		place.index = len(g.feed.Events)
		g.feed.Events = append(g.feed.Events, e)
	}
	place.line = line
	g.rows[key] = place
	delete(g.past, place.index)
	if past {
		g.past[place.index] = true
	}
	return nil
}

// misplaced takes note of what is not known and stands where a row could. It is told only
// of a document without rows.
func (g *gatherer) misplaced(line int, reason string) {
	if g.odd == nil {
		g.odd = &feed.Rejection{Line: line, Reason: reason}
	}
}

// whole returns the feed when all rows are in it.
func (g *gatherer) whole() *feed.Feed {
	if g.feed.Seen == 0 && g.odd != nil {
		g.feed.Rejections = []feed.Rejection{*g.odd}
	}
	if len(g.past) == 0 {
		return g.feed
	}
	var current []event.Event
	for i := range g.feed.Events {
		if g.past[i] {
			g.feed.Past = append(g.feed.Past, g.feed.Events[i])
		} else {
			current = append(current, g.feed.Events[i])
		}
	}
	g.feed.Events = current
	return g.feed
}

// reject counts a row that is not kept, and lists it if it is one of the first. Control
// characters in its ids, which no event has, would steer the terminal it is shown on.
func (g *gatherer) reject(baseID, eventID string, line int, reason string) {
	g.feed.Rejected++
	if len(g.feed.Rejections) < feed.MaxRejections {
		g.feed.Rejections = append(g.feed.Rejections, feed.Rejection{
			BaseID: shorten(plain(baseID)), EventID: shorten(plain(eventID)), Line: line, Reason: reason,
		})
	}
}

// shorten returns a copy of an id for a [Rejection], which is not to keep in memory
// what no event could.
func shorten(id string) string {
	if len(id) > event.MaxIDBytes {
		n := event.MaxIDBytes
		for !utf8.RuneStart(id[n]) {
			n--
		}
		id = id[:n]
	}
	return strings.Clone(id)
}

// plain is spaced for a string.
func plain(text string) string { return string(spaced([]byte(text))) }

// spaced returns a text with spaces for control characters: a line feed in a title
// means no more than that.
func spaced(text []byte) []byte {
	plain := true // the ASCII that nearly all text is
	for _, c := range text {
		plain = plain && c >= ' ' && c <= '~'
	}
	if plain || !bytes.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	return bytes.TrimSpace(bytes.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
}
