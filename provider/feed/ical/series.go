package ical

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/rrule"
)

// maxInstances bounds what the rules of a document give together.
const maxInstances = 1 << 17

// A converter makes events of the components of a document.
type converter struct {
	*feed.Builder
	*resolver

	from, to  int64    // the window of rules, in wall-clock time
	instances int      // that rules have given
	doubts    []string // about the next row
}

// begin begins the row of an event.
func (c *converter) begin(e *vevent) {
	c.At(e.from, e.to)
	c.Row(e.line, nil)
	for _, doubt := range c.doubts {
		c.Note("%s", doubt)
	}
	c.doubts = c.doubts[:0]
}

// A series is all that a document says of one UID.
type series struct {
	master    *vevent // without a RECURRENCE-ID; nil if it is missing
	overrides []*vevent

	base     *span   // of the master
	starts   []start // original ones of the instances in the window, in order
	excluded []int64 // wall-clock times of those that an EXDATE leaves out, for those who trace
	cut      bool    // there are more of them
	doubts   []string
	err      error // why the master is rejected
}

// utc is the zone of times with a Z.
var utc = &zone{iana: time.UTC}

// convert gives all events to the builder, in the order in which their UIDs first appear.
func (c *converter) convert(events []*vevent) error {
	byUID := make(map[string]*series, len(events))
	var all []*series
	for _, e := range events {
		e.uid = cmp.Or(e.uid, e.url)
		if e.uid == "" {
			c.reject(e, "it has neither a UID nor a URL")
			continue
		}
		s := byUID[e.uid]
		if s == nil {
			s = new(series)
			byUID[e.uid] = s
			all = append(all, s)
		}
		switch {
		case e.recurrence != nil:
			s.overrides = append(s.overrides, e)
		case s.master != nil:
			s.master = c.newer(s.master, e)
		default:
			s.master = e
		}
	}
	n := 0
	for _, s := range all {
		s.err = c.originals(s)
		s.doubts, c.doubts = c.doubts, nil
		n += len(s.starts) + len(s.overrides)
		if err := c.Expired(); err != nil { // a rule may take long for its few bytes
			return err
		}
	}
	c.Grow(n)
	for _, s := range all {
		c.doubts = append(c.doubts, s.doubts...)
		if err := cmp.Or(c.series(s), c.Expired()); err != nil { // and so may a time zone
			return err
		}
	}
	return nil
}

// newer returns which of two events with the same UID and RECURRENCE-ID counts, and rejects
// the other.
func (c *converter) newer(a, b *vevent) *vevent {
	if cmp.Or(cmp.Compare(a.sequence, b.sequence), cmp.Compare(a.modified, b.modified)) > 0 {
		a, b = b, a
	}
	c.reject(a, fmt.Sprintf("the event on line %d has the same UID and RECURRENCE-ID, and a higher SEQUENCE, a later date, or a later line", b.line))
	return b
}

func (c *converter) reject(e *vevent, reason string) {
	id := e.uid
	if e.recurrence != nil {
		id = idOf(e.recurrence.wall, e.recurrence.form)
	}
	c.begin(e)
	c.RejectEvent(event.Key{BaseID: e.uid, EventID: id}, e.summary, e.line, reason)
}

// A change is an override: it takes the place of one instance, or of all from there on.
type change struct {
	*vevent

	span      *span
	original  original
	instances []instance
}

