package inspect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"fever/event"
)

// Summary counts the rows by their fate, for people.
func (r *Report) Summary() string {
	text := fmt.Sprintf("%s: %s read as %s, %s ignored, ", counted(r.Rows, "row"), comma(r.Read), counted(r.Events, "event"), comma(r.Ignored))
	if r.Deleted > 0 {
		text += comma(r.Deleted) + " deleted, "
	}
	text += comma(r.Rejected) + " rejected"
	if n := len(r.Reasons); n > 0 {
		text += fmt.Sprintf(" (%s)", counted(n, "reason"))
	}
	return text
}

// Unlisted returns the number of rows that are not in the list.
func (r *Report) Unlisted() int { return r.Rows - len(r.List) }

// Columns are the names of the cells of [Row.Cells].
var Columns = []string{"EVENT", "TITLE", "START", "END", "PRICE"}

// ReadAs returns the fate of a row, for people.
func (r *Row) ReadAs() string {
	switch {
	case r.Rejected > 0:
		return "REJECTED"
	case r.Events == 0 && r.Deleted > 1:
		return fmt.Sprintf("deleted x%d", r.Deleted)
	case r.Events == 0 && r.Deleted == 1:
		return "deleted"
	case r.Events == 0:
		return "ignored"
	case r.ReplacedBy > 0:
		return fmt.Sprintf("replaced by row %d", r.ReplacedBy)
	case r.Past == 1 && r.Events == 1:
		return "past"
	case r.Past == r.Events:
		return fmt.Sprintf("past x%d", r.Events)
	case r.Events > 1:
		return fmt.Sprintf("ok x%d", r.Events)
	}
	return "ok"
}

// Place returns where the first such row is: "line 3", with its page if that is not the first.
func (r *Reason) Place() string {
	switch {
	case r.Line == 0: // the page of a row is not there
		return fmt.Sprintf("page %d", r.Page)
	case r.Page > 1:
		return fmt.Sprintf("page %d, line %d", r.Page, r.Line)
	}
	return fmt.Sprintf("line %d", r.Line)
}

// Place returns the line of a row, with its page if that is not the first.
func (r *Row) Place() string {
	switch {
	case r.Line == 0:
		return fmt.Sprintf("page %d", r.Page)
	case r.Page > 1:
		return fmt.Sprintf("page %d, %d", r.Page, r.Line)
	}
	return strconv.Itoa(r.Line)
}

// Why returns why something of the row was rejected, and "" if nothing was.
func (r *Row) Why() string {
	if r.Rejected > 0 && r.Events > 0 {
		return fmt.Sprintf("%d of %s: %s", r.Rejected, counted(r.Rejected+r.Events, "event"), r.Reason)
	}
	return r.Reason
}

// Cells returns the first event of a row for people, in [Columns], and when the last one
// starts. Of a row that only deletes it returns the id of the first item, and nil if the row made
// nothing.
func (r *Row) Cells() []string {
	e := r.First
	switch {
	case e == nil && r.Item != "":
		return []string{r.Item}
	case e == nil:
		return nil
	}
	id := e.EventID
	if !strings.HasPrefix(id, e.BaseID) {
		id = ids(e.Key)
	}
	start, end := r.timed(e, e.Start), "no end"
	if r.Last != nil {
		start += " ... " + r.timed(r.Last, r.Last.Start)
	}
	if !e.End.IsZero() {
		end = r.timed(e, e.End)
	}
	return []string{id, e.Title, start, end, price(e)}
}

// timed returns a local time of an event, with the time zone if that is not the provider's. It
// says so if there is no time of day.
func (r *Row) timed(e *event.Event, l event.Local) string {
	date, clock, is := strings.Cut(l.String(), "T")
	if !is {
		clock = "no time"
	}
	if e.TimeZone == "" || e.TimeZone == r.timeZone {
		return date + " " + clock
	}
	return date + " " + clock + " " + e.TimeZone
}

// price returns the prices that a search shows, with their currency if it is known, or why it
// shows none.
func price(e *event.Event) string {
	lowest, highest := e.PriceRange()
	if !lowest.Known() {
		switch {
		case e.SoldOut:
			return "sold out"
		case slices.ContainsFunc(e.Zones, func(z event.Zone) bool { return z.Price.Known() }):
			return "no tickets left"
		}
		return "no price"
	}
	text := lowest.String()
	if lowest != highest {
		text += " to " + highest.String()
	}
	if i := slices.IndexFunc(e.Zones, func(z event.Zone) bool { return z.Currency != "" }); i >= 0 {
		text += " " + e.Zones[i].Currency // the zones have no other
	}
	return text
}

func comma(n int) string { return humanize.Comma(int64(n)) }

// counted returns a number with a noun in its form for that number, "1 title" or "2 titles".
func counted(n int, noun string) string { return comma(n) + " " + english.PluralWord(n, noun, "") }

// agree returns the same with the form of a verb for that number, "1 title has".
func agree(n int, noun, one, more string) string {
	return counted(n, noun) + " " + english.PluralWord(n, one, more)
}
