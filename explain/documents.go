package explain

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"fever/archive"
	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// Documents are those of an archive, with what is needed to read them again.
type Documents struct {
	Dir     string            // of the archive; empty: there is none
	Readers map[string]Reader // by provider
	Time    time.Duration     // the most that reading them may take
	// Looked is called after each document that was searched, with their number and when the job of
	// the last one began. It is nil if nobody wants to know.
	Looked func(documents int, since time.Time)
}

// A Reader says how the documents of a provider are read.
type Reader struct {
	Format   feed.Format
	Location *time.Location
}

const (
	// maxText bounds the bytes of a row that are shown.
	maxText = 4 << 10
	// maxSearched bounds the documents that are searched for an event.
	maxSearched = 10_000
)

// A Place is a row of a document in the archive.
type Place struct {
	Job      uint64    `json:"job"` // that got the document
	Started  time.Time `json:"started"`
	Imported bool      `json:"imported,omitzero"` // somebody gave it by hand
	Page     int       `json:"page"`              // of the feed, from 1
	Table    string    `json:"table,omitzero"`    // of a feed of changes, that the page is of
	Line     int       `json:"line"`              // on which the row begins, from 1; 0: it is unknown
	Offset   int64     `json:"offset"`            // bytes of the document before the row
	Length   int64     `json:"length"`            // of the row, in bytes; 0: it is unknown, and so is Offset
	// Text is the beginning of the row, or of its line if no more is known, with what is not printed
	// escaped as in Go.
	Text string `json:"text"`
	Cut  bool   `json:"cut,omitzero"` // Text is not all of it
}

// String returns where the row is, for people.
func (p *Place) String() string {
	text := fmt.Sprintf("job %d, page %d", p.Job, p.Page)
	if p.Table != "" {
		text += " of the table " + p.Table
	}
	if p.Imported {
		text = fmt.Sprintf("job %d, which was given a document by hand", p.Job)
	}
	text += fmt.Sprintf(", line %d", p.Line)
	if p.Length > 0 {
		text += fmt.Sprintf(", %d bytes from byte %d on", p.Length, p.Offset)
	}
	return text
}

// Searched says what was found in the archive of an event that is not stored, and how far it was
// searched. The newest documents were first.
type Searched struct {
	Sightings  []Sighting `json:"sightings"` // the newest first
	Documents  int        `json:"documents"` // that were searched
	Unreadable int        `json:"unreadable"`
	Since      time.Time  `json:"since,omitzero"` // when the job of the oldest one began
	// Ended says why older documents were not searched. It is empty if all were.
	Ended string `json:"ended,omitempty"`
}

// A Sighting is a row of a document about an event that is not stored.
type Sighting struct {
	Provider string `json:"provider"`
	Place

	Fate string `json:"fate"` // kept, rejected, ignored or deleted
	Why  string `json:"why"`  // for people
	// Documents is how many had the same fate one after the other: this one, and older ones. Since is
	// when the job of the oldest of them began.
	Documents int       `json:"documents"`
	Since     time.Time `json:"since"`
}

// origins finds the rows that the values of events come from.
func (d *Documents) origins(ctx context.Context, st store.Store, events []Event) error {
	ctx, cancel := context.WithTimeout(ctx, d.Time)
	defer cancel()
	for i := range events {
		e := &events[i]
		_, known := d.Readers[e.Provider]
		switch {
		case e.Origin != nil || e.NoOrigin != "": // found with another one
		case d.Dir == "":
			e.NoOrigin = "no archive is kept"
		case !known:
			e.NoOrigin = "the settings here do not say how documents of " + e.Provider + " are read"
		default:
			var same []*Event // that the same job brought
			for j := range events[i:] {
				if o := &events[i+j]; o.Provider == e.Provider && o.LastChanged.Equal(e.LastChanged) {
					same = append(same, o)
				}
			}
			if err := d.originsOf(ctx, st, same); err != nil {
				return err
			}
		}
	}
	return nil
}

// originsOf is origins for events that one job brought.
func (d *Documents) originsOf(ctx context.Context, st store.Store, events []*Event) error {
	of := events[0]
	docs, err := archive.DocumentsOf(d.Dir, of.Provider, of.LastChanged)
	missing := "the archive does not have the documents of that job"
	if err != nil {
		missing += ", or they cannot be read: " + err.Error()
	}
	for i := range docs {
		doc := &docs[i]
		if doc.Failure != "" || doc.Outcome.Failure != "" {
			continue // it brought nothing
		}
		missing = "no document of that job has a row that is read as the event now: the settings differ, or what has changed is in a table"
		rows := make(map[*Event]*feed.Row)
		err := d.read(ctx, st, of.Provider, doc, func(r *feed.Row) {
			for _, e := range events {
				if slices.ContainsFunc(r.Events, func(o event.Event) bool { return o.Key == e.Key }) {
					rows[e] = r
				}
			}
		})
		switch {
		case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
			missing = "there was no time to read the documents of that job"
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			missing = "a document of that job cannot be read: " + err.Error()
		}
		for e, row := range rows { // the last row counts, on the last page
			if e.Origin, err = placeOf(doc, row); err != nil {
				return err
			}
		}
	}
	for _, e := range events {
		if e.Origin == nil {
			e.NoOrigin = missing
		}
	}
	return nil
}

