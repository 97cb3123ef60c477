package mapped

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"fever/event"
)

const (
	dateForm  = "2006-01-02"
	localForm = "2006-01-02T15:04:05"
)

// local reads a time in a layout of Go's package time, and returns it as a record has it: a
// date, a date and time, or with an offset if the layout has one.
func local(v, layout any) any {
	value, ok := v.(string)
	if !ok {
		return notText("local", v)
	}
	of, ok := layout.(string)
	if !ok {
		return notText("local", layout)
	}
	t, err := time.Parse(of, strings.TrimSpace(value))
	if err != nil {
		return fmt.Errorf("local: %s is not a time like %q", describe(v), of)
	}
	switch {
	case strings.Contains(of, "07"):
		return t.Format(time.RFC3339)
	case strings.ContainsAny(of, "345"): // no part of a date has these digits
		return t.Format(localForm)
	}
	return t.Format(dateForm)
}

// checkLayout refuses a layout without year, month or day, since what is missing would be
// January, or the first. It refuses names of time zones, since the same name means several.
func checkLayout(layout string) error {
	base := time.Date(2033, time.May, 17, 0, 0, 0, 0, time.UTC)
	for _, other := range []time.Time{base.AddDate(1, 0, 0), base.AddDate(0, 1, 0), base.AddDate(0, 0, 1)} {
		if other.Format(layout) == base.Format(layout) {
			return fmt.Errorf("the layout %.40q of local has no year, month or day; it is how 2 January 2006, 15:04:05 is written", layout)
		}
	}
	if strings.Contains(layout, "MST") {
		return fmt.Errorf("the layout %.40q of local has the name of a time zone, which says too little", layout)
	}
	return nil
}

// utc returns an instant as a time in UTC. It reads a number of seconds since 1970, or a time
// with an offset or the name of a time zone, as records have them.
func utc(v any) any {
	if seconds, ok := number(v); ok {
		whole, _, _ := strings.Cut(seconds, ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		t := time.Unix(n, 0).UTC()
		if err != nil || t.Year() < 1 || t.Year() > 9999 {
			return fmt.Errorf("utc: %s is not a number of seconds since 1970", describe(v))
		}
		return t.Format(time.RFC3339)
	}
	text, ok := v.(string)
	if !ok {
		return notText("utc", v)
	}
	l, zone, err := event.ParseTime(strings.TrimSpace(text), time.UTC)
	at, err2 := event.LoadLocation(zone)
	if err != nil || err2 != nil || zone == "" {
		return fmt.Errorf("utc: %s is not a time with an offset", describe(v))
	}
	return time.Unix(l.Unix(at), 0).UTC().Format(time.RFC3339)
}

// weekdays has the names of the days of the week: RFC 5545's, the Spanish initials,
// the English names, and those of schema.org.
var weekdays = func() map[string]time.Weekday {
	all := make(map[string]time.Weekday)
	for day := time.Sunday; day <= time.Saturday; day++ {
		name := day.String()
		for _, text := range []string{name, name[:2], "https://schema.org/" + name, "http://schema.org/" + name, "schema:" + name} {
			all[strings.ToLower(text)] = day
		}
		all[strings.ToLower(string("DLMXJVS"[day]))] = day
	}
	return all
}()

// days returns each day from a date to another one, the last included, on the given days of
// the week, but for the given dates.
func days(from, to, byday, except any) gojq.Iter {
	all, err := daysOf(from, to, byday, except)
	if err != nil {
		return gojq.NewIter[any](err)
	}
	return gojq.NewIter(all...)
}

func daysOf(from, to, byday, except any) ([]any, error) {
	first, err := date(from)
	if err != nil {
		return nil, err
	}
	if to == nil || to == "" {
		to = from
	}
	last, err := date(to)
	if err != nil {
		return nil, err
	}
	if last.Before(first) {
		return nil, fmt.Errorf("days: %s is before %s", last.Format(dateForm), first.Format(dateForm))
	}
	on, err := list("days", byday)
	if err != nil {
		return nil, err
	}
	var wanted []time.Weekday
	for _, name := range on {
		day, ok := weekdays[strings.ToLower(name)]
		if !ok {
			return nil, fmt.Errorf("days: %.20q is not a day of the week; docs/mapping.md lists those it knows", name)
		}
		wanted = append(wanted, day)
	}
	but, err := list("days", except)
	if err != nil {
		return nil, err
	}
	without := make(map[time.Time]bool)
	for _, text := range but {
		day, err := date(text)
		if err != nil {
			return nil, err
		}
		without[day] = true
	}
	var all []any
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		if without[day] || len(wanted) > 0 && !slices.Contains(wanted, day.Weekday()) {
			continue
		}
		if len(all) == maxRecords {
			return nil, fmt.Errorf("days: more than %d days from %s to %s", maxRecords, first.Format(dateForm), last.Format(dateForm))
		}
		all = append(all, day.Format(dateForm))
	}
	if len(all) == 0 {
		return nil, errors.New("days: no day is left")
	}
	return all, nil
}

// date reads a date, or that of a local time.
func date(v any) (time.Time, error) {
	text, ok := v.(string)
	if !ok {
		return time.Time{}, notText("days", v)
	}
	day := text
	if len(day) > len(dateForm) && (day[len(dateForm)] == 'T' || day[len(dateForm)] == ' ') {
		day = day[:len(dateForm)]
	}
	t, err := time.Parse(dateForm, day)
	if err != nil {
		return t, fmt.Errorf("days: %s is not a date like 2026-01-31", describe(text))
	}
	return t, nil
}
