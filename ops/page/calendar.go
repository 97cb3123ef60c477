package page

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"fever/index"
)

// stored is the part of the page about the stored events.
type stored struct {
	Events    int // of all providers, in all years
	Provider  string
	Year      int // that is shown; 0: there are no events
	Total     int // of the chosen provider, in this year
	Providers []choice
	Years     []choice
	Halves    []half
	Legend    []step
}

// A choice is a link to another provider or year.
type choice struct {
	Name    string
	Events  int
	Query   string
	Current bool
}

// A step is a shade of the calendar and the numbers of events that it means.
type step struct {
	Level int // 0 (no events) to 4
	Range string
	most  int
}

// A half is the calendar of half a year, with a column for each week and a row for each
// day of the week.
type half struct {
	Label         string
	Width, Height int
	Months        []label
	Days          []square
}

type label struct {
	X    int
	Text string
}

type square struct {
	X, Y, Level int
	Today       bool
	Title       string // empty for a day without events
}

// The measures of a calendar, in units of its view box.
const (
	squarePitch = 13
	squareLeft  = 16
	squareTop   = 16
)

// newStored shows one provider, or all, in the given year. If that has no events it shows
// the nearest year to today that has some.
func newStored(days []index.Day, provider, year string, today time.Time) stored {
	s := stored{Provider: provider}
	byProvider, byYear := make(map[string]int), make(map[int]int)
	all := 0
	for _, day := range days {
		all += day.Events
		byProvider[day.Provider] += day.Events
		if provider == "" || provider == day.Provider {
			byYear[day.Date.Year()] += day.Events
		}
	}
	s.Year = chooseYear(byYear, year, today.Year())
	s.Providers = append(s.Providers, choice{"All providers", all, s.query("", year), provider == ""})
	for _, name := range slices.Sorted(maps.Keys(byProvider)) {
		s.Providers = append(s.Providers, choice{name, byProvider[name], s.query(name, year), name == provider})
	}
	for _, y := range nearest(slices.Sorted(maps.Keys(byYear)), s.Year) {
		s.Years = append(s.Years, choice{strconv.Itoa(y), byYear[y], s.query(provider, strconv.Itoa(y)), y == s.Year})
	}
	if s.Year == 0 {
		return s
	}
	counts := make(map[time.Time]int)
	for _, day := range days {
		if day.Date.Year() == s.Year && (provider == "" || provider == day.Provider) {
			counts[day.Date] += day.Events
		}
	}
	s.Total, s.Legend = byYear[s.Year], quantize(counts)
	for _, month := range []time.Month{time.January, time.July} {
		s.Halves = append(s.Halves, newHalf(s.Year, month, counts, s.Legend, today))
	}
	return s
}

// query returns the query of the page with other choices.
func (s stored) query(provider, year string) string {
	q := url.Values{}
	if provider != "" {
		q.Set("provider", provider)
	}
	if year != "" {
		q.Set("year", year)
	}
	return "?" + q.Encode() + "#stored"
}

// chooseYear returns the year that was asked for if it has events, or else the nearest year
// that has some, or 0 if none has. Of two years at the same distance it returns the later.
func chooseYear(byYear map[int]int, asked string, this int) int {
	if year, err := strconv.Atoi(asked); err == nil && byYear[year] > 0 {
		return year
	}
	distance := func(year int) int { return max(year-this, this-year) }
	years := slices.Sorted(maps.Keys(byYear))
	if len(years) == 0 {
		return 0
	}
	slices.Reverse(years)
	return slices.MinFunc(years, func(a, b int) int { return cmp.Compare(distance(a), distance(b)) })
}

// nearest returns some of the years, around one of them.
func nearest(years []int, year int) []int {
	const most = 7
	at := slices.Index(years, year)
	first := max(min(at-most/2, len(years)-most), 0)
	return years[first:min(first+most, len(years))]
}

// quantize divides the days with events into quarters, by their numbers of events. Quarters
// with equal bounds become one shade.
func quantize(counts map[time.Time]int) []step {
	all := slices.Sorted(maps.Values(counts))
	steps := []step{{Range: "0"}}
	for quarter := 1; quarter <= 4; quarter++ {
		least, most := steps[len(steps)-1].most+1, all[(len(all)*quarter+3)/4-1]
		if most < least {
			continue
		}
		text := number(least)
		if most > least {
			text += "–" + number(most)
		}
		steps = append(steps, step{Level: quarter, Range: text, most: most})
	}
	return steps
}

// shade returns the level for a number of events.
func shade(steps []step, n int) int {
	for _, s := range steps {
		if n <= s.most {
			return s.Level
		}
	}
	return steps[len(steps)-1].Level
}

func newHalf(year int, month time.Month, counts map[time.Time]int, steps []step, today time.Time) half {
	var h half
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	end := first.AddDate(0, 6, 0)
	offset := weekday(first)
	total, most := 0, 0
	for day, i := first, 0; day.Before(end); day, i = day.AddDate(0, 0, 1), i+1 {
		n := counts[day]
		total, most = total+n, max(most, n)
		sq := square{
			X:     squareLeft + (i+offset)/7*squarePitch,
			Y:     squareTop + weekday(day)*squarePitch,
			Level: shade(steps, n),
			Today: day.Format(time.DateOnly) == today.Format(time.DateOnly),
		}
		if n > 0 {
			sq.Title = day.Format("Mon 2 Jan 2006") + ": " + amount(n, "event")
		}
		if day.Day() == 1 {
			h.Months = append(h.Months, label{X: sq.X, Text: day.Format("Jan")})
		}
		h.Days = append(h.Days, sq)
	}
	h.Width = h.Days[len(h.Days)-1].X + squarePitch
	h.Height = squareTop + 7*squarePitch
	h.Label = fmt.Sprintf("%s to %s: %s", first.Format("January"), end.AddDate(0, 0, -1).Format("January 2006"), amount(total, "event"))
	if most > 0 {
		h.Label += ", at most " + number(most) + " on a day"
	}
	return h
}

// weekday returns the day of the week: Monday is 0.
func weekday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }
