package ical

import (
	"cmp"
	_ "embed" // for the names of time zones
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"fever/event"
	"fever/provider/rrule"
)

// Bounds on the time zones of a document.
const (
	maxObservances = 1 << 10 // of a VTIMEZONE
	maxZones       = 1 << 10 // VTIMEZONEs that differ
	maxOnsets      = 1 << 13 // of a VTIMEZONE
)

// The years in which the rules of a VTIMEZONE are expanded.
var firstOnset, lastOnset = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// zoneNames lists the time zones: a line has an IANA name, or a name of Windows, a tab, and
// the IANA name for it.
//
//go:generate go run generate.go
//go:embed zones.txt
var zoneNames string

// canonical has the IANA name of each name in zoneNames, by that name in lower case.
var canonical = sync.OnceValue(func() map[string]string {
	names := make(map[string]string)
	for line := range strings.Lines(zoneNames) {
		name, iana, windows := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		key := strings.ToLower(name)
		if !windows {
			names[key] = name
		} else if names[key] == "" { // UTC is a name in both
			names[key] = iana
		}
	}
	return names
})

// ianaName returns the IANA name that a TZID means, or "". It takes any case, the names of
// Windows, and prefixes as in /vendor.example/20050126_1/Europe/Berlin.
func ianaName(tzid string) string {
	name := strings.TrimPrefix(zoneKey(tzid), "tzone://microsoft/") // of Exchange
	if isAbbreviation(name) {
		return ""
	}
	for name != "" {
		if iana, ok := canonical()[name]; ok {
			return iana
		}
		if !strings.HasPrefix(tzid, "/") {
			return ""
		}
		_, name, _ = strings.Cut(strings.TrimPrefix(name, "/"), "/")
	}
	return ""
}

// isAbbreviation reports whether a TZID, in lower case, is one of the abbreviations and
// offsets that some libraries write in the place of a zone: CEST, EST, UTC+02:00. The IANA
// database has some of them, and means another thing: its EST has no summer time.
func isAbbreviation(name string) bool {
	if rest, ok := strings.CutPrefix(name, "utc"); ok && rest != "" {
		return strings.Trim(rest, "+-:0123456789") == ""
	}
	if rest, ok := strings.CutPrefix(name, "gmt"); ok {
		return strings.Trim(rest, "+-:0123456789") == ""
	}
	return slices.Contains(abbreviations, name)
}

var abbreviations = strings.Fields("cet cest met mest eet eest wet west bst ist msk est edt cst cdt mst mdt pst pdt hst akst akdt")

// zoneKey is how a TZID is compared.
func zoneKey(tzid string) string { return strings.ToLower(strings.Trim(strings.TrimSpace(tzid), `"'`)) }

// A zone is a time zone of events.
type zone struct {
	name string         // of IANA; empty for the provider's zone, or if only a VTIMEZONE says what it is
	iana *time.Location // of the name, or the provider's; nil if only a VTIMEZONE says what it is
	own  *ownZone       // of the VTIMEZONE; nil if there is none
}

// An ownZone is what a VTIMEZONE says.
type ownZone struct {
	*time.Location

	first, last int64 // between these two instants it says something
}

// instant returns the instant at which a clock in the zone shows a time. A VTIMEZONE counts
// before the IANA database (RFC 5545 section 3.2.19), as far as it reaches: many have the
// changes of one year.
func (z *zone) instant(wall int64) int64 { return event.UnixAt(wall, z.clock(wall)) }

// clock returns the location that counts at a wall-clock time.
func (z *zone) clock(wall int64) *time.Location {
	if z.own != nil && (z.iana == nil || wall >= z.own.first && wall < z.own.last) {
		return z.own.Location
	}
	return z.iana
}

// wall returns what a clock in the zone shows at an instant.
func (z *zone) wall(instant int64) int64 {
	_, offset := time.Unix(instant, 0).In(z.clock(instant)).Zone()
	return instant + int64(offset)
}

// A resolver finds the time zones of a document.
type resolver struct {
	provider *zone
	expired  func() error          // why to stop; see [feed.Builder.Expired]
	written  map[string]*vtimezone // the first in the document, by its key
	zones    map[zoneIn]found
	expanded map[*vtimezone]expanded
	own      map[string]*ownZone // by what a VTIMEZONE says
}

