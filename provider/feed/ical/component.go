package ical

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/rrule"
	"fever/provider/xmlscan"
)

// Bounds on what is held until the end of the document, when rules and changes can be put
// together.
const (
	maxText       = 256 << 20 // bytes of all values that are kept
	maxDepth      = 16        // of components
	maxValues     = 1 << 20   // of all RDATEs and EXDATEs
	maxComponents = 1 << 20   // calendars, events, time zones and their observances
	maxRules      = 1 << 7    // of an event, and of an observance
)

// A calendar is a VCALENDAR object.
type calendar struct {
	zone  string // X-WR-TIMEZONE; empty if it has none
	zones map[string]*vtimezone
}

// A vevent is a VEVENT, as it is written.
type vevent struct {
	line       int
	from, to   int64 // offsets of its first byte, and of the byte behind it
	calendar   *calendar
	uid        string
	summary    string
	url        string
	start, end *moment
	duration   string
	rules      []string
	exRules    []string
	dates      []period // RDATE
	exDates    []moment
	recurrence *moment // RECURRENCE-ID
	future     bool    // RANGE=THISANDFUTURE
	cancelled  bool
	sequence   int
	modified   int64      // LAST-MODIFIED or DTSTAMP, the later one
	problem    string     // why it cannot be read; empty if it can
	published  *published // by another fever; nil: it was not
}

// A moment is a date or a time as it is written.
type moment struct {
	wall int64 // what the clock shows, as if in UTC
	form rrule.Form
	tzid string // of a local time; empty if it floats
}

// A period is a value of RDATE: with the time at which it ends, or its duration, or neither.
type period struct {
	moment
	end      *moment
	duration string
}

// A vtimezone is a VTIMEZONE, as it is written.
type vtimezone struct {
	location    string // X-LIC-LOCATION
	observances []observance
}

// An observance is a STANDARD or DAYLIGHT of a VTIMEZONE.
type observance struct {
	start    string
	from, to string // offsets
	rules    []string
	dates    []string
}

// A reader reads the components of a document.
type reader struct {
	*lineReader

	charset   string    // that HTTP names
	open      []string  // the names of the open components
	lines     []int     // on which they begin
	calendar  *calendar // the one that was last open
	calendars []*calendar
	event     *vevent
	zone      *vtimezone
	zoneID    string
	text      int
	values    int
	kept      int // components
	events    []*vevent
	any       bool // a calendar was seen
}

// read reads the document to its end.
func (r *reader) read() error {
	for {
		line, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		p, ok := parse(line)
		if len(r.open) == 0 && (!ok || p.name != "BEGIN" || !isName(p.value, "VCALENDAR")) {
			if !r.any {
				return feed.Errorf(feed.KindDecode, "line %d: not a calendar: it begins with %.40q, not with BEGIN:VCALENDAR", r.number, line)
			}
			if len(bytes.TrimSpace(line)) == 0 || line[0] == 0x1a {
				continue
			}
			return feed.Errorf(feed.KindMalformed, "line %d: %.40q follows the end of the calendar", r.number, line)
		}
		if !ok {
			r.unreadable(line)
			continue
		}
		switch p.name {
		case "BEGIN":
			err = r.begin(componentName(p.value))
		case "END":
			err = r.end(componentName(p.value))
		default:
			err = r.property(&p)
		}
		if err != nil {
			return err
		}
	}
	if !r.any {
		return feed.Errorf(feed.KindDecode, "not a calendar: the document is empty")
	}
	if n := len(r.open); n > 0 {
		return feed.Errorf(feed.KindMalformed, "cut short: the %s that begins on line %d has no end", r.open[n-1], r.lines[n-1])
	}
	return nil
}

func isName(value []byte, name string) bool {
	return strings.EqualFold(string(bytes.TrimSpace(value)), name)
}

func componentName(value []byte) string {
	return strings.ToUpper(string(bytes.TrimSpace(value[:min(len(value), 64)])))
}

// unreadable keeps in mind that a line of an event is no property, if it was meant to be one
// that is read. Otherwise it is a part of a description that was not folded.
func (r *reader) unreadable(line []byte) {
	if r.event == nil || r.top() != "VEVENT" {
		return
	}
	word := line[:len(line)-len(bytes.TrimLeftFunc(line, func(c rune) bool { return c == '-' || c >= 'A' && c <= 'Z' }))]
	switch name := string(word); name {
	case "DTSTART", "DTEND", "DURATION", "RRULE", "EXRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "STATUS":
		r.event.wrong("line %d: %s is written without a colon", r.number, name)
	}
}

func (r *reader) top() string {
	if len(r.open) == 0 {
		return ""
	}
	return r.open[len(r.open)-1]
}

