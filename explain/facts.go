package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fever/event"
	"fever/provider/inspect"
)

// A Fact is one thing that is known of an event, for people. Both texts may hold what a provider
// wrote. The name is empty where it is that of the fact before.
type Fact struct{ Name, Value string }

// moment is RFC 3339 with the milliseconds, which is the precision of the store.
const moment = "2006-01-02T15:04:05.000Z07:00"

// listedChanges is the most changes that Facts lists.
const listedChanges = 10

// Facts returns what is known of the event but for its title. What the search finds comes first.
func (e *Event) Facts() (facts []Fact) {
	add := func(name, format string, args ...any) {
		facts = append(facts, Fact{name, fmt.Sprintf(format, args...)})
	}
	if v := e.Search; v != nil && v.Found {
		add("found", "yes: %s", v.Why)
	} else if v != nil {
		add("found", "no: %s", v.Why)
	}
	if r := e.Rejected; r != nil {
		ids := "the same ids"
		if r.BaseID == "" || r.EventID == "" {
			ids = "one of its ids"
		}
		add("rejected", "a row with %s, and nothing of that row is stored: %s", ids, r)
	}
	if named := e.String(); strings.Count(named, "/") > 2 { // other events may have this name, too
		add("event", "%s, %s, id %s", named, ids(e.Key), e.ID)
	} else {
		add("event", "%s, id %s", named, e.ID)
	}
	if r := e.Renamed; r != nil {
		add("", "with the ids that were asked for until its provider, %s then, was renamed %s (record %d)", r.From, r.At.Format(moment), r.Record)
	}
	add("first seen", "%s, %s", e.FirstSeen.Format(moment), ofJob(e.FirstJob))
	later := ""
	if len(e.History) > 0 && e.History[0].At.After(e.LastChanged) {
		later = "; the later changes are not of its values"
	}
	add("last changed", "%s, %s%s", e.LastChanged.Format(moment), ofJob(e.LastJob), later)
	name := "changes"
	for _, c := range e.History[:min(len(e.History), listedChanges)] {
		if len(c.What) == 0 {
			break
		}
		by := ""
		if c.Job > 0 {
			by = fmt.Sprintf(", by job %d", c.Job)
		}
		add(name, "%s%s: %s", c.At.Format(moment), by, strings.Join(c.What, "; "))
		name = ""
	}
	if e.Origin != nil {
		add("read from", "%s", e.Origin)
		add("", "%s%s", e.Origin.Text, more(e.Origin.Cut))
	} else if e.NoOrigin != "" {
		add("read from", "unknown: %s", e.NoOrigin)
	}
	if e.TableRow != nil {
		add("with values of", "%s", e.TableRow)
		add("", "%s%s", e.TableRow.Text, more(e.TableRow.Cut))
	}
	add("sold now", "%s", e.sold())
	if row := e.LatestRow; row != nil {
		add("", "%s", row)
		add("", "%s%s", row.Text, more(row.Cut))
	}
	if e.Refused != nil {
		add("", "%s", e.Refused)
	}
	whose := "the zone of its provider"
	if e.OwnZone {
		whose = "its own zone"
	}
	add("starts", "%s in %s, %s: %s%s", e.Start, e.CountedIn, whose, e.StartsAt, e.note(e.Start, e.StartsAt, "first"))
	if e.End.IsZero() {
		add("ends", "as it starts, since its provider gives no end: %s", e.EndsAt)
	} else {
		add("ends", "%s in %s: %s%s", e.End, e.CountedIn, e.EndsAt, e.note(e.End, e.EndsAt, "last"))
	}
	add("found by", "GET %s", e.FoundBy)
	switch {
	case len(e.Zones) == 0:
		add("price", "none: its provider gives none")
	case !e.MinPrice.Known():
		add("price", "none: that of no zone counts")
	default:
		add("price", "%s", Prices(&e.Event))
	}
	for i := range e.Zones {
		add("", "%s", zone(&e.Zones[i], e.Uncounted[i]))
	}
	return facts
}

// String returns which job rejected the row, and why, for people.
func (r *Rejection) String() string {
	text := fmt.Sprintf("job %d, %s, line %d: %s", r.Job, r.Started.Format(moment), r.Line, r.Reason)
	if r.Jobs > 1 {
		text += fmt.Sprintf("; so did jobs before, back to %s (%d in all)", r.Since.Format(moment), r.Jobs)
	}
	return text
}

// String says which snapshot was refused, and why, for people.
func (r *Refusal) String() string {
	text := fmt.Sprintf("a newer snapshot was refused as suspect, job %d, %s: %s", r.Job, r.Started.Format(moment), r.Message)
	if r.Jobs > 1 {
		text += fmt.Sprintf("; so were those of jobs before (%d in all)", r.Jobs)
	}
	return text
}

// sold says whether the event is sold now, and why.
func (e *Event) sold() string {
	tickets, more := left(&e.Event)
	of, gone := "the latest snapshot of "+e.Provider, ""
	if e.OfChanges {
		of, gone = "the feed of changes of "+e.Provider, ": it was deleted or cancelled there, or changed so that it makes no such event"
	}
	const found = ", and searches find it all the same"
	const has = "no: %s has its row, which was %s: %s; searches find it all the same"
	switch {
	case !e.Current && e.LatestRow != nil:
		return fmt.Sprintf(has, of, e.LatestRow.Fate, e.LatestRow.Why)
	case !e.Current && e.Rejected != nil && e.Rejected.Job == e.LatestJob:
		return fmt.Sprintf(has, of, inspect.Rejected, e.Rejected.Reason)
	case !e.Current:
		return "no: it is not in " + of + found + gone
	case e.SoldOut || len(e.Zones) > 0 && tickets == 0 && !more:
		return "no: it is in " + of + ", but sold out" + found
	}
	return "yes: it is in " + of
}