// What was found is kept, errors included: a document can ask a million times.
type (
	found struct {
		*zone

		err error
	}
	expanded struct {
		*ownZone

		err error
	}
)

type zoneIn struct {
	calendar *calendar
	tzid     string
}

func newResolver(provider *time.Location, calendars []*calendar, expired func() error) *resolver {
	r := &resolver{
		provider: &zone{iana: provider}, expired: expired, written: make(map[string]*vtimezone),
		zones: make(map[zoneIn]found), expanded: make(map[*vtimezone]expanded), own: make(map[string]*ownZone),
	}
	for _, c := range calendars {
		for key, v := range c.zones {
			if r.written[key] == nil {
				r.written[key] = v
			}
		}
	}
	return r
}

// floating returns the zone of times without one: that of the calendar, or else the
// provider's.
func (r *resolver) floating(c *calendar) *zone {
	if c.zone != "" {
		if z, err := r.zone(c, c.zone); err == nil {
			return z
		}
	}
	return r.provider
}

// zone returns the zone of a TZID in a calendar. Its error is the reason to reject an event.
func (r *resolver) zone(c *calendar, tzid string) (*zone, error) {
	key := zoneIn{c, tzid}
	f, ok := r.zones[key]
	if !ok {
		f.zone, f.err = r.find(c, tzid, zoneKey(tzid))
		r.zones[key] = f
	}
	return f.zone, f.err
}

func (r *resolver) find(c *calendar, tzid, key string) (*zone, error) {
	z := &zone{name: ianaName(tzid)}
	if written := cmp.Or(c.zones[key], r.written[key]); written != nil {
		z.name = cmp.Or(z.name, ianaName(written.location))
		own, err := r.ownZone(written)
		if err != nil {
			return nil, fmt.Errorf("VTIMEZONE %.60q: %w", tzid, err)
		}
		z.own = own
	}
	if z.name != "" {
		loc, err := event.LoadLocation(z.name)
		if err != nil {
			return nil, err
		}
		z.iana = loc
	}
	switch {
	case z.iana == nil && z.own == nil && isAbbreviation(key):
		return r.provider, nil
	case z.iana == nil && z.own == nil:
		return nil, fmt.Errorf("time zone %.60q is not known: it is neither an IANA name nor one of Windows, and no VTIMEZONE says what it is", tzid)
	}
	return z, nil
}

// An onset is the beginning of an observance.
type onset struct {
	at     int64
	offset int
}

// ownZone returns what a VTIMEZONE says, or nil if that is nothing.
func (r *resolver) ownZone(v *vtimezone) (*ownZone, error) {
	x, ok := r.expanded[v]
	if !ok {
		x.ownZone, x.err = r.expand(v)
		r.expanded[v] = x
	}
	return x.ownZone, x.err
}

// expand is ownZone for a VTIMEZONE that was not yet asked for.
func (r *resolver) expand(v *vtimezone) (*ownZone, error) {
	key := fmt.Sprintf("%q", v.observances)
	if own, ok := r.own[key]; ok {
		return own, nil
	}
	if len(r.own) == maxZones {
		return nil, fmt.Errorf("the calendar has more than %d time zones that differ", maxZones)
	}
	own, err := v.expand(r.expired)
	if err != nil {
		return nil, err
	}
	r.own[key] = own
	return own, nil
}