// series gives the events of one UID.
func (c *converter) series(s *series) error {
	if s.err != nil {
		if s.master.repeats() { // which instances it has is unknown: all of them are rejected
			c.begin(s.master)
			c.Reject(s.master.uid, "", s.master.line, s.err.Error())
		} else {
			c.reject(s.master, s.err.Error())
		}
		for _, e := range s.overrides {
			c.reject(e, fmt.Sprintf("it changes the event on line %d, which was rejected", s.master.line))
		}
		return nil
	}
	if s.cut {
		c.begin(s.master)
		c.Reject(s.master.uid, "", s.master.line, fmt.Sprintf("its rule gives more than the %d instances that a rule may have, or takes too long: the later ones are left out", rrule.MaxTimes))
	}
	base, starts := s.base, s.starts
	single, later, all := c.changes(s, base)
	if len(starts) == 0 && s.master != nil && len(all) == 0 {
		c.begin(s.master)
		c.IgnoreEvent(s.master.uid, "", s.master.line, "its rule gives no time "+feed.InWindow)
	}
	if len(starts) > 0 {
		c.begin(s.master)
	}
	for _, wall := range s.excluded {
		c.Without(s.master.uid, s.instanceID(wall), "an EXDATE leaves it out")
	}
	for _, original := range starts {
		wall := original.wall
		id := s.instanceID(wall)
		if ch, ok := single.find(c, base, wall); ok && len(ch.instances) == 0 {
			ch.instances = append(ch.instances, instance{ch.span.start, id})
		} else if ch := latest(later, wall); ch != nil {
			ch.instances = append(ch.instances, instance{ch.span.start + wall - ch.original.wall, id})
		} else if err := c.emit(s, s.master, base, wall, *original.end, id); err != nil {
			return err
		}
	}
	for _, ch := range all {
		if len(ch.instances) == 0 { // outside the window, or one that the rule does not give
			ch.instances = append(ch.instances, instance{ch.span.start, ch.original.id})
		}
		c.begin(ch.vevent)
		for _, i := range ch.instances {
			if err := c.emit(s, ch.vevent, ch.span, i.start, ch.span.end, i.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// instanceID returns the id of the instance of the master that starts at a wall-clock time.
func (s *series) instanceID(wall int64) string {
	if s.master.repeats() {
		return s.base.id(wall)
	}
	return s.master.uid
}

// An instance is one that a change takes the place of.
type instance struct {
	start int64  // wall clock, in the zone of the change
	id    string // of its event
}

func (e *vevent) repeats() bool { return len(e.rules)+len(e.dates) > 0 }

// latest returns the last of the changes, in the order of their originals, that reaches an
// instance.
func latest(later []*change, wall int64) *change {
	after, _ := slices.BinarySearchFunc(later, wall, func(ch *change, wall int64) int {
		if ch.original.wall <= wall {
			return -1
		}
		return 1
	})
	if after == 0 {
		return nil
	}
	return later[after-1]
}

// emit gives an instance to the builder. It starts at wall, in the zone of the span.
func (c *converter) emit(s *series, e *vevent, sp *span, wall int64, end ending, id string) error {
	if e.cancelled {
		c.IgnoreEvent(e.uid, id, e.line, "it is cancelled")
		return nil
	}
	ev := event.Event{Key: event.Key{BaseID: e.uid, EventID: id}, Title: e.summary}
	if ev.Title == "" && s.master != nil {
		ev.Title = s.master.summary
	}
	err := c.set(&ev, sp, wall, end)
	own := e.published != nil && !e.repeats() && e.recurrence == nil
	if err == nil && own {
		err = e.published.amend(&ev, c.provider.iana)
	}
	switch {
	case err != nil:
		c.RejectEvent(ev.Key, ev.Title, e.line, err.Error())
		return nil
	case own && e.published.past:
		return c.KeepPast(ev, e.line)
	}
	return c.Keep(ev, e.line)
}

// A start is the original start of an instance, with the end that it has.
type start struct {
	wall int64
	end  *ending
}

// originals finds when the master of a series is, and the original starts of its instances. Its
// error is the reason to reject the master.
func (c *converter) originals(s *series) error {
	e := s.master
	if e == nil {
		return nil
	}
	base, err := c.span(e)
	if err != nil {
		return err
	}
	if len(e.exRules) > 0 {
		return errors.New("it has an EXRULE, which is not expanded")
	}
	var starts []start
	if len(e.rules) == 0 {
		starts = append(starts, start{base.start, &base.end})
	}
	if len(e.rules) > maxRules {
		return errRules
	}
	for _, text := range e.rules {
		if err := c.Expired(); err != nil {
			return err // convert returns it, too
		}
		walls, whole, err := c.expand(e, base, text)
		if err != nil {
			return err
		}
		s.cut = s.cut || !whole
		starts = slices.Grow(starts, len(walls))
		for _, wall := range walls {
			if c.instances == maxInstances {
				s.cut = true
				break
			}
			c.instances++
			starts = append(starts, start{wall, &base.end})
		}
	}
	for i := range e.dates {
		d := &e.dates[i]
		o, err := c.originalOf(e.calendar, &d.moment, base)
		if err != nil {
			return fmt.Errorf("RDATE: %w", err)
		}
		if o.date && !base.dates {
			o.wall += base.start - dateOf(base.start)
		}
		at := start{o.wall, &base.end}
		if d.end != nil || d.duration != "" {
			end, err := c.ending(e.calendar, &span{zone: base.zone, dates: base.dates, start: o.wall}, d.end, d.duration)
			if err != nil {
				return fmt.Errorf("RDATE: %w", err)
			}
			at.end = &end
		}
		starts = append(starts, at)
	}
	var excluded originals[struct{}]
	for i := range e.exDates {
		o, err := c.originalOf(e.calendar, &e.exDates[i], base)
		if err != nil {
			return fmt.Errorf("EXDATE: %w", err)
		}
		excluded.add(o, base, struct{}{})
	}
	starts = slices.DeleteFunc(starts, func(at start) bool {
		_, ok := excluded.find(c, base, at.wall)
		if ok && c.Traced() {
			s.excluded = append(s.excluded, at.wall)
		}
		return ok
	})
	// Of the same time twice the last counts, which RDATE gives with its own end. Two times
	// around one that the clocks skip can be the same, too.
	slices.SortStableFunc(starts, func(a, b start) int { return cmp.Compare(a.wall, b.wall) })
	slices.Reverse(starts)
	starts = slices.CompactFunc(starts, func(a, b start) bool { return a.wall == b.wall })
	slices.Reverse(starts)
	if !base.dates {
		starts = slices.CompactFunc(starts, func(a, b start) bool {
			// The clocks skip a day at most.
			return b.wall-a.wall <= secondsADay && base.zone.instant(a.wall) == base.zone.instant(b.wall)
		})
	}
	s.base, s.starts = base, starts
	return nil
}

// expand returns the wall-clock times that a rule gives in the window.
func (c *converter) expand(e *vevent, base *span, text string) (walls []int64, whole bool, err error) {
	rule, err := rrule.Parse(text)
	if err != nil {
		return nil, false, err
	}
	if base.dates {
		if !rule.Daily() {
			return nil, false, errors.New("its rule repeats within a day, and it starts with a date")
		}
		rule = rule.WithoutTimes()
	}
	until, last := c.to, int64(math.MaxInt64) // wall clock, and instant
	switch form := rule.UntilForm; {
	case form == rrule.Date:
		until = rule.Until + secondsADay - 1
	case form == rrule.Local:
		until = rule.Until
	case form == rrule.UTC && base.dates:
		until = c.floating(e.calendar).wall(rule.Until)
	case form == rrule.UTC:
		// Several wall-clock times around a change can be the same instant.
		until, last = base.zone.wall(rule.Until)+secondsADay, rule.Until
	}
	if until < base.start || last < math.MaxInt64 && base.zone.instant(base.start) > last {
		return nil, false, errors.New("its rule ends before it starts")
	}
	walls, whole = rule.Between(base.start, until, c.from, c.to)
	if last < math.MaxInt64 {
		walls = slices.DeleteFunc(walls, func(wall int64) bool { return base.zone.instant(wall) > last })
	}
	return walls, whole, nil
}

// An original says which instance a RECURRENCE-ID or an EXDATE means.
type original struct {
	wall    int64  // in the zone of the series
	instant int64  // of a time
	date    bool   // it means the instance on the date
	id      string // of the event
}

// originalOf resolves a RECURRENCE-ID, an EXDATE, or an RDATE. The base is nil if the event
// that repeats is missing.
func (c *converter) originalOf(cal *calendar, m *moment, base *span) (original, error) {
	z, err := c.zoneOf(cal, m)
	if err != nil {
		return original{}, err
	}
	floats := m.form == rrule.Local && m.tzid == ""
	if floats && base != nil {
		z, floats = base.zone, base.floats // the zone of the series goes without saying
	}
	at := span{zone: z, floats: floats, dates: m.form == rrule.Date}
	o := original{wall: m.wall, date: at.dates, id: at.id(m.wall)}
	if o.date {
		return o, nil
	}
	o.instant = z.instant(m.wall)
	switch {
	case base == nil || z == base.zone && !base.dates:
	case base.dates: // a time where a date is meant: its day
		if z == utc {
			o.wall = c.floating(cal).wall(o.instant)
		}
		o.wall, o.date = dateOf(o.wall), true
		o.id = base.id(o.wall)
	default:
		o.wall = base.zone.wall(o.instant)
		o.id = base.id(o.wall)
	}
	return o, nil
}

// originals are values by the instance that an [original] means. The zero value is empty.
type originals[T any] struct{ walls, instants, dates map[int64]T }

func (s *originals[T]) add(o original, base *span, value T) {
	if o.date && (base == nil || !base.dates) {
		put(&s.dates, o.wall, value)
		return
	}
	put(&s.walls, o.wall, value)
	if !o.date {
		put(&s.instants, o.instant, value)
	}
}

func put[T any](m *map[int64]T, key int64, value T) {
	if *m == nil {
		*m = make(map[int64]T)
	}
	(*m)[key] = value
}

// find returns the value for an instance: for its wall-clock time, its instant, or the date
// on which people see it.
func (s *originals[T]) find(c *converter, base *span, wall int64) (T, bool) {
	if value, ok := s.walls[wall]; ok || base.dates || len(s.instants)+len(s.dates) == 0 {
		return value, ok
	}
	instant := base.zone.instant(wall)
	if value, ok := s.instants[instant]; ok {
		return value, true
	}
	if base.zone == utc {
		wall = c.provider.wall(instant)
	}
	value, ok := s.dates[dateOf(wall)]
	return value, ok
}

// follow makes a change of all later instances ready to be shifted along with the wall clock of
// its series. A date means the instance on that day, and a time in UTC has to move when the
// clocks change.
func (ch *change) follow(base *span) {
	if ch.original.date && !base.dates {
		ch.original.wall += base.start - dateOf(base.start)
	}
	if ch.span.zone == utc && !ch.span.dates && !base.dates {
		ch.span.start, ch.span.zone, ch.span.floats = base.zone.wall(ch.span.start), base.zone, base.floats
	}
}

// changes resolves the overrides of a series: those of single instances, those of all later
// ones in the order of their originals, and both. Of several for the same instance it keeps
// the newest.
func (c *converter) changes(s *series, base *span) (single originals[*change], later, all []*change) {
	byID := make(map[string]int)
	for _, e := range s.overrides {
		if s.master != nil && s.master.cancelled && e.sequence <= s.master.sequence {
			e.cancelled = true // with its series
		}
		sp, err := c.span(e)
		var o original
		if err == nil {
			if o, err = c.originalOf(e.calendar, e.recurrence, base); err != nil {
				err = fmt.Errorf("RECURRENCE-ID: %w", err)
			}
		}
		if err != nil {
			c.reject(e, err.Error())
			continue
		}
		ch := &change{vevent: e, span: sp, original: o}
		if i, again := byID[o.id]; again {
			if c.newer(all[i].vevent, e) == e {
				all[i] = ch
			}
			continue
		}
		byID[o.id] = len(all)
		all = append(all, ch)
	}
	for _, ch := range all {
		if ch.future && base != nil {
			ch.follow(base)
			later = append(later, ch)
		} else {
			single.add(ch.original, base, ch)
		}
	}
	slices.SortStableFunc(later, func(a, b *change) int { return cmp.Compare(a.original.wall, b.original.wall) })
	return single, later, all
}
