package publish

import (
	"cmp"
	"io"
	"strings"
	"time"
	_ "time/tzdata" // for a machine that has no time zones
	"unicode"

	"pgregory.net/rapid"

	"fever/event"
	"fever/provider/feed"
)

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// local reads a local time; of "" it makes the zero value.
func local(s string) (l event.Local) {
	if err := l.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return l
}

var (
	madrid = must(event.LoadLocation("Europe/Madrid"))
	price  = func(s string) event.Price { return must(event.ParsePrice(s)) }
)

// pantomima is an event with a value in each of its fields.
func pantomima() event.Record {
	return event.Record{
		Event: event.Event{
			Key:   event.Key{Provider: "feverup", BaseID: "322", EventID: "1642"},
			Title: `Pantomima Full; "¡en, directo!" \ 2`, OrganizerID: "17", TimeZone: "Europe/London",
			Start: local("2026-11-20T20:00:00"), End: local("2026-11-20T21:30:00"), SellFrom: "2026-01-01T00:00:00", SellTo: "when it begins",
			Zones: []event.Zone{
				{ID: "311", Name: "A42", Capacity: 2, Price: price("55.10"), Currency: "EUR", Numbered: true},
				{ID: "312", Name: "Grada", Price: price("20"), Currency: "EUR"},
				{Price: price("0.5"), Currency: "EUR", Available: true},
				{ID: "314"},
			},
		},
		FirstSeen: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), LastChanged: time.Date(2026, 11, 1, 2, 3, 4, 5e6, time.UTC),
		Current: true,
	}
}

// night returns an event with these times.
func night(zone, start, end string) event.Record {
	r := pantomima()
	r.TimeZone, r.Start, r.End = zone, local(start), local(end)
	return r
}

// nights are events whose times are hard to write, of a provider in Madrid.
var nights = map[string]event.Record{
	"no end":                                night("", "2026-11-20T20:00:00", ""),
	"ends when it starts":                   night("", "2026-11-20T20:00:00", "2026-11-20T20:00:00"),
	"a day":                                 night("", "2026-11-20", "2026-11-20"),
	"a day, no end":                         night("", "2026-11-20", ""),
	"days, in another zone":                 night("Asia/Tokyo", "2026-11-20", "2026-11-22"),
	"a day, and a time on another":          night("", "2026-11-20", "2026-11-22T03:00:00"),
	"a day, until its midnight":             night("", "2026-11-20", "2026-11-20T00:00:00"),
	"a time, and a day":                     night("", "2026-11-20T20:00:00", "2026-11-21"),
	"a time, until the end of its day":      night("", "2026-11-20T20:00:00", "2026-11-20"),
	"the first of two":                      night("", "2026-10-25T02:30:00", "2026-10-25T04:00:00"),
	"the second of two":                     night("", "2026-10-25T02:30:00[fold=1]", "2026-10-25T04:00:00"),
	"ends at the second":                    night("", "2026-10-25T02:45:00", "2026-10-25T02:15:00"),
	"ends at the second, as it says":        night("", "2026-10-25T02:45:00", "2026-10-25T02:50:00[fold=1]"),
	"the second of two, in another zone":    night("America/New_York", "2026-11-01T01:30:00[fold=1]", "2026-11-01T01:45:00[fold=1]"),
	"a time that is skipped":                night("", "2026-03-29T02:30:00", "2026-03-29T04:00:00"),
	"skipped, and its end is before it":     night("", "2026-03-29T02:30:00", "2026-03-29T03:10:00"),
	"ends at a time that is skipped":        night("", "2026-03-29T01:30:00", "2026-03-29T02:30:00"),
	"a midnight that is skipped":            night("America/Santiago", "2026-09-06T00:00:00", "2026-09-06"),
	"a day without midnight":                night("America/Santiago", "2026-09-06", "2026-09-06"),
	"the day when midnight comes twice":     night("America/Santiago", "2026-04-04", "2026-04-04"),
	"a zone without an area":                night("UTC", "2026-11-20T20:00:00", "2026-11-20T21:00:00"),
	"a zone that is an abbreviation":        night("CET", "2026-07-20T20:00:00", ""),
	"half an hour of summer":                night("Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-05T01:50:00[fold=1]"),
	"negative summer time":                  night("Europe/Dublin", "2026-07-20T20:00:00", "2026-12-20T21:00:00"),
	"before clocks were set by the hour":    night("Europe/Amsterdam", "1920-07-20T20:00:00", "1920-07-20T21:00:00"),
	"before zones":                          night("Europe/Madrid", "1890-07-20T20:00:00", "1890-07-20T21:00:00"),
	"later than anybody knows":              night("Europe/Madrid", "2999-07-20T20:00:00", "2999-07-21"),
	"an end that nobody knows":              night("", "2026-11-20T20:00:00", "9999-12-31"),
	"the last second":                       night("America/New_York", "9999-12-31T23:59:59", "9999-12-31T23:59:59"),
	"a day, no end that anybody knows":      night("Pacific/Kiritimati", "2026-11-20", "9999-12-31"),
	"the last day":                          night("Etc/GMT+12", "9999-12-31", "9999-12-31"),
	"the last days":                         night("Pacific/Pago_Pago", "9999-12-28", "9999-12-31"),
	"the first second":                      night("Pacific/Kiritimati", "0000-01-01T00:00:00", "0000-01-01"),
	"the first days":                        night("Pacific/Pago_Pago", "0000-01-01", "0000-01-02"),
	"an offset of a quarter":                night("Asia/Kathmandu", "2026-07-20T20:00:00", "2026-07-21T01:00:00"),
	"a day that is not there":               night("Pacific/Apia", "2011-12-29T20:00:00", "2011-12-31T01:00:00"),
	"a zone of an offset":                   night("Etc/GMT+5", "2026-07-20T20:00:00", "2026-07-21T01:00:00"),
	"a zone of an area, a place and a part": night("America/Argentina/Buenos_Aires", "2026-07-20T20:00:00", ""),
}