// expand makes a location of a VTIMEZONE.
func (v *vtimezone) expand(expired func() error) (*ownZone, error) {
	var onsets []onset
	own := &ownZone{first: math.MaxInt64, last: math.MinInt64}
	before := 0
	for _, o := range v.observances {
		if err := expired(); err != nil {
			return nil, err // the converter returns it, too
		}
		from, err := parseOffset(o.from)
		if err != nil {
			return nil, err
		}
		to, err := parseOffset(o.to)
		if err != nil {
			return nil, err
		}
		walls, last, err := o.onsets(from)
		if err != nil {
			return nil, err
		}
		for _, wall := range walls {
			at := wall - int64(from)
			if at < own.first {
				own.first, before = at, from
			}
			onsets = append(onsets, onset{at, to})
		}
		own.last = max(own.last, last)
		if len(onsets) > maxOnsets {
			return nil, fmt.Errorf("more than %d changes of the clocks", maxOnsets)
		}
	}
	if len(onsets) == 0 {
		return nil, nil //nolint:nilnil // it says nothing: the name counts
	}
	if len(v.observances) == 1 && len(onsets) == 1 {
		own.first, own.last = math.MinInt64, math.MaxInt64 // it never changes
	}
	slices.SortStableFunc(onsets, func(a, b onset) int { return cmp.Compare(a.at, b.at) })
	loc, err := time.LoadLocationFromTZData("VTIMEZONE", tzData(before, onsets))
	if err != nil {
		return nil, fmt.Errorf("make a time zone of it: %w", err)
	}
	own.Location = loc
	return own, nil
}

// onsets returns the wall-clock times, in the offset from, at which the observance begins,
// and until when this is known.
func (o *observance) onsets(from int) (walls []int64, last int64, err error) {
	start, form, err := rrule.ParseTime(strings.ToUpper(o.start))
	if err != nil || form == rrule.UTC {
		return nil, 0, fmt.Errorf("DTSTART %.40q is not a local time", o.start)
	}
	if len(o.rules) > maxRules {
		return nil, 0, errRules
	}
	walls, last = []int64{start}, start
	for _, text := range o.rules {
		rule, err := rrule.Parse(text)
		if err != nil {
			return nil, 0, err
		}
		until := lastOnset
		if rule.UntilForm != rrule.None {
			until = rule.Until
			if rule.UntilForm == rrule.UTC {
				until += int64(from)
			}
		}
		more, _ := rule.Between(start, until, min(firstOnset, start), lastOnset)
		walls = append(walls, more...)
		last = max(last, min(until, lastOnset))
	}
	for _, text := range o.dates {
		wall, form, err := rrule.ParseTime(strings.ToUpper(text))
		if err != nil {
			return nil, 0, err
		}
		if form == rrule.UTC {
			wall += int64(from)
		}
		walls, last = append(walls, wall), max(last, wall)
	}
	return walls, last, nil
}

// parseOffset reads an offset from UTC: +0100, -0330, +013000 (RFC 5545 section 3.3.14).
func parseOffset(s string) (int, error) {
	digits := strings.ReplaceAll(strings.TrimSpace(s), ":", "")
	if len(digits) == 5 || len(digits) == 7 {
		t, _, err := rrule.ParseTime("19700101T" + (digits[1:] + "00")[:6])
		if err == nil && (digits[0] == '+' || digits[0] == '-') {
			if digits[0] == '-' {
				t = -t
			}
			return int(t), nil
		}
	}
	return 0, fmt.Errorf("%.40q is not an offset like +0100", s)
}

// tzData returns a time zone in the format of RFC 8536, version 2, without its data of
// version 1.
func tzData(before int, onsets []onset) []byte {
	// The first type is only for the time before all onsets, as Go expects it there.
	types := []int{before}
	index := make([]byte, len(onsets))
	for i, o := range onsets {
		at := slices.Index(types[1:], o.offset) + 1
		if at == 0 {
			at = len(types)
			if at > math.MaxUint8 {
				at = math.MaxUint8 // nobody has so many
			} else {
				types = append(types, o.offset)
			}
		}
		index[i] = byte(at)
	}
	header := func(b []byte, onsets, types, chars int) []byte {
		b = append(append(b, "TZif2"...), make([]byte, 15)...)
		for _, n := range []int{0, 0, 0, onsets, types, chars} {
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		}
		return b
	}
	b := header(nil, 0, 0, 0)
	b = header(b, len(onsets), len(types), 1)
	for _, o := range onsets {
		b = binary.BigEndian.AppendUint64(b, uint64(o.at))
	}
	b = append(b, index...)
	for _, offset := range types {
		b = binary.BigEndian.AppendUint32(b, uint32(int32(offset)))
		b = append(b, 0, 0) // no summer time, and the first abbreviation
	}
	return append(b, 0, '\n', '\n') // the abbreviation, and no rule for the time after
}
