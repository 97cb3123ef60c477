package event_test

import (
	"strings"
	"time"
	_ "time/tzdata" // for a machine that has no time zones

	"pgregory.net/rapid"

	"fever/event"
)

// camela is the first event of a real feed: no organizer, three zones.
func camela() event.Event {
	return event.Event{
		Key:      event.Key{Provider: "feverup", BaseID: "291", EventID: "291"},
		Title:    "Camela en concierto",
		Start:    mustLocal("2021-06-30T21:00:00"),
		End:      mustLocal("2021-06-30T22:00:00"),
		SellFrom: "2020-07-01T00:00:00",
		SellTo:   "2021-06-30T20:00:00",
		Zones: []event.Zone{
			{ID: "40", Name: "Platea", Capacity: 243, Price: mustPrice("20.00"), Numbered: true},
			{ID: "38", Name: "Grada 2", Capacity: 100, Price: mustPrice("15.00")},
			{ID: "30", Name: "A28", Capacity: 90, Price: mustPrice("30.00"), Numbered: true},
		},
	}
}

// mustLocal reads a local time; of "" it makes the zero value.
func mustLocal(s string) (l event.Local) {
	if err := l.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return l
}

func mustPrice(s string) event.Price {
	p, err := event.ParsePrice(s)
	if err != nil {
		panic(err)
	}
	return p
}

// location is for tests, benchmarks and properties alike.
func location(tb rapid.TB, name string) *time.Location {
	tb.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return loc
}

// Generators of valid values.
var (
	anyText  = rapid.StringN(0, 40, event.MaxIDBytes).Filter(printable)
	anyID    = rapid.StringN(1, 20, event.MaxIDBytes).Filter(printable)
	anyPrice = rapid.Custom(func(t *rapid.T) event.Price {
		return mustPrice(rapid.StringMatching(`[0-9]{1,9}(\.[0-9]{1,9})?`).Draw(t, "price"))
	})
	anyLocal = rapid.Custom(func(t *rapid.T) event.Local {
		second := rapid.Int64Range(-62167219200, 253402300799).Draw(t, "second") // years 0 to 9999
		layout := rapid.SampledFrom([]string{dateTime, time.DateOnly}).Draw(t, "layout")
		text := time.Unix(second, 0).UTC().Format(layout)
		if layout == dateTime && rapid.IntRange(0, 3).Draw(t, "fold") == 0 {
			text += "[fold=1]"
		}
		return mustLocal(text)
	})
	anyKey = rapid.Custom(func(t *rapid.T) event.Key {
		return event.Key{
			Provider: rapid.StringMatching(`[a-z0-9][a-z0-9_-]{0,62}`).Draw(t, "provider"),
			BaseID:   anyID.Draw(t, "base id"),
			EventID:  anyID.Draw(t, "event id"),
		}
	})
	anyZone = rapid.Custom(func(t *rapid.T) event.Zone {
		z := event.Zone{
			ID:       anyText.Draw(t, "zone id"),
			Name:     anyText.Draw(t, "name"),
			Capacity: rapid.Int64Range(0, 1<<62).Draw(t, "capacity"),
			Numbered: rapid.Bool().Draw(t, "numbered"),
		}
		if rapid.Bool().Draw(t, "priced") {
			z.Price = anyPrice.Draw(t, "price")
			z.Currency = rapid.SampledFrom([]string{"", "EUR"}).Draw(t, "currency")
		}
		if rapid.IntRange(0, 3).Draw(t, "available") == 0 {
			z.Capacity, z.Available = 0, true
		}
		return z
	})
	anyEvent = rapid.Custom(func(t *rapid.T) event.Event {
		e := event.Event{
			Key:         anyKey.Draw(t, "key"),
			Title:       anyID.Draw(t, "title"),
			OrganizerID: anyText.Draw(t, "organizer"),
			Start:       anyLocal.Draw(t, "start"),
			SellFrom:    anyText.Draw(t, "sell from"),
			SellTo:      anyText.Draw(t, "sell to"),
			SoldOut:     rapid.Bool().Draw(t, "sold out"),
			Zones:       rapid.SliceOfN(anyZone, 0, 4).Draw(t, "zones"),
		}
		if rapid.Bool().Draw(t, "own time zone") {
			e.TimeZone = rapid.SampledFrom(zones).Draw(t, "time zone")
		}
		switch rapid.IntRange(0, 2).Draw(t, "end") {
		case 0:
			e.End = e.Start
		case 1:
			e.End = anyLocal.Draw(t, "end")
			if e.ValidateIn(time.UTC) != nil {
				e.Start, e.End = e.End, e.Start
			}
		}
		return e
	})
)

func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return true
}

// date and clock return the two parts of a local time; clock is empty when there is
// none.
func date(l event.Local) string {
	date, _, _ := strings.Cut(l.String(), "T")
	return date
}

func clock(l event.Local) string {
	_, clock, _ := strings.Cut(l.String(), "T")
	return strings.TrimSuffix(clock, "[fold=1]")
}
