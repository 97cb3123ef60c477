package inspect

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// Bounds of what is usual.
const (
	longest   = 31 * 24 * 60 * 60 // seconds that a show lasts
	yearsBack = 30                // in which events start
	yearsOn   = 10
	farApart  = 100 // times the median price
	bigPrice  = 500 // when all prices are whole and no less, they may be in cents
	fewEvents = 3   // with fewer, it means little that all are alike
)

// markup matches what titles for people do not have: tags and entities.
var markup = regexp.MustCompile(`<[a-zA-Z/][^<>]*>|&(?:#[0-9]+|#x[0-9a-fA-F]+|[a-zA-Z]+[0-9]*);`)

// withoutCents are currencies in which large whole prices are usual.
var withoutCents = []string{"CLP", "COP", "CRC", "HUF", "IDR", "ISK", "JPY", "KRW", "NGN", "PYG", "UGX", "VND"}

// facts are what the events of a feed have in common.
type facts struct {
	n       int // events
	timed   int // with a time of day
	fillers int // of timed: at 00:00 or 23:59
	night   int // of timed: from 02:00 to 04:59
	ended   int // with an end
	long    int // that last longer than 31 days
	past    int // that have ended
	latest  event.Local
	strange int // that start long ago or far ahead
	example event.Local

	titles map[string]bool
	bases  map[string]bool
	marked int // titles with tags or entities
	twins  int // events with the title and start of an earlier one

	shown   int       // events with a price in the answer of a search
	soldOut int       // events marked as such
	free    int       // zones with the price 0
	prices  []float64 // above 0, of all zones, in order; good enough to compare roughly
	whole   bool      // no price has a fraction
	cents   bool      // no currency is one of withoutCents
}

func gather(events []event.Event, location *time.Location, now time.Time) *facts {
	f := &facts{n: len(events), titles: make(map[string]bool), bases: make(map[string]bool), whole: true, cents: true}
	twins := make(map[[2]string]bool, len(events))
	for i := range events {
		e := &events[i]
		f.addTimes(e, location, now)
		f.addPrices(e)
		f.titles[e.Title], f.bases[e.BaseID] = true, true
		if markup.MatchString(e.Title) {
			f.marked++
		}
		twin := [2]string{e.Title, e.Start.String()}
		if twins[twin] {
			f.twins++
		}
		twins[twin] = true
	}
	slices.Sort(f.prices)
	return f
}

func (f *facts) addTimes(e *event.Event, location *time.Location, now time.Time) {
	if _, clock, timed := strings.Cut(e.Start.String(), "T"); timed {
		f.timed++
		switch {
		case isFiller(clock[:5]):
			f.fillers++
		case clock >= "02" && clock < "05":
			f.night++
		}
	}
	entry := event.NewEntry(e, location)
	if !e.End.IsZero() {
		f.ended++
		if entry.End-entry.Start > longest {
			f.long++
		}
	}
	if entry.End < now.Unix() {
		f.past++
	}
	if e.Start.String() > f.latest.String() {
		f.latest = e.Start
	}
	if began := time.Unix(entry.Start, 0); began.Before(now.AddDate(-yearsBack, 0, 0)) || began.After(now.AddDate(yearsOn, 0, 0)) {
		f.strange++
		f.example = e.Start
	}
}

func (f *facts) addPrices(e *event.Event) {
	if lowest, _ := e.PriceRange(); lowest.Known() {
		f.shown++
	}
	if e.SoldOut {
		f.soldOut++
	}
	for i := range e.Zones {
		z := &e.Zones[i]
		f.cents = f.cents && !slices.Contains(withoutCents, z.Currency)
		if !z.Price.Known() {
			continue
		}
		text := z.Price.String()
		f.whole = f.whole && !strings.Contains(text, ".")
		if amount, _ := strconv.ParseFloat(text, 64); amount > 0 { // a Price has at most 19 digits
			f.prices = append(f.prices, amount)
		} else {
			f.free++
		}
	}
}

// A list collects what looks wrong.
type list []string

// add adds a line if it is true.
func (l *list) add(is bool, format string, args ...any) {
	if is {
		*l = append(*l, fmt.Sprintf(format, args...))
	}
}

