//go:build linux

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"sort"
	"strconv"
	"time"

	"fever/internal/harness"

	"github.com/google/uuid"
)

// An event is a generated event. Everything about it follows from its number: see [event.base]
// and below.
type event struct {
	start, end int64 // Unix seconds
	number     int32
	id         uuid.UUID // set by generate
}

// dawn is when the first events start. There is about one event an hour: event n starts around
// the n-th hour after the dawn. So the size of an answer depends only on the length of the
// window, and more events only cover more time.
var dawn = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Durations in minutes. A few events are of another kind: exhibitions, for weeks.
const (
	shortest, longest = 30, 240
	meanDuration      = (shortest + longest) / 2
	longShare         = 200 // one in so many
	weeksFrom, weeks  = 2, 7
)

// Of the events with numbers from monthsFrom on, one in monthsShare lasts for one to six months,
// and none for weeks.
const (
	monthsFrom              = 1_000_000
	monthsShare             = 100
	monthsLeast, monthsMost = 30, 180 // days
)

// A dataset is what a server has stored, in the order of answers.
type dataset []event

// generate makes the events with numbers from from up to but not including to.
func generate(from, to int) dataset {
	d := make(dataset, 0, to-from)
	for n := from; n < to; n++ {
		e := newEvent(int32(n))
		e.id = harness.PublicID(provider, e.base(), e.plan())
		d = append(d, e)
	}
	slices.SortFunc(d, event.compare)
	return d
}

func newEvent(n int32) event {
	e := event{number: n}
	hour := int64(n) + int64(e.dice('h')%5)
	quarter := int64(e.dice('q') % 4) // so many start at the same time
	e.start = dawn.Unix() + hour*3600 + quarter*900
	minutes := shortest + e.dice('m')%((longest-shortest)/5+1)*5
	if n >= monthsFrom && e.dice('w')%monthsShare == 0 {
		minutes = (monthsLeast + e.dice('d')%(monthsMost-monthsLeast+1)) * 24 * 60
	} else if n < monthsFrom && e.dice('w')%longShare == 0 {
		minutes = (weeksFrom*7 + e.dice('d')%(weeks*7)) * 24 * 60
	}
	e.end = e.start + int64(minutes)*60
	return e
}

// compare orders events as answers do: by start, then end, then id.
func (e event) compare(f event) int {
	return cmp.Or(cmp.Compare(e.start, f.start), cmp.Compare(e.end, f.end), bytes.Compare(e.id[:], f.id[:]))
}

// find returns the events that a search for the window finds.
func (d dataset) find(w window) dataset {
	var found dataset
	from := w.from
	if w.overlap {
		from -= monthsMost * 24 * 3600 // no event that started earlier is still on
	}
	first := sort.Search(len(d), func(i int) bool { return d[i].start >= from })
	for _, e := range d[first:] {
		if e.start > w.to {
			break
		}
		if w.has(e) {
			found = append(found, e)
		}
	}
	return found
}

// Two plans share a base plan.
func (e event) base() string { return strconv.Itoa(int(e.number >> 1)) }
func (e event) plan() string { return strconv.Itoa(int(e.number)) }

// dice returns a number that is random, and always the same for the event's purpose.
func (e event) dice(purpose uint64) int {
	return int(mix(uint64(e.number)<<8|purpose) >> 1)
}

// provider is the name that fever gives to the only provider it has.
const provider = "feverup"

// mix is the finalizer of splitmix64: it makes similar numbers very different.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// summary returns what an answer must show of e, in a version of the changing feed.
func (e event) summary(version int) harness.Summary {
	start, end := time.Unix(e.start, 0).UTC(), time.Unix(e.end, 0).UTC()
	s := harness.Summary{
		ID:        e.id.String(),
		Title:     e.title(),
		StartDate: start.Format(time.DateOnly),
		StartTime: start.Format(time.TimeOnly),
		EndDate:   end.Format(time.DateOnly),
		EndTime:   end.Format(time.TimeOnly),
	}
	for _, z := range e.zones(version) {
		if z.capacity == 0 {
			continue
		}
		price := json.Number(strconv.FormatFloat(float64(z.cents)/100, 'f', -1, 64))
		if s.MinPrice == "" {
			s.MinPrice = price // the zones are in the order of their prices
		}
		s.MaxPrice = price
	}
	return s
}
