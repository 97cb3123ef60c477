package event_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
)

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, change := range map[string]func(*event.Event){
		"a real event":               func(*event.Event) {},
		"nothing but what is needed": func(e *event.Event) { *e = event.Event{Key: e.Key, Title: e.Title, Start: e.Start} },
		"ends when it starts":        func(e *event.Event) { e.End = e.Start },
		"ends on the date it starts": func(e *event.Event) { e.End = mustLocal("2021-06-30") },
		"starts on the date it ends": func(e *event.Event) { e.Start = mustLocal("2021-06-30") },
		"dates alone":                func(e *event.Event) { e.Start, e.End = mustLocal("2021-06-30"), mustLocal("2021-06-30") },
		"midnight to the same date":  func(e *event.Event) { e.Start, e.End = mustLocal("2021-06-30"), mustLocal("2021-06-30T00:00:00") },
		"nonsense in the sale times": func(e *event.Event) { e.SellFrom, e.SellTo = "soon", "2021-09-31T19:50:00" },
		"a zone id twice":            func(e *event.Event) { e.Zones[1].ID = e.Zones[0].ID },
		"a zone without anything":    func(e *event.Event) { e.Zones = []event.Zone{{}} },
		"the largest capacity":       func(e *event.Event) { e.Zones[0].Capacity = math.MaxInt64 },
		"emoji and quotes":           func(e *event.Event) { e.Title = "\"L'été\" <&> 👩🏽‍🎤 \u2028 \ufeff" },
		"ids with separators":        func(e *event.Event) { e.BaseID, e.EventID = "a/b c", "-" },
		"the longest ids":            func(e *event.Event) { e.BaseID, e.EventID = long(event.MaxIDBytes), long(event.MaxIDBytes) },
		"the longest organizer":      func(e *event.Event) { e.OrganizerID = long(event.MaxIDBytes) },
		"the longest title":          func(e *event.Event) { e.Title = long(event.MaxTextBytes) },
		"the longest sale times":     func(e *event.Event) { e.SellFrom, e.SellTo = long(event.MaxTextBytes), long(event.MaxTextBytes) },
		"the longest zone": func(e *event.Event) {
			e.Zones[2].ID, e.Zones[2].Name = long(event.MaxIDBytes), long(event.MaxTextBytes)
		},
		"a time zone of its own":   func(e *event.Event) { e.TimeZone = "Europe/London" },
		"UTC as its own time zone": func(e *event.Event) { e.TimeZone = "UTC" },
		"in order only in its zone": func(e *event.Event) {
			e.TimeZone, e.Start, e.End = "Europe/London", mustLocal("2026-10-25T01:30:00"), mustLocal("2026-10-25T01:15:00")
		},
		"one currency, and none":      func(e *event.Event) { e.Zones[0].Currency, e.Zones[2].Currency = "EUR", "EUR" },
		"a currency of no country":    func(e *event.Event) { e.Zones[0].Currency = "XXX" },
		"available":                   func(e *event.Event) { e.Zones[1].Capacity, e.Zones[1].Available = 0, true },
		"the most zones":              func(e *event.Event) { e.Zones = make([]event.Zone, event.MaxZones) },
		"the longest provider's name": func(e *event.Event) { e.Provider = long(63) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := camela()
			change(&e)
			if err := e.ValidateIn(time.UTC); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	for want, change := range map[string]func(*event.Event){
		`provider name "" is not 1 to 63 of a-z, 0-9, - and _, starting with a letter or digit`: func(e *event.Event) { e.Provider = "" },

		"no base id":                            func(e *event.Event) { e.BaseID = "" },
		"base id of 129 bytes, more than 128":   func(e *event.Event) { e.BaseID = long(event.MaxIDBytes + 1) },
		"base id holds a control character":     func(e *event.Event) { e.BaseID = "2\x0091" },
		"base id is not UTF-8":                  func(e *event.Event) { e.BaseID = "\xff" },
		"no event id":                           func(e *event.Event) { e.EventID = "" },
		"event id of 129 bytes, more than 128":  func(e *event.Event) { e.EventID = long(event.MaxIDBytes + 1) },
		"event id holds a control character":    func(e *event.Event) { e.EventID = "291\x00" },
		"event id is not UTF-8":                 func(e *event.Event) { e.EventID = "291\xc3" },
		"no title":                              func(e *event.Event) { e.Title = "" },
		"title of 1025 bytes, more than 1024":   func(e *event.Event) { e.Title = long(event.MaxTextBytes + 1) },
		"title holds a control character":       func(e *event.Event) { e.Title = "Camela\u0085" },
		"title is not UTF-8":                    func(e *event.Event) { e.Title = "L'\xe9t\xe9" },
		"no start date":                         func(e *event.Event) { e.Start = event.Local{} },
		"organizer id of 129 bytes, more":       func(e *event.Event) { e.OrganizerID = long(event.MaxIDBytes + 1) },
		"organizer id holds a control":          func(e *event.Event) { e.OrganizerID = "\x7f" },
		"sell_from of 1025 bytes, more":         func(e *event.Event) { e.SellFrom = long(event.MaxTextBytes + 1) },
		"sell_to is not UTF-8":                  func(e *event.Event) { e.SellTo = "\xff" },
		"16385 zones, more than 16384":          func(e *event.Event) { e.Zones = make([]event.Zone, event.MaxZones+1) },
		"zone 2 of 3: capacity -1 is negative":  func(e *event.Event) { e.Zones[1].Capacity = -1 },
		"zone 3 of 3: id of 129 bytes, more":    func(e *event.Event) { e.Zones[2].ID = long(event.MaxIDBytes + 1) },
		"zone 1 of 3: name of 1025 bytes, more": func(e *event.Event) { e.Zones[0].Name = long(event.MaxTextBytes + 1) },
		"zone 1 of 3: name holds a control":     func(e *event.Event) { e.Zones[0].Name = "A\n28" },

		`time zone "Local" is not an IANA name such as Europe/Madrid or UTC`: func(e *event.Event) { e.TimeZone = "Local" },
		`time zone "Europe/Lond" is not known`:                               func(e *event.Event) { e.TimeZone = "Europe/Lond" },
		"zone 3 of 3: its currency is GBP, and that of another zone is EUR":  func(e *event.Event) { e.Zones[0].Currency, e.Zones[2].Currency = "EUR", "GBP" },
		`zone 2 of 3: currency "eur" is not a code of three letters`:         func(e *event.Event) { e.Zones[1].Currency = "eur" },
		`zone 1 of 3: currency "EURO" is not`:                                func(e *event.Event) { e.Zones[0].Currency = "EURO" },
		"zone 2 of 3: available says that the number of tickets is unknown":  func(e *event.Event) { e.Zones[1].Available = true },

		"ends 2021-06-30T20:59:59, before its start 2021-06-30T21:00:00": func(e *event.Event) { e.End = mustLocal("2021-06-30T20:59:59") },
		"ends 2021-06-29, before its start 2021-06-30T21:00:00":          func(e *event.Event) { e.End = mustLocal("2021-06-29") },
		"ends 2021-06-29T23:59:59, before its start 2021-06-30":          func(e *event.Event) { e.Start, e.End = mustLocal("2021-06-30"), mustLocal("2021-06-29T23:59:59") },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			e := camela()
			change(&e)
			if err := e.ValidateIn(time.UTC); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

func TestValidProvider(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"feverup", "a", "0", "a-b_c", "a-", "a_", strings.Repeat("a", 63)} {
		if err := event.ValidProvider(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "-a", "_a", "A", "a.b", "a/b", "a b", "a\x00", "a\n", "é", strings.Repeat("a", 64)} {
		if err := event.ValidProvider(name); err == nil {
			t.Errorf("%q can name a provider", name)
		}
	}
}

// TestGenerated keeps the generators honest: the properties are about valid events.
func TestGenerated(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent.Draw(t, "event")
		if err := e.ValidateIn(time.UTC); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPriceRange(t *testing.T) {
	t.Parallel()
	zone := func(capacity int64, price string) event.Zone {
		z := event.Zone{Capacity: capacity}
		if price != "" {
			z.Price = mustPrice(price)
		}
		return z
	}
	for _, test := range []struct {
		name            string
		zones           []event.Zone
		soldOut         bool
		lowest, highest string
	}{
		{"Camela, answer 1", []event.Zone{zone(243, "20.00"), zone(100, "15.00"), zone(90, "30.00")}, false, "15", "30"},
		{"Camela, answer 3: a zone has sold out", []event.Zone{zone(200, "20.00"), zone(0, "15.00"), zone(80, "30.00")}, false, "20", "30"},
		{"Pantomima Full", []event.Zone{zone(2, "55.00")}, false, "55", "55"},
		{"Los Morancos, answer 1", []event.Zone{zone(2, "75.00"), zone(16, "65.00")}, false, "65", "75"},
		{"Los Morancos, answer 3", []event.Zone{zone(0, "75.00"), zone(12, "65.00")}, false, "65", "65"},
		{"no zones", nil, false, "", ""},
		{"every zone has sold out", []event.Zone{zone(0, "75.00"), zone(0, "65.00")}, false, "", ""},
		{"the event is marked as sold out", []event.Zone{zone(2, "75.00"), zone(12, "65.00")}, true, "", ""},
		{"no price is known", []event.Zone{zone(2, ""), zone(12, "")}, false, "", ""},
		{"an unknown price is no price of 0", []event.Zone{zone(2, ""), zone(12, "65.00"), zone(3, "")}, false, "65", "65"},
		{"free of charge", []event.Zone{zone(2, "0.00"), zone(12, "65.00")}, false, "0", "65"},
		{"all free of charge", []event.Zone{zone(2, "0")}, false, "0", "0"},
		{"compared as numbers", []event.Zone{zone(1, "9.5"), zone(1, "10.25"), zone(1, "100")}, false, "9.5", "100"},
		{"available, nobody knows how many", []event.Zone{zone(0, "75.00"), {Available: true, Price: mustPrice("65.00")}}, false, "65", "65"},
		{"available, and others with a number", []event.Zone{zone(2, "75.00"), {Available: true, Price: mustPrice("65.00")}}, false, "65", "75"},
		{"available without a price", []event.Zone{zone(0, "75.00"), {Available: true}}, false, "", ""},
		{"available, and the event is marked as sold out", []event.Zone{{Available: true, Price: mustPrice("65.00")}}, true, "", ""},
		{"a capacity that is not valid", []event.Zone{zone(-1, "1"), zone(1, "2")}, false, "2", "2"},
	} {
		e := event.Event{Zones: test.zones, SoldOut: test.soldOut}
		if lowest, highest := e.PriceRange(); lowest.String() != test.lowest || highest.String() != test.highest {
			t.Errorf("%s: %q to %q, want %q to %q", test.name, lowest, highest, test.lowest, test.highest)
		}
		slices.Reverse(test.zones)
		if lowest, highest := e.PriceRange(); lowest.String() != test.lowest || highest.String() != test.highest {
			t.Errorf("%s, in reverse: %q to %q, want %q to %q", test.name, lowest, highest, test.lowest, test.highest)
		}
	}
}
