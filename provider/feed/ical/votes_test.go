package ical

import (
	"bufio"
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/provider/rrule"
)

// A question is a line of votes.json: see internal/votes.
type question struct {
	Zone, Start, Rule string
	Excluded          []string
	Votes             map[string][]int64 // Unix seconds
}

func questions(tb testing.TB) []question {
	tb.Helper()
	file, err := os.ReadFile("testdata/votes.json")
	if err != nil {
		tb.Fatal(err)
	}
	var all []question
	for lines := bufio.NewScanner(bytes.NewReader(file)); lines.Scan(); {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			tb.Fatal(err)
		}
		all = append(all, q)
	}
	return all
}

// times reads the series, and returns when its events start.
func (q *question) times(tb testing.TB) []int64 {
	tb.Helper()
	lines := "DTSTART;TZID=" + q.Zone + ":" + q.Start + "\nRRULE:" + q.Rule
	for _, t := range q.Excluded {
		lines += "\nEXDATE;TZID=" + q.Zone + ":" + t
	}
	got, err := readAt(tb, calendarOf(veventOf(lines)), "UTC", time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || got.Rejected > 0 {
		tb.Fatalf("%s: %v, %+v", lines, err, got)
	}
	loc, err := event.LoadLocation(q.Zone)
	if err != nil {
		tb.Fatal(err)
	}
	var all []int64
	for i := range got.Events {
		all = append(all, event.NewEntry(&got.Events[i], loc).Start)
	}
	return all
}

// explanations say why an implementation may differ from fever in a series. Each names the
// section of RFC 5545 that fever follows.
var explanations = []struct {
	name string
	of   func(q *question, loc *time.Location, walls []int64) bool
}{
	// Section 3.3.10: what a rule leaves out comes from DTSTART, so a week alone means one day
	// of it. rrule.js and recurring-ical-events (which expands with python-dateutil) give all
	// seven; ical.js gives none.
	{"BYWEEKNO without BYDAY", func(q *question, _ *time.Location, _ []int64) bool {
		return strings.Contains(q.Rule, "BYWEEKNO") && !strings.Contains(q.Rule, "BYDAY")
	}},
	// Section 3.3.10: the days are those of these weeks. ical.js goes on with the weeks that
	// follow, and rrule.js loses days of the week that two years share.
	{"BYWEEKNO", func(q *question, _ *time.Location, _ []int64) bool { return strings.Contains(q.Rule, "BYWEEKNO") }},
	// Section 3.3.10: BYDAY is a list, and each element of it adds days. rrule.js and
	// recurring-ical-events keep only those days that are in both kinds.
	{"BYDAY with and without numbers", func(q *question, _ *time.Location, _ []int64) bool {
		return slices.ContainsFunc([]string{"1SU,SA", "-1SU,MO"}, func(days string) bool { return strings.Contains(q.Rule, days) })
	}},
	// Section 3.3.5: a time that the clocks skip has the offset from before the gap.
	{"a time that is skipped", func(_ *question, loc *time.Location, walls []int64) bool {
		return slices.ContainsFunc(walls, func(wall int64) bool { return wallAt(event.UnixAt(wall, loc), loc) != wall })
	}},
	// Section 3.3.5: a time that the clocks show twice is the first of the two.
	{"a time that comes twice", func(_ *question, loc *time.Location, walls []int64) bool {
		return slices.ContainsFunc(walls, func(wall int64) bool {
			first := event.UnixAt(wall, loc)
			return wallAt(first+3600, loc) == wall || wallAt(first+1800, loc) == wall
		})
	}},
	// Section 3.3.5: the offset is that at the local time. rrule.js takes that at the time in UTC
	// with the same digits, so it is an hour off in the hours around a change.
	{"the hours around a change", func(_ *question, loc *time.Location, walls []int64) bool {
		return slices.ContainsFunc(walls, func(wall int64) bool { return wallAt(wall, loc)-wall != wall-event.UnixAt(wall, loc) })
	}},
}

func wallAt(instant int64, loc *time.Location) int64 {
	_, offset := time.Unix(instant, 0).In(loc).Zone()
	return instant + int64(offset)
}

// TestVotes compares with three other implementations. Where one of them differs there has to
// be an explanation, and where fever differs from two that agree, too.
func TestVotes(t *testing.T) {
	t.Parallel()
	last := time.Date(2028, 3, 30, 0, 0, 0, 0, time.UTC).Unix() // all are compared up to here
	cut := func(times []int64) []int64 {
		times = slices.DeleteFunc(slices.Clone(times), func(t int64) bool { return t >= last })
		slices.Sort(times)
		return times
	}
	differ := make(map[string]int)
	all := questions(t)
	agreed := 0
	for i := range all {
		q := &all[i]
		got := cut(q.times(t))
		rule, err := rrule.Parse(q.Rule)
		if err != nil {
			t.Fatal(err)
		}
		loc, err := event.LoadLocation(q.Zone)
		if err != nil {
			t.Fatal(err)
		}
		start, _, err := rrule.ParseTime(q.Start)
		if err != nil {
			t.Fatal(err)
		}
		walls, _ := rule.Between(start, last, start, last)
		for name, votes := range q.Votes {
			if slices.Equal(cut(votes), got) {
				agreed++
				continue
			}
			reason := "nothing"
			for _, e := range explanations {
				if e.of(q, loc, walls) {
					reason = e.name
					break
				}
			}
			differ[name+": "+reason]++
			if reason == "nothing" {
				t.Errorf("%s: %s in %s from %s without %v: %v, and fever says %v", name, q.Rule, q.Zone, q.Start, q.Excluded, cut(votes), got)
			}
		}
	}
	if len(all) < 200 || agreed < 2*len(all) {
		t.Errorf("%d series, %d votes agree", len(all), agreed)
	}
	// The table in docs/formats.md has these numbers.
	want := map[string]int{
		"ical.js: BYWEEKNO":                                     14,
		"ical.js: BYWEEKNO without BYDAY":                       16,
		"ical.js: a time that comes twice":                      7,
		"ical.js: a time that is skipped":                       12,
		"recurring-ical-events: BYDAY with and without numbers": 16,
		"recurring-ical-events: BYWEEKNO without BYDAY":         15,
		"recurring-ical-events: a time that comes twice":        5,
		"recurring-ical-events: a time that is skipped":         4,
		"rrule.js: BYDAY with and without numbers":              16,
		"rrule.js: BYWEEKNO":                                    2,
		"rrule.js: BYWEEKNO without BYDAY":                      15,
		"rrule.js: a time that comes twice":                     3,
		"rrule.js: a time that is skipped":                      11,
		"rrule.js: the hours around a change":                   17,
	}
	if !maps.Equal(differ, want) {
		t.Errorf("they differ as %#v", differ)
	}
}
