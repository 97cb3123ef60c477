package inspect

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"fever/event"
	"fever/provider/feed"
)

// A Wanted is something that is looked for in the rows of a document.
type Wanted struct {
	ID   uuid.UUID   // the public id of an event; zero: its keys count
	Keys []event.Key // that the event may have
	Kept bool        // only rows that make the event are looked for
	// Title is a part of a title, as [Folded] returns it: rows that were rejected are looked for, and ids do not
	// count. Empty: ids are looked for.
	Title string
	Row   string // a row of a table, by its name or its id as [feed.Item] has them; empty: an event is looked for
}

// A Found is a row about something that was wanted. It is zero if there is none.
type Found struct {
	Line   int   // on which the row begins, from 1; 0: it is unknown
	Offset int64 // bytes of the document before the row
	Length int64 // of the row, in bytes; 0: it is unknown, and so is Offset
	Fate   string
	Why    string // for people; of rows that are kept only if they are of events that are no longer sold
	Parent string // the row of a table that the row takes values from, as [feed.Item] has it; empty: none
}

// What can become of a row.
const (
	Kept     = "kept"
	Rejected = "rejected"
	Ignored  = "ignored"
	Deleted  = "deleted"
)

// Find decodes a document, and returns the last row about each that is wanted. It holds no values of
// events. Of a document that cannot be read to its end it returns what was found before, and the
// error, which is a [*feed.Error]. It may change the document, and does not close its body.
func Find(doc *feed.Document, f feed.Format, provider string, location *time.Location, wanted []Wanted) ([]Found, error) {
	found := make([]Found, len(wanted))
	doc.Stored = func(e *event.Event) *feed.Stored { return &feed.Stored{Key: e.Key} }
	doc.Trace = func(r *feed.Row) {
		for i := range wanted {
			if fate, why := wanted[i].fate(provider, r); fate != "" {
				found[i] = Found{r.Line, r.Offset, r.Length, fate, why, r.Parent}
			}
		}
	}
	_, err := feed.Decode(doc, f, provider, location)
	return found, err
}

// Is reports whether a key is of the event. Without one of its ids it is if the other one fits.
func (w *Wanted) Is(key event.Key) bool {
	if w.ID != uuid.Nil {
		return key.ID() == w.ID
	}
	return key.BaseID+key.EventID != "" && slices.ContainsFunc(w.Keys, func(k event.Key) bool {
		return k.Provider == key.Provider && (key.BaseID == "" || key.BaseID == k.BaseID) && (key.EventID == "" || key.EventID == k.EventID)
	})
}

// fate returns what became of the wanted in a row, and why; "" if the row is of others.
func (w *Wanted) fate(provider string, r *feed.Row) (fate, why string) {
	if w.Row != "" {
		if w.Row == r.Item || w.Row == r.Name {
			return Kept, ""
		}
		return "", ""
	}
	if w.Title != "" {
		for i, title := range r.Titles {
			if title != "" && strings.Contains(Folded(title), w.Title) {
				return Rejected, r.Rejections[i].Reason
			}
		}
		return "", ""
	}
	for i := range r.Events {
		switch {
		case !w.Is(r.Events[i].Key):
		case r.Past == len(r.Events):
			return Kept, "it says that it is no longer sold"
		default:
			return Kept, ""
		}
	}
	if w.Kept {
		return "", ""
	}
	for _, rejected := range r.Rejections {
		key := event.Key{Provider: provider, BaseID: rejected.BaseID, EventID: rejected.EventID}
		if w.Is(key) {
			return Rejected, rejected.Reason
		}
	}
	for _, ignored := range r.Ignored {
		if !w.Is(event.Key{Provider: provider, BaseID: ignored.BaseID, EventID: ignored.EventID}) {
			continue
		}
		// The row may have been rejected before anything had ids.
		if n := len(r.Rejections); n > 0 && r.Rejections[n-1].BaseID+r.Rejections[n-1].EventID == "" {
			return Rejected, r.Rejections[n-1].Reason
		}
		return Ignored, ignored.Why
	}
	for _, item := range r.Deleted {
		if slices.ContainsFunc(w.Keys, func(k event.Key) bool { return item == k.BaseID+"/"+k.EventID || item == k.EventID || item == k.BaseID }) {
			return Deleted, "the provider says that it is no longer there"
		}
	}
	return "", ""
}

// Folded returns a text as titles are compared: without case, accents and other marks, and with one space between
// words. The case is folded as Unicode says, since a letter may have two small ones (σ, ς), and a large one may be two
// letters (ß, SS).
func Folded(text string) string {
	plain := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(text))
	return strings.Join(strings.Fields(cases.Fold().String(plain)), " ")
}
