package bolt

import (
	"reflect"
	"strings"
	"testing"

	"fever/event"
)

func TestValueLimits(t *testing.T) {
	t.Parallel()
	id, text := strings.Repeat("i", event.MaxIDBytes), strings.Repeat("é", event.MaxTextBytes/2)
	e := event.Event{
		Key:   event.Key{Provider: strings.Repeat("p", 63), BaseID: id, EventID: id},
		Title: text, OrganizerID: id, SellFrom: text, SellTo: text,
		Start: local("0000-01-01"), End: local("9999-12-31T23:59:59"),
	}
	for range event.MaxZones {
		e.Zones = append(e.Zones, event.Zone{ID: id, Name: text, Capacity: 1<<63 - 1, Price: price("1234567890.123456789"), Numbered: true})
	}
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	apply(t, s, snapshot(e.Provider, -1e9, e))
	got := records(t, s, everything)
	if len(got) != 1 || !reflect.DeepEqual(got[0].Event, e) || got[0].FirstSeen.Unix() != -1e9 {
		t.Error("an event at all of its limits does not come back")
	}
}