func (r *reader) begin(name string) error {
	if r.top() == "VTIMEZONE" && name != "STANDARD" && name != "DAYLIGHT" {
		r.close(len(r.open) - 1) // its END is missing in some calendars
	}
	switch {
	case len(r.open) == maxDepth:
		return feed.Errorf(feed.KindMalformed, "line %d: more than %d components in each other", r.number, maxDepth)
	case name == "VCALENDAR" && len(r.open) > 0:
		return feed.Errorf(feed.KindMalformed, "line %d: a calendar begins within the %s that begins on line %d", r.number, r.top(), r.lines[len(r.lines)-1])
	case name == "VEVENT" && r.event != nil:
		return feed.Errorf(feed.KindMalformed, "line %d: an event begins within the event on line %d", r.number, r.event.line)
	}
	switch name {
	case "VCALENDAR", "VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT":
		if r.kept++; r.kept > maxComponents {
			return feed.Errorf(feed.KindTooLarge, "line %d: more than %d events, time zones and calendars", r.number, maxComponents)
		}
	}
	parent := r.top()
	if name == "VEVENT" && parent != "VCALENDAR" { // to leave it out would end its sale
		return feed.Errorf(feed.KindMalformed, "line %d: an event begins within the %s that begins on line %d", r.number, parent, r.lines[len(r.lines)-1])
	}
	r.open, r.lines = append(r.open, name), append(r.lines, r.number)
	switch {
	case name == "VCALENDAR":
		r.any = true
		r.calendar = &calendar{zones: make(map[string]*vtimezone)}
		r.calendars = append(r.calendars, r.calendar)
	case name == "VEVENT":
		r.event = &vevent{line: r.number, from: r.first, calendar: r.calendar}
	case name == "VTIMEZONE" && parent == "VCALENDAR":
		r.zone, r.zoneID = &vtimezone{}, ""
	case (name == "STANDARD" || name == "DAYLIGHT") && parent == "VTIMEZONE":
		if len(r.zone.observances) == maxObservances {
			return feed.Errorf(feed.KindMalformed, "line %d: a time zone with more than %d changes", r.number, maxObservances)
		}
		r.zone.observances = append(r.zone.observances, observance{})
	}
	return nil
}

// end closes a component. Those within it that are still open have no end of their own.
func (r *reader) end(name string) error {
	for i := len(r.open) - 1; i >= 0; i-- {
		if r.open[i] == name {
			r.close(i)
			return nil
		}
		if r.open[i] == "VEVENT" || r.open[i] == "VCALENDAR" {
			break
		}
	}
	if name == "VTIMEZONE" { // it was closed, as its end seemed to be missing
		return nil
	}
	n := len(r.open) - 1
	return feed.Errorf(feed.KindMalformed, "line %d: END:%.40s where the %s that begins on line %d is open", r.number, name, r.open[n], r.lines[n])
}

// close closes the open components from the given depth on.
func (r *reader) close(depth int) {
	for _, name := range r.open[depth:] {
		switch name {
		case "VEVENT":
			if r.event != nil {
				r.event.to = r.offset
				r.events = append(r.events, r.event)
				r.event = nil
			}
		case "VTIMEZONE":
			if r.zone != nil && r.zoneID != "" {
				r.calendar.zones[zoneKey(r.zoneID)] = r.zone
			}
			r.zone = nil
		}
	}
	r.open, r.lines = r.open[:depth], r.lines[:depth]
}

// property reads a property of the innermost component.
func (r *reader) property(p *property) error {
	switch top := r.top(); {
	case top == "VEVENT" && r.event != nil:
		r.eventProperty(p)
	case top == "VCALENDAR" && p.name == "X-WR-TIMEZONE":
		r.calendar.zone = r.keep(p.value)
	case r.zone == nil:
	case top == "VTIMEZONE":
		switch p.name {
		case "TZID": // a second one names the same zone
			if r.zoneID != "" {
				r.calendar.zones[zoneKey(r.zoneID)] = r.zone
			}
			r.zoneID = r.keep(p.value)
		case "X-LIC-LOCATION":
			r.zone.location = r.keep(p.value)
		}
	case top == "STANDARD" || top == "DAYLIGHT":
		r.observanceProperty(p)
	}
	if r.text > maxText || r.values > maxValues {
		return feed.Errorf(feed.KindTooLarge, "the calendar has more than %d dates, or %d bytes of text to keep", maxValues, maxText)
	}
	return nil
}

func (r *reader) observanceProperty(p *property) {
	o := &r.zone.observances[len(r.zone.observances)-1]
	switch p.name {
	case "DTSTART":
		o.start = r.keep(p.value)
	case "TZOFFSETFROM":
		o.from = r.keep(p.value)
	case "TZOFFSETTO":
		o.to = r.keep(p.value)
	case "RRULE":
		o.rules = r.rule(o.rules, p.value)
	case "RDATE":
		for value := range bytes.SplitSeq(p.value, []byte(",")) {
			o.dates = append(o.dates, r.keep(value))
			r.values++
		}
	}
}

// keep returns a value as a string, and counts it.
func (r *reader) keep(value []byte) string {
	value = feed.Trim(value)
	r.text += len(value) + 16
	return string(value)
}

// rule appends a rule. Of too many it keeps one more than may be, which rejects them all.
func (r *reader) rule(rules []string, value []byte) []string {
	if len(rules) > maxRules {
		return rules
	}
	return append(rules, r.keep(value))
}

// errRules is the reason to reject what has too many rules: each may take a while.
var errRules = fmt.Errorf("it has more than %d rules", maxRules)

