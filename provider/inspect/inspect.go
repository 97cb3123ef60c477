// Package inspect says what became of each row of a provider's document, and what in the
// events looks wrong, for people who integrate a provider. It stores nothing.
package inspect

import (
	"cmp"
	"regexp"
	"slices"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// A Report says what a document was read as.
type Report struct {
	Rows     int      `json:"rows"`
	Read     int      `json:"read"`     // rows that made events, and of which nothing was rejected
	Ignored  int      `json:"ignored"`  // rows that made no event, and of which nothing was rejected
	Deleted  int      `json:"deleted"`  // rows of a feed of changes that only say that items are no longer there
	Rejected int      `json:"rejected"` // rows of which something was rejected
	Events   int      `json:"events"`   // kept in the end
	Replaced int      `json:"replaced"` // events, by those of later rows with the same ids
	Reasons  []Reason `json:"reasons"`  // of the rejections, the most frequent first
	LookAt   []string `json:"look_at"`  // what looks wrong, although it is valid
	Unread   []string `json:"unread"`   // members of the rows that the mapping program never reads
	List     []Row    `json:"list"`     // some of the rows, in order
}

// A Reason is why rows were rejected. Reasons that differ only in numbers and quoted texts are one.
type Reason struct {
	Text string `json:"reason"` // of the first such row
	Rows int    `json:"rows"`
	Row  int    `json:"row"`  // the number of the first one
	Line int    `json:"line"` // its line
	Page int    `json:"page"` // on which that is
}

// A Row is a row in the list of a report.
type Row struct {
	Number     int          `json:"row"`  // from 1
	Line       int          `json:"line"` // in the document, from 1; 0 if unknown
	Page       int          `json:"page"` // of the feed, from 1
	Events     int          `json:"events"`
	Past       int          `json:"past"`            // of these, not on sale now
	First      *event.Event `json:"first,omitempty"` // of its events; nil: there is none
	Last       *event.Event `json:"last,omitempty"`  // nil if there is only one
	Rejected   int          `json:"rejected"`        // events
	Reason     string       `json:"reason,omitempty"`
	Deleted    int          `json:"deleted,omitempty"`     // items that it says are no longer there
	Item       string       `json:"item,omitempty"`        // the id of the first of them
	ReplacedBy int          `json:"replaced_by,omitempty"` // the row with the same ids that replaced an event of this one; 0: none

	timeZone string // of the provider
}

// Bounds on what an inspection keeps, whatever the size of the document.
const (
	maxReasons = 100
	maxListed  = 1 << 20
)

// An Inspection collects what becomes of the rows of one feed. Give its Trace to each document.
type Inspection struct {
	List   int // how many rows to list of those read, ignored and deleted, and of each reason; 0: all
	Number int // the row to keep whole; 0: none
	// Reads reports whether the mapping program reads members with this name; nil: unknown.
	Reads func(name string) bool

	page    int // from 1
	before  int // rows on the pages before
	report  Report
	whole   *feed.Row
	after   int               // the line of the row after it
	kept    map[event.Key]int // the number of the row of each event
	listed  map[int]int       // the indexes in report.List, by the numbers of rows
	reasons map[string]*Reason
	counts  map[string]int // of the rows listed, by their fate or the kind of their reason
	members members
	notes   []*note
	isList  bool // the first row is a list
}

// A note is a doubt that rows have.
type note struct {
	text string
	rows int
}

// maxNotes bounds the notes that differ.
const maxNotes = 20

// New returns an inspection that lists so many rows of each kind; 0: all.
func New(list int) *Inspection {
	return &Inspection{
		List: list, kept: make(map[event.Key]int), listed: make(map[int]int), reasons: make(map[string]*Reason), counts: make(map[string]int),
		members: make(members), page: 1,
	}
}

// Page says that the rows that follow are on the next page of the feed.
func (i *Inspection) Page() {
	i.page++
	i.before = i.report.Rows
}

// Trace takes the next row: see [feed.Document].
func (i *Inspection) Trace(r *feed.Row) {
	i.report.Rows++
	number := i.report.Rows
	switch {
	case number == i.Number:
		i.whole = r
	case number == i.Number+1 && i.Number > i.before:
		i.after = r.Line
	}
	if number == 1 {
		_, i.isList = r.Value.([]any)
	}
	i.members.add(r.Value, number)
	for at := range r.Events {
		i.keep(&r.Events[at], number)
	}
	for _, text := range r.Notes {
		i.note(text)
	}
	row := Row{Number: number, Line: r.Line, Page: i.page, Events: len(r.Events), Past: r.Past, Rejected: len(r.Rejections), Deleted: len(r.Deleted)}
	if row.Deleted > 0 {
		row.Item = r.Deleted[0]
	}
	if n := len(r.Events); n > 0 {
		row.First = &r.Events[0]
		if n > 1 {
			row.Last = &r.Events[n-1]
		}
	}
	kind := "ignored"
	switch {
	case len(r.Rejections) > 0:
		i.report.Rejected++
		row.Reason = r.Rejections[0].Reason
		kind = i.reject(r, number)
	case len(r.Events) > 0:
		i.report.Read++
		kind = "read"
	case row.Deleted > 0:
		i.report.Deleted++
		kind = "deleted"
	default:
		i.report.Ignored++
	}
	i.counts[kind]++
	if (i.List == 0 || i.counts[kind] <= i.List) && len(i.report.List) < maxListed {
		i.listed[number] = len(i.report.List)
		i.report.List = append(i.report.List, row)
	}
}

// note counts a doubt.
func (i *Inspection) note(text string) {
	for _, n := range i.notes {
		if n.text == text {
			n.rows++
			return
		}
	}
	if len(i.notes) < maxNotes {
		i.notes = append(i.notes, &note{text, 1})
	}
}

// keep notes an event, and which row's event it replaces. On another page it is the same row
// again: rows move from page to page while they are read.
func (i *Inspection) keep(e *event.Event, number int) {
	earlier, again := i.kept[e.Key]
	i.kept[e.Key] = number
	if !again || earlier <= i.before {
		return
	}
	i.report.Replaced++
	if at, ok := i.listed[earlier]; ok {
		i.report.List[at].ReplacedBy = number
	}
}

// varying matches the parts of a reason in which rows differ.
var varying = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[0-9]+`)

// reject counts the reasons of a row, each once, and returns the kind of the first.
func (i *Inspection) reject(r *feed.Row, number int) string {
	first := ""
	seen := make(map[string]bool)
	for _, rejection := range r.Rejections {
		kind := varying.ReplaceAllString(rejection.Reason, "#")
		reason := i.reasons[kind]
		if reason == nil && len(i.reasons) >= maxReasons {
			kind = "other"
			reason = i.reasons[kind]
		}
		if reason == nil {
			reason = &Reason{Text: rejection.Reason, Row: number, Line: r.Line, Page: i.page}
			i.reasons[kind] = reason
		}
		if !seen[kind] {
			reason.Rows++
		}
		seen[kind] = true
		first = cmp.Or(first, kind)
	}
	return "rejected: " + first
}

// Row returns the row with the wanted number and the line of the row after it. It returns nil if
// the document has no such row, and 0 if no row follows.
func (i *Inspection) Row() (row *feed.Row, after int) { return i.whole, i.after }

// Report returns the report, after the last row. The feed is what was made of the rows; nil if
// the document cannot be read to its end. The events' local times count in the location.
func (i *Inspection) Report(got *feed.Feed, location *time.Location, now time.Time) *Report {
	r := &i.report
	r.Reasons, r.LookAt, r.Unread = []Reason{}, []string{}, []string{}
	if r.List == nil {
		r.List = []Row{}
	}
	for at := range r.List {
		r.List[at].timeZone = location.String()
	}
	for _, reason := range i.reasons {
		r.Reasons = append(r.Reasons, *reason)
	}
	slices.SortFunc(r.Reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Row, b.Row))
	})
	if i.Reads != nil {
		r.Unread = i.members.unread(i.Reads)
	}
	r.Events = len(i.kept)
	if got != nil {
		r.Events = len(got.Events) + len(got.Past)
		r.LookAt = i.lookAt(got, location, now)
	}
	return r
}