// Generators of events that can be stored.
var (
	printable = func(s string) bool {
		return strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
	}
	anyID    = rapid.StringN(1, 20, event.MaxIDBytes).Filter(printable)
	anyText  = rapid.StringN(0, 200, event.MaxIDBytes*4).Filter(printable)
	anyLocal = rapid.Custom(func(t *rapid.T) event.Local {
		text := time.Unix(rapid.Int64Range(1e9, 3e9).Draw(t, "second"), 0).UTC().Format("2006-01-02T15:04:05")
		if rapid.Bool().Draw(t, "near a change") {
			text = rapid.SampledFrom([]string{"2026-10-25T0", "2026-03-29T0", "2027-10-31T0", "2026-11-01T0"}).Draw(t, "day") +
				rapid.StringMatching("[0-3]:[0-5]0:00").Draw(t, "time")
		}
		return local(rapid.SampledFrom([]string{text, text[:len(time.DateOnly)], text + "[fold=1]"}).Draw(t, "form"))
	})
	anyZone = rapid.Custom(func(t *rapid.T) event.Zone {
		z := event.Zone{
			ID: rapid.OneOf(rapid.Just(""), anyID).Draw(t, "id"), Name: rapid.OneOf(rapid.Just(""), anyID).Draw(t, "name"),
			Numbered: rapid.Bool().Draw(t, "numbered"), Currency: rapid.SampledFrom([]string{"", "EUR"}).Draw(t, "currency"),
		}
		if z.Available = rapid.Bool().Draw(t, "available"); !z.Available {
			z.Capacity = rapid.Int64Range(0, 3).Draw(t, "capacity")
		}
		if rapid.Bool().Draw(t, "priced") {
			z.Price = price(rapid.StringMatching(`[0-9]{1,9}(\.[0-9]{1,9})?`).Draw(t, "price"))
		}
		return z
	})
	anyRecord = rapid.Custom(func(t *rapid.T) event.Record {
		r := pantomima()
		r.BaseID, r.EventID = anyID.Draw(t, "base id"), anyID.Draw(t, "event id")
		if rapid.Bool().Draw(t, "alone") {
			r.EventID = r.BaseID
		}
		r.Title, r.OrganizerID = anyText.Filter(func(s string) bool { return s != "" }).Draw(t, "title"), rapid.OneOf(rapid.Just(""), anyID).Draw(t, "organizer")
		r.TimeZone = rapid.SampledFrom([]string{"", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "UTC"}).Draw(t, "time zone")
		r.Start = anyLocal.Draw(t, "start")
		r.End = rapid.OneOf(rapid.Just(event.Local{}), rapid.Just(r.Start), anyLocal).Draw(t, "end")
		r.SellFrom, r.SellTo = anyText.Draw(t, "sell from"), rapid.OneOf(anyText, rapid.Just("2026-10-25T02:30:00")).Draw(t, "sell to")
		r.SoldOut, r.Current = rapid.Bool().Draw(t, "sold out"), rapid.Bool().Draw(t, "current")
		r.Zones = rapid.SliceOfN(anyZone, 0, 3).Draw(t, "zones")
		return r
	}).Filter(func(r event.Record) bool { return r.ValidateIn(madrid) == nil })
)

// decode reads a document as another fever does, whose provider of the same name is elsewhere.
func decode(t rapid.TB, format feed.Format, text string) *feed.Feed {
	t.Helper()
	elsewhere := must(event.LoadLocation("Pacific/Auckland"))
	f, err := feed.Decode(&feed.Document{Body: io.NopCloser(strings.NewReader(text)), Op: "read"}, format, "feverup", elsewhere)
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if f.Rejected > 0 {
		t.Fatalf("%+v:\n%s", f.Rejections, text)
	}
	return f
}

// readBack is a record of a provider in Madrid as another fever has it: its times are those of
// Madrid there too, and it has no history.
func readBack(r event.Record) event.Record {
	r.TimeZone = cmp.Or(r.TimeZone, madrid.String())
	r.FirstSeen, r.LastChanged = time.Time{}, time.Time{}
	if len(r.Zones) == 0 {
		r.Zones = nil
	}
	return r
}

// recordsOf are the events of a feed.
func recordsOf(f *feed.Feed) (records []event.Record) {
	for _, e := range f.Events {
		records = append(records, readBack(event.Record{Event: e, Current: true}))
	}
	for _, e := range f.Past {
		records = append(records, readBack(event.Record{Event: e}))
	}
	return records
}
