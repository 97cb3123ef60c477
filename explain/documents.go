package explain

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
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
	"fever/provider/inspect"
	"fever/store"
)

// Documents are those of an archive, with what is needed to read them again.
type Documents struct {
	Archive archive.Place     // nil: there is none
	Readers map[string]Reader // by provider
	Time    time.Duration     // the most that reading them for one question may take, and waiting for the turn
	// Turn has room for an element: the question for which documents are read puts it there. The others
	// wait. It is nil if there is never another one.
	Turn chan struct{}
	// Looked is called after each document that was searched, with their number and when the job of
	// the last one began. It is nil if nobody wants to know.
	Looked func(documents int, since time.Time)
}

// A Reader reads the documents of a provider.
type Reader struct {
	// Find is [inspect.Find] with the settings of the provider.
	Find   func(doc *feed.Document, wanted []inspect.Wanted) ([]inspect.Found, error)
	Tables bool   // rows of the documents take values from rows of tables
	Done   func() // called after the last document of a question; nil: there is nothing to do
}

// NewReader returns a reader that decodes in this process. The provider's local times count in the
// location.
func NewReader(f feed.Format, provider string, location *time.Location) Reader {
	return Reader{Tables: f.Again != nil, Find: func(doc *feed.Document, wanted []inspect.Wanted) ([]inspect.Found, error) {
		return inspect.Find(doc, f, provider, location, wanted)
	}}
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
	Sightings  []Sighting `json:"sightings"`         // the newest first
	Documents  int        `json:"documents"`         // that were searched
	Unreadable int        `json:"unreadable"`        // of these, those that could not be read as a feed, or not to their end
	Damaged    int        `json:"damaged,omitempty"` // places in the archive that are not what was written
	Since      time.Time  `json:"since,omitzero"`    // when the job of the oldest one began
	// Ended says why older documents, or any, were not searched. It is empty if all were.
	Ended string `json:"ended,omitempty"`
}

// A Row is a row of a document with what became of it.
type Row struct {
	Place

	Fate string `json:"fate"` // kept, rejected, ignored or deleted
	Why  string `json:"why"`  // for people
}

// A Sighting is a row of a document about an event that is not stored.
type Sighting struct {
	Provider string `json:"provider"`
	Row

	// Documents is how many had the same fate one after the other: this one, and older ones. Since is
	// when the job of the oldest of them began.
	Documents int       `json:"documents"`
	Since     time.Time `json:"since"`
}

