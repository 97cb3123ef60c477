package event_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"fever/event"
)

func BenchmarkNewEntry(b *testing.B) {
	for _, zone := range []string{"UTC", "Europe/Madrid"} {
		b.Run(zone, func(b *testing.B) {
			loc := location(b, zone)
			// One of many, so that no cache holds just the right answer.
			events := make([]event.Event, 1<<12)
			for i := range events {
				e := camela()
				e.EventID = fmt.Sprint(i)
				e.Start = mustLocal(fmt.Sprintf("%d-%02d-%02dT21:00:00", 2021+i%16, 1+i%12, 1+i%28))
				e.End = mustLocal(fmt.Sprintf("%d-%02d-%02dT22:00:00", 2021+i%16, 1+i%12, 1+i%28))
				events[i] = e
			}
			if s := event.NewEntry(&events[0], loc).Summary; !json.Valid(s) {
				b.Fatalf("not JSON: %s", s)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				event.NewEntry(&events[i%len(events)], loc)
			}
		})
	}
}

func BenchmarkKeyID(b *testing.B) {
	k := event.Key{Provider: "feverup", BaseID: "291", EventID: "291"}
	if k.ID().Version() != 5 {
		b.Fatal("not a version 5 UUID")
	}
	b.ReportAllocs()
	for b.Loop() {
		k.ID()
	}
}

func BenchmarkParsePrice(b *testing.B) {
	const text = "1234.50"
	if p, err := event.ParsePrice(text); err != nil || p.String() != "1234.5" {
		b.Fatalf("%v, %v", p, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.ParsePrice(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseLocal(b *testing.B) {
	const text = "2021-06-30T21:00:00"
	if l, err := event.ParseLocal(text); err != nil || l.String() != text {
		b.Fatalf("%v, %v", l, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.ParseLocal(text); err != nil {
			b.Fatal(err)
		}
	}
}
