package publish

import (
	"fmt"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"fever/event"
)

// A calendar is an iCalendar object (RFC 5545) with an event in each VEVENT. What it cannot say
// of an event is in properties that begin with X-FEVER. Package [fever/provider/feed/ical] reads
// them.
type calendar struct {
	from, to int64 // Unix seconds: outside, no VTIMEZONE says what the clocks show
	zones    map[string]bool
}

// A VTIMEZONE reaches at most so far, in Unix seconds: a window may have no bounds.
var firstOnset, lastOnset = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2070, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

const aDay = 24 * 60 * 60

func newCalendar(w event.Window) form {
	return &calendar{max(w.From, firstOnset), min(w.To, lastOnset), make(map[string]bool)}
}

func (c *calendar) begin(b []byte) []byte {
	return append(b, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//fever//fever//EN\r\n"...)
}

func (c *calendar) end(b []byte) []byte { return append(b, "END:VCALENDAR\r\n"...) }

func (c *calendar) event(b []byte, r *event.Record, loc *time.Location) ([]byte, error) {
	t, err := timesOf(&r.Event, loc)
	if err != nil {
		return b, err
	}
	zone := t.loc.String()
	start := c.stamp("DTSTART", r.Start, t.start, &t)
	end, read := "", event.Local{} // what a reader takes the end for
	switch last := time.Unix(t.end, 0).In(t.loc); {
	case !isTimed(r.Start):
		// The end is exclusive, and without one it is that of the day. So it is on the last days that
		// can be written.
		read = r.Start
		if day := last.Format(time.DateOnly); !r.End.IsZero() && day >= r.Start.String() {
			if read, err = event.ParseLocal(day); err != nil {
				return b, err
			}
			end = "DTEND;VALUE=DATE:" + last.AddDate(0, 0, 1).Format("20060102")
		}
	case r.End.IsZero():
	default:
		at := t.end
		if !isTimed(r.End) {
			at++ // the midnight after the last second of the day
		}
		if at > t.start { // it must be
			end, read = c.stamp("DTEND", event.Local{}, at, &t), t.timed(at)
		}
	}
	if strings.Contains(start+end, ";TZID=") && !c.zones[zone] {
		c.zones[zone] = true
		b = c.timeZone(b, t.loc)
	}
	b = append(b, "BEGIN:VEVENT\r\n"...)
	b = appendLine(b, "UID:"+r.ID().String())
	b = appendLine(b, "DTSTAMP:"+r.LastChanged.UTC().Format("20060102T150405Z"))
	b = appendLine(b, start)
	if end != "" {
		b = appendLine(b, end)
	}
	b = appendLine(b, "SUMMARY:"+escape(r.Title))
	b = append(b, "TRANSP:TRANSPARENT\r\n"...) // who looks at a programme is not busy
	b = appendLine(b, "X-FEVER-BASE-ID:"+escape(r.BaseID))
	b = appendLine(b, "X-FEVER-EVENT-ID:"+escape(r.EventID))
	if !strings.Contains(start, ";TZID=") {
		b = appendLine(b, "X-FEVER-TZID:"+zone)
	}
	if t.shown(r.Start, t.start) != r.Start {
		b = appendLine(b, "X-FEVER-START:"+r.Start.String())
	}
	if read != r.End {
		b = appendLine(b, "X-FEVER-END:"+r.End.String())
	}
	if !r.Current {
		b = append(b, "X-FEVER-CURRENT:FALSE\r\n"...)
	}
	return append(b, "END:VEVENT\r\n"...), nil
}

// timed returns what the clocks show at an instant.
func (t *times) timed(at int64) event.Local {
	l, _ := event.LocalAt(at, t.loc) // as shown
	return l
}

// stamp returns a property with a local time, or an instant. Readers disagree on a local time
// that the clocks show twice, and on TZIDs that are no name of an area and a place: these are in
// UTC, and so is what is outside of the window.
func (c *calendar) stamp(name string, l event.Local, at int64, t *times) string {
	if !l.IsZero() && !isTimed(l) {
		return name + ";VALUE=DATE:" + strings.ReplaceAll(l.String(), "-", "")
	}
	shown := time.Unix(at, 0).In(t.loc)
	if zone := t.loc.String(); strings.Contains(zone, "/") && at >= c.from && at <= c.to && !t.showsTwice(at) {
		return name + ";TZID=" + zone + ":" + shown.Format("20060102T150405")
	}
	return name + ":" + shown.UTC().Format("20060102T150405Z")
}

// showsTwice reports whether the clocks show the time of an instant twice.
func (t *times) showsTwice(at int64) bool {
	clock := time.Unix(at, 0).In(t.loc).Format("2006-01-02T15:04:05")
	var first, second event.Local
	if first.UnmarshalText([]byte(clock)) != nil || second.UnmarshalText([]byte(clock+"[fold=1]")) != nil {
		return false
	}
	return first.Unix(t.loc) != second.Unix(t.loc)
}

// timeZone appends a VTIMEZONE: what the clocks show when the window begins, and each change in
// it. The changes are found by looking at each day, since no zone has two on one.
func (c *calendar) timeZone(b []byte, loc *time.Location) []byte {
	type clock struct {
		offset int // seconds
		summer bool
	}
	shows := func(at int64) clock {
		t := time.Unix(at, 0).In(loc)
		_, offset := t.Zone()
		return clock{offset, t.IsDST()}
	}
	b = append(b, "BEGIN:VTIMEZONE\r\n"...)
	b = appendLine(b, "TZID:"+loc.String())
	day := c.from - aDay
	now := shows(day)
	b = observance(b, day, now.offset, now.offset, now.summer)
	for ; day < c.to; day += aDay {
		if shows(day+aDay) == now {
			continue
		}
		onset := day + int64(sort.Search(aDay, func(second int) bool { return shows(day+int64(second)) != now }))
		from := now.offset
		now = shows(onset)
		b = observance(b, onset, from, now.offset, now.summer)
	}
	return append(b, "END:VTIMEZONE\r\n"...)
}

// observance appends what the clocks show from an instant on: offsets in seconds.
func observance(b []byte, onset int64, from, to int, summer bool) []byte {
	kind := "STANDARD"
	if summer {
		kind = "DAYLIGHT"
	}
	b = append(b, "BEGIN:"+kind+"\r\n"...)
	b = appendLine(b, "DTSTART:"+time.Unix(onset+int64(from), 0).UTC().Format("20060102T150405"))
	b = appendLine(b, "TZOFFSETFROM:"+utcOffset(from))
	b = appendLine(b, "TZOFFSETTO:"+utcOffset(to))
	return append(b, "END:"+kind+"\r\n"...)
}

// utcOffset writes an offset, in seconds.
func utcOffset(seconds int) string {
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	text := fmt.Sprintf("%s%02d%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		text += fmt.Sprintf("%02d", seconds%60)
	}
	return text
}

// escape escapes a text (RFC 5545 section 3.3.11). Events have no line feeds.
var escape = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`).Replace

// appendLine appends a content line. A long one is folded into lines of at most 75 octets, none
// of which ends within a character (section 3.1).
func appendLine(b []byte, line string) []byte {
	for most := 75; len(line) > most; most = 74 { // a space follows the fold
		n := most
		for !utf8.RuneStart(line[n]) {
			n--
		}
		b = append(append(b, line[:n]...), "\r\n "...)
		line = line[n:]
	}
	return append(append(b, line...), "\r\n"...)
}