// begin waits until documents may be read for a question, and reports false if the context has ended
// before. Call end in the end if it is true.
func (d *Documents) begin(ctx context.Context) bool {
	if d.Turn == nil {
		return true
	}
	select {
	case d.Turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (d *Documents) end() {
	if d.Turn != nil {
		<-d.Turn
	}
}

// done says that no more documents of a provider are read for a question.
func (d *Documents) done(provider string) {
	if done := d.Readers[provider].Done; done != nil {
		done()
	}
}

// busy says why no documents were read when the turn has not come in time.
const busy = "documents are read for other questions: ask again in a moment"

// none returns why the archive has no documents of providers, or "" if it may have some.
func (d *Documents) none(ctx context.Context, providers ...string) string {
	switch names, err := d.Archive.Providers(ctx); {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no archive in the folder " + d.Archive.String()
	case err != nil:
		return err.Error()
	case !slices.ContainsFunc(providers, func(p string) bool { return slices.Contains(names, p) }):
		return fmt.Sprintf("the archive in %s has nothing of %s", d.Archive, strings.Join(providers, ", "))
	}
	return ""
}

// origins finds the rows that the values of events come from, and those of events that are not current in the latest
// snapshot.
func (d *Documents) origins(ctx context.Context, st store.Store, events []Event) error {
	limited, cancel := context.WithTimeout(ctx, d.Time)
	defer cancel()
	all := make(map[string][]*Event) // by provider
	for i := range events {
		e := &events[i]
		switch _, known := d.Readers[e.Provider]; {
		case d.Archive == nil:
			e.NoOrigin = "no archive is kept"
		case !known:
			e.NoOrigin = "the settings here do not say how documents of " + e.Provider + " are read"
		default:
			if e.NoOrigin = d.none(limited, e.Provider); e.NoOrigin == "" {
				all[e.Provider] = append(all[e.Provider], e)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	if !d.begin(limited) {
		for _, of := range all {
			for _, e := range of {
				e.NoOrigin = busy
			}
		}
		return ctx.Err()
	}
	defer d.end()
	for provider, of := range all {
		brought := make(map[time.Time][]*Event) // together
		for _, e := range of {
			brought[e.LastChanged] = append(brought[e.LastChanged], e)
		}
		q := &question{Documents: d, st: st, provider: provider}
		for at, together := range brought {
			q.originsOf(limited, at, together)
		}
		q.latestRows(limited, of)
		d.done(provider)
	}
	return ctx.Err()
}

// A question is one about events of a provider, for which documents are read.
type question struct {
	*Documents

	st       store.Store
	provider string
}

// committed reports whether a job has committed what it made of a document.
func committed(doc *archive.Document) bool {
	return doc.GoneBefore == "" && doc.Failure == "" && doc.Outcome.Failure == ""
}

// originsOf is origins for events that were brought together, as of a time.
func (q *question) originsOf(ctx context.Context, at time.Time, events []*Event) {
	docs, err := archive.DocumentsOf(ctx, q.Archive, q.provider, at)
	missing := "the archive does not have the documents of that job"
	if err != nil {
		missing += ", or they cannot be read: " + err.Error()
	}
	o := lookup{question: q, events: events, parents: make([]string, len(events))}
	var tables []archive.Document
	for i := range docs {
		doc := &docs[i]
		switch {
		case !committed(doc):
			continue
		case doc.Table != "":
			tables = append(tables, *doc)
			continue
		}
		missing = "no document of that job has a row that is read as the event now: the settings differ"
		if err := o.find(ctx, doc, true); err != nil { // the last row counts, on the last page
			missing = "a document of that job cannot be read: " + err.Error()
		}
	}
	if len(tables) > 0 && ctx.Err() == nil {
		if !o.complete() {
			missing = "the job has changed rows of tables, and no document before it that can be read has a row that is read as the event now"
		}
		if err := o.findTables(ctx, at, tables); err != nil {
			missing = "a page of a table cannot be read: " + err.Error()
		}
	}
	if ctx.Err() != nil {
		missing = "there was no time to read the documents of that job"
	}
	for _, e := range events {
		if e.Origin == nil {
			e.NoOrigin = missing
		}
	}
}

// latestRows finds the rows of events that are not current: those in the documents of the latest snapshot or, in a feed
// of changes, of the page that changed them last. The last row about an event counts. What cannot be read has none, and
// neither has an event that the settings of today would make current.
func (q *question) latestRows(ctx context.Context, events []*Event) {
	together := make(map[time.Time][]*Event)
	for _, e := range events {
		if at := e.latestDocuments(); !e.Current && !at.IsZero() {
			together[at] = append(together[at], e)
		}
	}
	for at, of := range together {
		q.latestRowsOf(ctx, at, of)
	}
}

// latestDocuments returns as of when the documents are that may say why an event is not current; zero: nobody knows.
func (e *Event) latestDocuments() time.Time {
	switch {
	case !e.OfChanges:
		return e.latest
	case len(e.History) > 0:
		return e.History[0].At
	}
	return e.LastChanged // it was never current
}

// latestRowsOf is latestRows for events whose documents are as of a time.
func (q *question) latestRowsOf(ctx context.Context, at time.Time, of []*Event) {
	var wanted []inspect.Wanted
	for _, e := range of {
		wanted = append(wanted, inspect.Wanted{Keys: []event.Key{e.Key}})
	}
	docs, _ := archive.DocumentsOf(ctx, q.Archive, q.provider, at)
	for i := range docs {
		if !committed(&docs[i]) || docs[i].Table != "" {
			continue
		}
		found, _ := q.read(ctx, &docs[i], wanted)
		for n := range found {
			row := &found[n]
			if row.Fate == "" {
				continue
			}
			of[n].LatestRow = nil
			if place, err := placeOf(ctx, &docs[i], row); err == nil && row.Why != "" {
				of[n].LatestRow = &Row{*place, row.Fate, row.Why}
			}
		}
	}
}

// A lookup finds the origins of events that were brought together.
type lookup struct {
	*question

	events  []*Event
	parents []string // the names of the rows of tables that their rows take values from
}

func (o *lookup) complete() bool {
	return !slices.ContainsFunc(o.events, func(e *Event) bool { return e.Origin == nil })
}

// find looks for the rows of the events in a document, or only for those that are not found yet.
func (o *lookup) find(ctx context.Context, doc *archive.Document, again bool) error {
	var wanted []inspect.Wanted
	var of []int
	for i, e := range o.events {
		if again || e.Origin == nil {
			wanted, of = append(wanted, inspect.Wanted{Keys: []event.Key{e.Key}, Kept: true}), append(of, i)
		}
	}
	found, err := o.read(ctx, doc, wanted)
	for n := range found {
		if found[n].Fate == "" {
			continue
		}
		place, failed := placeOf(ctx, doc, &found[n])
		if failed != nil {
			return failed
		}
		o.events[of[n]].Origin, o.parents[of[n]] = place, found[n].Parent
	}
	return err
}

// findTables finds the rows of tables from which the rows of events take values, in pages of tables as of a time.
// The rows of events come from documents before that.
func (o *lookup) findTables(ctx context.Context, at time.Time, tables []archive.Document) error {
	for doc, err := range archive.Newest(ctx, o.Archive, o.provider) {
		if o.complete() || ctx.Err() != nil {
			break
		}
		if err == nil && committed(&doc) && doc.Table == "" && doc.At().Before(at) {
			_ = o.find(ctx, &doc, false) // what cannot be read has no row
		}
	}
	var wanted []inspect.Wanted
	var of []*Event
	for i, e := range o.events {
		if o.parents[i] != "" {
			wanted, of = append(wanted, inspect.Wanted{Row: o.parents[i]}), append(of, e)
		}
	}
	for i := range tables {
		if len(wanted) == 0 {
			break
		}
		found, err := o.read(ctx, &tables[i], wanted)
		if err != nil {
			return err
		}
		for n := range found {
			if found[n].Fate == "" {
				continue
			}
			if of[n].TableRow, err = placeOf(ctx, &tables[i], &found[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// read decodes a document, and returns the last row about each that is wanted.
func (q *question) read(ctx context.Context, doc *archive.Document, wanted []inspect.Wanted) ([]inspect.Found, error) {
	body, err := doc.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // opened for reading
	from, reader := doc.Feed(feed.Page{}, body), q.Readers[q.provider]
	from.Body, from.Expired, from.Done = &ending{body, ctx}, ctx.Err, ctx.Done()
	if reader.Tables {
		from.Parent = func(name string) ([]byte, error) { return q.st.Row(ctx, q.provider, name) }
	}
	return reader.Find(from, wanted)
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
func placeOf(ctx context.Context, doc *archive.Document, r *inspect.Found) (*Place, error) {
	p := &Place{
		Job: doc.Job, Started: doc.Started, Imported: doc.Imported, Page: doc.Page, Table: doc.Table,
		Line: r.Line, Offset: r.Offset, Length: r.Length,
	}
	body, err := doc.Open(ctx)
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

// search looks for an event that is not stored in the documents of its provider or, for an id, of all. A part of
// a title is looked for in the latest documents of all alone, since it may be a title that nobody ever had.
func (d *Documents) search(ctx context.Context, st store.Store, text string) (*Searched, error) {
	w := wantedBy(text)
	var providers []string
	if w.ID != uuid.Nil || w.Title != "" {
		providers = slices.Sorted(maps.Keys(d.Readers))
	} else if len(w.Keys) > 0 && d.Readers[w.Keys[0].Provider].Find != nil {
		providers = []string{w.Keys[0].Provider}
	}
	if d.Archive == nil || len(providers) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to search
	}
	s := &Searched{Sightings: []Sighting{}}
	limited, cancel := context.WithTimeout(ctx, d.Time)
	defer cancel()
	if s.Ended = d.none(limited, providers...); s.Ended != "" {
		return s, nil
	}
	if !d.begin(limited) {
		s.Ended = busy
		return s, ctx.Err()
	}
	defer d.end()
	for _, provider := range providers {
		q := &question{d, st, provider}
		q.search(limited, &w, s)
		d.done(provider)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if s.Ended != "" {
			break
		}
	}
	if w.Title != "" && s.Ended == "" {
		s.Ended = "a title is looked for in the documents of each provider's latest completed job alone"
	}
	slices.SortStableFunc(s.Sightings, func(a, b Sighting) int { return b.Started.Compare(a.Started) })
	return s, nil
}

// search looks for an event in the documents of the provider, until something ends the search.
func (q *question) search(ctx context.Context, w *inspect.Wanted, s *Searched) {
	var last *Sighting
	docs := archive.Newest(ctx, q.Archive, q.provider)
	if w.Title != "" {
		docs = ofLatest(docs)
	}
	for doc, err := range docs {
		switch {
		case err != nil:
			s.Damaged++
		case doc.GoneBefore == "":
			if last, err = q.searchIn(ctx, &doc, w, s, last); err != nil && ctx.Err() == nil {
				s.Unreadable++
			}
			if w.Title != "" {
				last = nil // the next row with this title may be of another event
			}
		}
		switch {
		case ctx.Err() != nil:
			s.Ended = fmt.Sprintf("the search has taken %s", q.Time)
		case s.Documents == maxSearched:
			s.Ended = fmt.Sprintf("%d documents were searched", s.Documents)
		case len(s.Sightings) == MaxEvents:
			s.Ended = fmt.Sprintf("%d rows were found", len(s.Sightings))
		}
		if s.Ended != "" {
			return
		}
	}
}

// ofLatest returns, of the documents of a provider from the newest on, those of the latest job that has committed
// something. Pages of tables are left out: their rows are no events.
func ofLatest(newest iter.Seq2[archive.Document, error]) iter.Seq2[archive.Document, error] {
	return func(yield func(archive.Document, error) bool) {
		var started time.Time // of that job
		for doc, err := range newest {
			switch {
			case err != nil:
			case !committed(&doc) || doc.Table != "":
				continue
			case started.IsZero():
				started = doc.Started
			case !doc.Started.Equal(started):
				return
			}
			if !yield(doc, err) {
				return
			}
		}
	}
}

// searchIn searches a document, after one that had the event last, or nil. It returns the sighting in it.
func (q *question) searchIn(ctx context.Context, doc *archive.Document, w *inspect.Wanted, s *Searched, last *Sighting) (*Sighting, error) {
	if err := ctx.Err(); err != nil || doc.Beyond || doc.Size == 0 {
		return last, err
	}
	found, err := q.read(ctx, doc, []inspect.Wanted{*w})
	if ctx.Err() != nil {
		return last, ctx.Err()
	}
	s.Documents++
	if s.Since.IsZero() || doc.Started.Before(s.Since) {
		s.Since = doc.Started
	}
	if q.Looked != nil {
		q.Looked(s.Documents, doc.Started)
	}
	if len(found) == 0 || found[0].Fate == "" {
		return nil, err
	}
	row := &found[0]
	if row.Fate == inspect.Kept {
		failure := cmp.Or(doc.Failure, doc.Outcome.Failure)
		switch {
		case failure != "":
			row.Why = "it can be read, but its job has failed: " + string(failure)
		case !doc.Outcome.Known():
			row.Why = "it can be read, and it is not known what became of its job"
		default:
			row.Why = "it can be read, and its job has completed: it was removed since, or was read in another way then"
		}
	}
	if last != nil && last.Fate == row.Fate && last.Why == row.Why {
		last.Documents++
		last.Since = doc.Started
		return last, err
	}
	place, failed := placeOf(ctx, doc, row)
	if failed != nil {
		return nil, failed
	}
	s.Sightings = append(s.Sightings, Sighting{q.provider, Row{*place, row.Fate, row.Why}, 1, doc.Started})
	return &s.Sightings[len(s.Sightings)-1], err
}