// read decodes a document, and has trace see its rows. It holds no values of events.
func (d *Documents) read(ctx context.Context, st store.Store, provider string, doc *archive.Document, trace func(*feed.Row)) error {
	body, err := doc.Open()
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // opened for reading
	from, reader := doc.Feed(feed.Page{}, body), d.Readers[provider]
	from.Body, from.Expired, from.Trace = &ending{body, ctx}, ctx.Err, trace
	from.Stored = func(e *event.Event) *feed.Stored { return &feed.Stored{Key: e.Key} }
	if reader.Format.Again != nil {
		from.Parent = func(name string) ([]byte, error) { return st.Row(ctx, provider, name) }
	}
	_, err = feed.Decode(from, reader.Format, provider, reader.Location)
	return err
}

// An ending body ends with its context.
type ending struct {
	io.ReadCloser
	ctx context.Context //nolint:containedctx // a reader has no other way to end
}

func (e *ending) Read(b []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.ReadCloser.Read(b)
}

// placeOf returns the place of a row of a document, with its text.
func placeOf(doc *archive.Document, r *feed.Row) (*Place, error) {
	p := &Place{
		Job: doc.Job, Started: doc.Started, Imported: doc.Imported, Page: doc.Page, Table: doc.Table,
		Line: r.Line, Offset: r.Offset, Length: r.Length,
	}
	body, err := doc.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // opened for reading
	var text []byte
	in := bufio.NewReader(body)
	if p.Length > 0 {
		if _, err = io.CopyN(io.Discard, in, p.Offset); err == nil {
			text, err = io.ReadAll(io.LimitReader(in, min(p.Length, maxText)))
			p.Cut = p.Length > maxText
		}
	} else if p.Line > 0 {
		text, p.Cut, err = readLine(in, p.Line)
	}
	if err != nil {
		return nil, fmt.Errorf("read a row: %w", err)
	}
	p.Text = escaped(text)
	return p, nil
}

// readLine returns the beginning of a line, from 1, and whether there is more of it.
func readLine(in *bufio.Reader, number int) (text []byte, more bool, err error) {
	for number > 0 && err == nil {
		var part []byte
		part, err = in.ReadSlice('\n')
		if number == 1 {
			room := min(len(part), maxText-len(text))
			text, more = append(text, part[:room]...), more || room < len(part)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			err = nil
		case err == nil:
			number--
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return text, more, err
}

// escaped returns a text in which what is not printed is escaped as in Go.
func escaped(b []byte) string {
	var text strings.Builder
	for b = []byte(strings.TrimSpace(string(b))); len(b) > 0; {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&text, `\x%02x`, b[0])
		case unicode.IsGraphic(r):
			text.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			text.WriteString(quoted[1 : len(quoted)-1])
		}
		b = b[n:]
	}
	return text.String()
}

// A wanted event is one that is looked for in documents, by its id or by the keys that a text may be.
type wanted struct {
	id   uuid.UUID
	keys []event.Key
}

// is reports whether a key is of the event. Without one of its ids it is if the other one fits.
func (w *wanted) is(key event.Key) bool {
	if w.id != uuid.Nil {
		return key.ID() == w.id
	}
	return key.BaseID+key.EventID != "" && slices.ContainsFunc(w.keys, func(k event.Key) bool {
		return k.Provider == key.Provider && (key.BaseID == "" || key.BaseID == k.BaseID) && (key.EventID == "" || key.EventID == k.EventID)
	})
}

