package schemaorg

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/rrule"
)

// maxScheduled bounds the events that the schedules of a document give.
const maxScheduled = 1 << 17

// schedules gives the events of schedules, each with what e has.
func (d *decoder) schedules(e event.Event, schedules []node) error {
	for i, schedule := range schedules {
		if err := d.Expired(); err != nil {
			return err
		}
		e := e // with the time zone of this schedule
		dates, err := d.schedule(&e, schedule)
		if err != nil {
			d.RejectEvent(event.Key{BaseID: e.BaseID}, e.Title, d.line, fmt.Sprintf("eventSchedule %d of %d: %v", i+1, len(schedules), err))
			continue
		}
		if len(dates) == 0 {
			d.IgnoreEvent(e.BaseID, "", d.line, "its schedule gives no time "+feed.InWindow)
		}
		for _, date := range dates {
			if d.events++; d.events > maxScheduled {
				return feed.Errorf(feed.KindTooLarge, "the schedules have more than %d dates", maxScheduled)
			}
			one := e
			one.Zones = slices.Clone(e.Zones)
			start, end := date, ""
			from := schedule.text("startTime")
			if _, clock, ok := strings.Cut(schedule.text("startDate"), "T"); ok && from == "" {
				from = clock // of the first date, as that of all
			}
			if from != "" {
				start += "T" + from
				if to := schedule.text("endTime"); to != "" {
					end = date + "T" + to
					if to < from { // after midnight
						end = nextDay(date) + "T" + to
					}
				}
			}
			if err := one.SetTimes(start, end, d.Location); err != nil {
				d.RejectEvent(event.Key{BaseID: e.BaseID}, e.Title, d.line, err.Error())
				continue
			}
			one.EventID = d.startID(&one)
			if err := d.Keep(one, d.line); err != nil {
				return err
			}
		}
	}
	return nil
}

// schedule returns the dates of a schedule in the window, and sets the time zone of the event.
func (d *decoder) schedule(e *event.Event, schedule node) ([]string, error) {
	e.TimeZone = cmp.Or(schedule.text("scheduleTimezone"), e.TimeZone)
	first, until := schedule.text("startDate"), schedule.text("endDate")
	start, err := dayOf(first)
	if err != nil {
		return nil, fmt.Errorf("startDate %w", err)
	}
	last := d.to
	if until != "" {
		if last, err = dayOf(until); err != nil {
			return nil, fmt.Errorf("endDate %w", err)
		}
	}
	text, err := ruleOf(schedule)
	if err != nil {
		return nil, err
	}
	rule, err := rrule.Parse(text)
	if err != nil {
		return nil, err
	}
	// A rule begins with its start; the first date of a schedule need not be one of its days.
	start, ok := rule.First(start, min(last, d.to))
	if !ok {
		return nil, nil
	}
	days, whole := rule.Between(start, last, d.from, d.to)
	if !whole {
		return nil, fmt.Errorf("more than %d dates", rrule.MaxTimes)
	}
	var dates []string
	for _, day := range days {
		date := time.Unix(day, 0).UTC().Format(time.DateOnly)
		if !slices.ContainsFunc(schedule.all("exceptDate"), func(value any) bool { return strings.HasPrefix(textOf(value), date) }) {
			dates = append(dates, date)
		}
	}
	return dates, nil
}

// dayOf returns the day of a date or a time, as a wall-clock time of package rrule.
func dayOf(text string) (int64, error) {
	date, _, _ := strings.Cut(text, "T")
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a date like 2026-03-27", text)
	}
	return t.Unix(), nil
}

func nextDay(date string) string {
	t, _ := time.Parse(time.DateOnly, date) // it was formatted so
	return t.AddDate(0, 0, 1).Format(time.DateOnly)
}

// frequencies are those of ISO 8601 durations, and the words that some write.
var frequencies = map[byte]string{'D': "DAILY", 'W': "WEEKLY", 'M': "MONTHLY", 'Y': "YEARLY"}

// ruleOf returns the rule of a schedule (https://schema.org/Schedule).
func ruleOf(schedule node) (string, error) {
	every := schedule.text("repeatFrequency")
	duration, isDuration := strings.CutPrefix(every, "P")
	rule := ""
	switch {
	case every == "":
		rule = "FREQ=DAILY"
		if len(schedule.all("byDay")) > 0 {
			rule = "FREQ=WEEKLY"
		} else if schedule.text("endDate") == "" && schedule.text("repeatCount") == "" {
			return "FREQ=DAILY;COUNT=1", nil
		}
	case isDuration && len(duration) >= 2 && frequencies[duration[len(duration)-1]] != "":
		n, err := strconv.Atoi(duration[:len(duration)-1])
		if err != nil || n < 1 {
			return "", fmt.Errorf("repeatFrequency %.40q is not one like P1W", every)
		}
		rule = fmt.Sprintf("FREQ=%s;INTERVAL=%d", frequencies[duration[len(duration)-1]], n)
	case slices.Contains([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}, strings.ToUpper(short(every))):
		rule = "FREQ=" + strings.ToUpper(short(every))
	default:
		return "", fmt.Errorf("repeatFrequency %.40q is not one like P1W", every)
	}
	var days []string
	for _, value := range schedule.all("byDay") {
		text := textOf(value)
		day, ok := dayNames[strings.ToLower(short(text))]
		if !ok {
			day = strings.ToUpper(text) // 2MO, as in iCalendar
		}
		days = append(days, day)
	}
	if weeks := schedule.all("byMonthWeek"); len(weeks) > 0 { // 2 and MO: the second Monday
		var inWeeks []string
		for _, week := range weeks {
			for _, day := range days {
				if len(day) != len("MO") {
					return "", fmt.Errorf("byMonthWeek with byDay %.40q", day)
				}
				inWeeks = append(inWeeks, textOf(week)+day)
			}
		}
		if days = inWeeks; len(days) == 0 {
			return "", errors.New("byMonthWeek without byDay")
		}
	}
	if len(days) > 0 {
		rule += ";BYDAY=" + strings.Join(days, ",")
	}
	for property, part := range map[string]string{"byMonth": "BYMONTH", "byMonthDay": "BYMONTHDAY", "repeatCount": "COUNT"} {
		var numbers []string
		for _, value := range schedule.all(property) {
			numbers = append(numbers, textOf(value))
		}
		if len(numbers) > 0 {
			rule += ";" + part + "=" + strings.Join(numbers, ",")
		}
	}
	return rule, nil
}

var dayNames = map[string]string{
	"monday": "MO", "tuesday": "TU", "wednesday": "WE", "thursday": "TH", "friday": "FR", "saturday": "SA", "sunday": "SU",
}