// note says what is not plain of a local time and the instant that it counts as. A date counts from its first
// to its last second.
func (e *Event) note(l event.Local, instant, second string) string {
	date, clock, _ := strings.Cut(l.String(), "T")
	if clock == "" {
		return ", the " + second + " second of that day"
	}
	at, err := time.Parse(time.RFC3339, instant)
	loc, unknown := event.LoadLocation(e.CountedIn)
	if err != nil || unknown != nil {
		return "" // in the year 10000
	}
	const layout = time.DateOnly + " " + time.TimeOnly
	shown := at.In(loc).Format(layout)
	if !strings.HasPrefix(date+" "+clock, shown) {
		return ", since the clocks there skip that time, and show " + shown + " then"
	}
	_, before := at.AddDate(0, 0, -1).In(loc).Zone()
	_, after := at.AddDate(0, 0, 1).In(loc).Zone()
	back := time.Duration(before-after) * time.Second // how far the clocks go back about that time
	switch {
	case back <= 0:
	case at.Add(back).In(loc).Format(layout) == shown:
		return ", the first time that the clocks there show it: they show it twice"
	case at.Add(-back).In(loc).Format(layout) == shown:
		return ", the second time that the clocks there show it"
	}
	return ""
}

// Missing says why the answer has no events, for people. The texts may hold what a provider or somebody
// who asks wrote.
func (a *Answer) Missing(asked string) []string {
	lines := []string{"Nothing that is stored has this id or title: " + asked}
	for _, key := range a.Elsewhere {
		lines = append(lines, "An event with these ids is stored as "+key)
	}
	for _, r := range a.Removals {
		lines = append(lines, fmt.Sprintf("Somebody removed events of this provider by hand, %s (record %d): %s", r.At.Format(moment), r.Record, r.What))
	}
	for i := range a.Rejections {
		if r := &a.Rejections[i]; !a.Archive.tells(r) {
			lines = append(lines, "Rejected by "+r.String())
		}
	}
	if a.Archive != nil {
		lines = append(lines, a.Archive.Lines()...)
	}
	_, isID := publicID(asked)
	switch {
	case strings.Count(asked, "/") < 2 && !isID:
		lines = append(lines,
			"Titles are searched among stored events, which fever dump prints, and among rejected rows of the documents of each provider's latest completed job, of which the last one in a document is shown. Of a feed of changes these are the pages of that job alone.",
			"Ask for a row that was ignored, or rejected before, by provider/base id/event id. fever dump --jobs --format ndjson prints the ids of rejected rows.")
	case len(a.Rejections) == 0:
		lines = append(lines, "No job on record has listed it among its rejected rows.")
	}
	return lines
}

// tells reports whether a row that jobs have rejected is in the lines, too: the outcomes of jobs and the documents
// tell the same. The reason begins with the page if the feed has several.
func (s *Searched) tells(r *Rejection) bool {
	return s != nil && slices.ContainsFunc(s.Sightings, func(found Sighting) bool {
		return found.Fate == inspect.Rejected && strings.HasSuffix(r.Reason, found.Why) && !r.Since.Before(found.Since) && !r.Started.After(found.Started)
	})
}

// Lines says what was found, for people, and how far the archive was searched. The texts may hold
// what a provider wrote.
func (s *Searched) Lines() (lines []string) {
	for i := range s.Sightings {
		found := &s.Sightings[i]
		line := fmt.Sprintf("%s, %s, %s: %s", found.Started.Format(moment), found.Provider, found.String(), found.Fate)
		if found.Why != "" {
			line += ": " + found.Why
		}
		if found.Documents > 1 {
			line += fmt.Sprintf("; as in the documents before, back to %s (%d in all)", found.Since.Format(moment), found.Documents)
		}
		lines = append(lines, line, found.Text+more(found.Cut))
	}
	if s.Documents == 0 && s.Damaged == 0 && s.Ended != "" {
		return append(lines, "No document of the archive was searched: "+s.Ended+".")
	}
	looked := fmt.Sprintf("documents of the archive that were searched: %d", s.Documents)
	if s.Documents > 0 {
		looked += ", back to " + s.Since.Format(moment)
	}
	if s.Unreadable > 0 {
		looked += fmt.Sprintf(", of which %d could not be read as a feed", s.Unreadable)
	}
	if s.Damaged > 0 {
		looked += fmt.Sprintf("; places where the archive is damaged: %d", s.Damaged)
	}
	if s.Ended != "" {
		return append(lines, looked+". Older ones were not, as "+s.Ended+".")
	}
	return append(lines, looked+". That is all that the archive has.")
}

// more marks a text that was cut.
func more(cut bool) string {
	if cut {
		return " …"
	}
	return ""
}

// zone describes a price zone, with why its price does not count, if it does not.
func zone(z *event.Zone, uncounted string) string {
	counts := "it counts"
	if uncounted != "" {
		counts = "it does not count, as " + uncounted
	}
	return fmt.Sprintf("zone %s: %s: %s", zoneName(z), offer(z), counts)
}

// ofJob names a job that is on record.
func ofJob(id uint64) string {
	if id == 0 {
		return "of a job that is no longer on record"
	}
	return fmt.Sprintf("of job %d", id)
}