// find returns what became of the event in a row, and why; "" if the row is of others.
func (w *wanted) find(provider string, r *feed.Row) (fate, why string) {
	for i := range r.Events {
		if w.is(r.Events[i].Key) {
			return "kept", ""
		}
	}
	withIDs := false
	for _, rejected := range r.Rejections {
		key := event.Key{Provider: provider, BaseID: rejected.BaseID, EventID: rejected.EventID}
		if w.is(key) {
			return "rejected", rejected.Reason
		}
		withIDs = withIDs || key.BaseID+key.EventID != ""
	}
	const ignored = "such a row is not kept: it is not sold online, cancelled, or at no time that counts"
	for _, key := range r.Ignored {
		key.Provider = provider
		if w.is(key) {
			return "ignored", ignored
		}
		withIDs = true
	}
	for _, item := range r.Deleted {
		if slices.ContainsFunc(w.keys, func(k event.Key) bool { return item == k.BaseID+"/"+k.EventID || item == k.EventID || item == k.BaseID }) {
			return "deleted", "the provider says that it is no longer there"
		}
	}
	if withIDs || len(r.Events) > 0 || !slices.ContainsFunc(w.keys, func(k event.Key) bool { return has(r.Value, k.BaseID) && has(r.Value, k.EventID) }) {
		return "", ""
	}
	// The map made nothing of it that has ids.
	if len(r.Rejections) > 0 {
		return "rejected", r.Rejections[0].Reason
	}
	return "ignored", "the row has both ids, and the map makes no event of it"
}

// has reports whether a text or a number in a value is an id.
func has(value any, id string) bool {
	switch v := value.(type) {
	case string:
		return v == id
	case json.Number:
		return v.String() == id
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return has(one, id) })
	case map[string]any:
		for _, one := range v {
			if has(one, id) {
				return true
			}
		}
	}
	return false
}

// search looks for an event that is not stored in the documents of its provider or, for an id, of all.
func (d *Documents) search(ctx context.Context, st store.Store, text string) (*Searched, error) {
	w := wanted{keys: slices.Collect(keys(text))}
	var providers []string
	if id, err := uuid.Parse(text); err == nil {
		w.id = id
		for name := range d.Readers {
			providers = append(providers, name)
		}
		slices.Sort(providers)
	} else if len(w.keys) > 0 && d.Readers[w.keys[0].Provider].Location != nil {
		providers = []string{w.keys[0].Provider}
	}
	if d.Dir == "" || len(providers) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to search
	}
	s := &Searched{Sightings: []Sighting{}}
	limited, cancel := context.WithTimeout(ctx, d.Time)
	defer cancel()
	for _, provider := range providers {
		var last *Sighting
		for doc, err := range archive.Newest(d.Dir, provider) {
			if err == nil && doc.GoneBefore == "" {
				last, err = d.searchIn(limited, st, provider, &doc, &w, s, last)
			}
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case limited.Err() != nil:
				s.Ended = fmt.Sprintf("the search has taken %s", d.Time)
			case s.Documents == maxSearched:
				s.Ended = fmt.Sprintf("%d documents were searched", s.Documents)
			case len(s.Sightings) == MaxEvents:
				s.Ended = fmt.Sprintf("%d rows were found", len(s.Sightings))
			}
			if err != nil {
				s.Unreadable++
			}
			if s.Ended != "" {
				break
			}
		}
		if s.Ended != "" {
			break
		}
	}
	slices.SortStableFunc(s.Sightings, func(a, b Sighting) int { return b.Started.Compare(a.Started) })
	return s, nil
}

// searchIn searches a document, after one that had the event last, or nil. It returns the sighting in it.
func (d *Documents) searchIn(ctx context.Context, st store.Store, provider string, doc *archive.Document, w *wanted, s *Searched, last *Sighting) (*Sighting, error) {
	if err := ctx.Err(); err != nil || doc.Beyond || doc.Size == 0 {
		return last, err
	}
	var row *feed.Row
	var fate, why string
	err := d.read(ctx, st, provider, doc, func(r *feed.Row) {
		if f, y := w.find(provider, r); f != "" {
			row, fate, why = r, f, y // the last row counts
		}
	})
	if ctx.Err() != nil {
		return last, ctx.Err()
	}
	s.Documents++
	if s.Since.IsZero() || doc.Started.Before(s.Since) {
		s.Since = doc.Started
	}
	if d.Looked != nil {
		d.Looked(s.Documents, doc.Started)
	}
	if row == nil {
		return nil, err
	}
	if fate == "kept" {
		failure := cmp.Or(doc.Failure, doc.Outcome.Failure)
		switch {
		case failure != "":
			why = "it can be read, but its job has failed: " + string(failure)
		case !doc.Outcome.Known():
			why = "it can be read, and it is not known what became of its job"
		default:
			why = "it can be read, and its job has completed: it was removed since, or was read in another way then"
		}
	}
	if last != nil && last.Fate == fate && last.Why == why {
		last.Documents++
		last.Since = doc.Started
		return last, err
	}
	place, failed := placeOf(doc, row)
	if failed != nil {
		return nil, failed
	}
	s.Sightings = append(s.Sightings, Sighting{provider, *place, fate, why, 1, doc.Started})
	return &s.Sightings[len(s.Sightings)-1], err
}