// eventProperty reads a property of an event.
func (r *reader) eventProperty(p *property) {
	e := r.event
	if strings.HasPrefix(p.name, prefix) {
		if e.published == nil {
			e.published = new(published)
		}
		e.published.property(p.name, p.value[:min(len(p.value), event.MaxTextBytes)])
		r.text += len(p.value)
		return
	}
	switch p.name {
	case "UID":
		e.uid = feed.ID(feed.Trim(xmlscan.Text(p.value, r.charset)))
		r.text += len(e.uid)
	case "SUMMARY":
		if e.summary == "" { // a second one is in another language
			e.summary = text(xmlscan.Text(p.value[:min(len(p.value), 8*event.MaxTextBytes)], r.charset))
			r.text += len(e.summary)
		}
	case "URL":
		e.url = feed.ID(feed.Trim(xmlscan.Text(p.value, r.charset)))
		r.text += len(e.url)
	case "DTSTART":
		e.setMoment(&e.start, r.stampOf(p), p)
	case "DTEND":
		e.setMoment(&e.end, r.stampOf(p), p)
	case "RECURRENCE-ID":
		e.setMoment(&e.recurrence, r.stampOf(p), p)
		e.setRange(p.param("RANGE"))
	case "DURATION":
		e.duration = r.keep(p.value)
	case "RRULE":
		e.rules = r.rule(e.rules, p.value)
	case "EXRULE":
		e.exRules = r.rule(e.exRules, p.value)
	case "RDATE":
		s := r.stampOf(p)
		for value := range values(p.value) {
			d, err := s.period(value)
			if err != nil {
				e.wrong("RDATE: %w", err)
				break
			}
			e.dates = append(e.dates, d)
			r.values++
		}
	case "EXDATE":
		s := r.stampOf(p)
		for value := range values(p.value) {
			m, err := s.moment(value)
			if err != nil {
				e.wrong("EXDATE: %w", err)
				break
			}
			e.exDates = append(e.exDates, m)
			r.values++
		}
	case "STATUS":
		e.cancelled = isName(p.value, "CANCELLED")
	case "SEQUENCE":
		e.sequence, _ = strconv.Atoi(string(feed.Trim(p.value))) // nonsense is no reason to lose the event
	case "LAST-MODIFIED", "DTSTAMP": // without Z in some calendars
		if t, _, err := rrule.ParseTime(string(feed.Trim(p.value))); err == nil {
			e.modified = max(e.modified, t)
		}
	}
}

// values are those of a list, without empty ones.
func values(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for value := range bytes.SplitSeq(list, []byte(",")) {
			if value = feed.Trim(value); len(value) > 0 && !yield(value) {
				return
			}
		}
	}
}

// wrong keeps the first reason for which an event cannot be read.
func (e *vevent) wrong(format string, args ...any) {
	if e.problem == "" {
		e.problem = fmt.Errorf(format, args...).Error()
	}
}

func (e *vevent) setMoment(into **moment, s stamp, p *property) {
	m, err := s.moment(p.value)
	switch {
	case err != nil:
		e.wrong("%s: %w", p.name, err)
		return
	case *into != nil && **into != m:
		e.wrong("it has two of %s", p.name)
	}
	*into = &m
}

func (e *vevent) setRange(value string) {
	switch {
	case value == "":
	case strings.EqualFold(value, "THISANDFUTURE"):
		e.future = true
	default:
		e.wrong("RECURRENCE-ID: RANGE=%.40s is not known", value)
	}
}

// A stamp has the parameters of a property for all its values, of which there can be many.
type stamp struct {
	tzid string
	date bool // VALUE says DATE
}

func (r *reader) stampOf(p *property) stamp {
	if len(p.params) == 0 {
		return stamp{}
	}
	s := stamp{tzid: p.param("TZID"), date: strings.EqualFold(p.param("VALUE"), "DATE")}
	r.text += len(s.tzid)
	return s
}

// moment reads a date or a time. Eight digits are a date, whatever VALUE says, and so is
// midnight where VALUE says DATE.
func (s stamp) moment(value []byte) (moment, error) {
	t, form, err := rrule.ParseTime(string(bytes.ToUpper(feed.Trim(value))))
	if err != nil {
		return moment{}, err
	}
	m := moment{wall: t, form: form}
	switch {
	case form == rrule.Local && t%secondsADay == 0 && s.date:
		m.form = rrule.Date
	case form == rrule.Local:
		m.tzid = s.tzid
	}
	return m, nil
}

// period reads a value of RDATE.
func (s stamp) period(value []byte) (period, error) {
	from, to, isPeriod := bytes.Cut(value, []byte("/"))
	m, err := s.moment(from)
	if err != nil || !isPeriod {
		return period{moment: m}, err
	}
	d := period{moment: m}
	if c := bytes.TrimLeft(feed.Trim(to), "+-"); len(c) > 0 && (c[0] == 'P' || c[0] == 'p') {
		d.duration = string(feed.Trim(to))
		return d, nil
	}
	end, err := s.moment(to)
	d.end = &end
	return d, err
}