// lookAt returns what looks wrong in a feed, although each of its events is valid.
func (i *Inspection) lookAt(got *feed.Feed, location *time.Location, now time.Time) []string {
	l := list{}
	m, r := i.members, &i.report
	switch {
	case r.Rows == 0 && len(got.Rejections) > 0:
		l.add(true, "nothing was selected: %s", got.Rejections[0].Reason)
	case r.Rows == 0:
		l.add(true, "nothing was selected: the document has no row")
	case r.Deleted == r.Rows:
		l.add(true, "no event was read: all rows say that something is no longer there")
	case r.Ignored == r.Rows:
		l.add(true, "nothing was selected: all rows were ignored")
	case r.Ignored+r.Deleted == r.Rows:
		l.add(true, "no event was read: all rows were ignored, or say that something is no longer there")
	case r.Rows == 1 && r.Rejected == 1 && i.isList:
		l.add(true, "the only row is a list: perhaps `[]` is missing at the end of `rows`")
	case len(got.Events) == 0 && len(got.Past) > 0:
		l.add(true, "no event is sold now: all are past")
	}
	if f := gather(got.Events, location, now); f.n > 0 {
		i.lookAtTimes(&l, f)
		l.add(len(f.titles) == 1 && len(f.bases) > 1, "all events have one title: %q", got.Events[0].Title)
		l.add(f.marked > 0, "%s tags or entities (`plain` takes them off)", agree(f.marked, "title", "has", "have"))
		l.add(f.twins > 0, "%s and start under two ids", counted(f.twins, "title"))
		i.lookAtPrices(&l, f)
	}
	l.add(r.Replaced > 0, "%s replaced by a later row with the same ids", agree(r.Replaced, "event", "was", "were"))
	for _, n := range i.notes {
		l.add(true, "%s (%s)", n.text, counted(n.rows, "row"))
	}
	if path, rows := m.best(func(of *member) int { return of.cancelled }); i.Reads != nil && rows > 0 && !isRead(path, i.Reads) {
		l.add(true, "%s %q or the like in `%s`, which the program never reads", agree(rows, "row", "says", "say"), m[path].said, path)
	}
	return l
}

func (i *Inspection) lookAtTimes(l *list, f *facts) {
	times := i.members.in("one", func(of *member) int { return of.times })
	l.add(f.timed == 0, "no event has a time%s", times)
	l.add(f.timed > 1 && f.fillers == f.timed, "all starts are at 00:00 or 23:59, which often means that there is no time%s", times)
	l.add(f.night > 0 && f.night*4 >= f.timed, "%d of %s from 02:00 to 04:59: perhaps times in UTC without Z", f.night, agree(f.timed, "start", "is", "are"))
	l.add(f.ended == 0, "no event has an end")
	l.add(f.long > 0, "%s longer than 31 days: perhaps one row is many shows", agree(f.long, "event", "lasts", "last"))
	l.add(f.past == f.n, "all events are past: the last starts on %s", f.latest)
	l.add(f.strange > 0, "%s more than %d years ago or %d ahead, such as %s", agree(f.strange, "event", "starts", "start"), yearsBack, yearsOn, f.example)
}

func (i *Inspection) lookAtPrices(l *list, f *facts) {
	n := len(f.prices)
	switch {
	case f.soldOut == f.n:
	case n+f.free == 0:
		l.add(true, "no event has a price%s", i.members.in("an amount", func(of *member) int { return of.amounts }))
	case f.shown == 0:
		l.add(true, "no event shows its price, since no zone has tickets left (`available: true` says that it has, where the number is unknown)")
	}
	if n == 0 {
		l.add(f.free > 1, "all prices are 0")
		return
	}
	least, middle, most := f.prices[0], f.prices[n/2], f.prices[n-1]
	l.add(n+f.free > 1 && most == 1 && least == 1, "all prices are 0 or 1")
	l.add(n >= fewEvents && f.whole && f.cents && least >= bigPrice, "all prices are whole and %v or more: perhaps they are in cents", least)
	l.add(most >= farApart*middle || least*farApart <= middle, "prices are far apart: %v is the lowest, %v the middle one, %v the highest", least, middle, most)
}
