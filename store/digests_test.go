package store

import (
	"testing"

	"fever/event"
)

// TestDigestsIndex finds the places of events, and nothing for keys that are none of theirs.
func TestDigestsIndex(t *testing.T) {
	t.Parallel()
	var digests Digests
	keys := []event.Key{{Provider: "a", BaseID: "1", EventID: "2"}, {Provider: "a", BaseID: "12", EventID: "3"}, {Provider: "b", BaseID: "1", EventID: "2"}}
	for _, k := range keys {
		if err := digests.Add(k.Bytes(), Digest{}); err != nil {
			t.Fatal(err)
		}
	}
	for want, k := range keys {
		if at, ok := digests.Index(k); !ok || at != want || digests.All[at].Key != k {
			t.Errorf("%s is at %d (%v), want %d", k, at, ok, want)
		}
	}
	for _, k := range []event.Key{{}, {Provider: "a", BaseID: "1", EventID: "23"}, {Provider: "c", BaseID: "1", EventID: "2"}} {
		if at, ok := digests.Index(k); ok {
			t.Errorf("%s is at %d", k, at)
		}
	}
	if _, ok := new(Digests).Index(keys[0]); ok {
		t.Error("the zero value has an event")
	}
}
