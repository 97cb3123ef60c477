package storetest

import (
	"reflect"
	"slices"

	"pgregory.net/rapid"

	"fever/event"
	"fever/store"
)

// remember adds a change to the history of an event, and forgets the oldest ones if their time is
// over. The events of the model are too small for the bound of bytes.
func (m *Model) remember(key event.Key, c change) {
	if m.keeps == 0 {
		delete(m.history, key)
		return
	}
	all := append(slices.Clone(m.history[key]), c)
	for all[0].at.Before(c.at.Add(-m.keeps)) {
		all = all[1:]
	}
	m.history[key] = all
}

// versions returns what the store must say of an event.
func (m *Model) versions(key event.Key) []store.Version {
	r := m.Records[key]
	all := []store.Version{{Record: r, At: r.LastChanged}}
	for i := len(m.history[key]) - 1; i >= 0; i-- {
		c := m.history[key][i]
		last := &all[len(all)-1]
		last.At, last.Job = c.at, c.job
		c.before.Key, c.before.FirstSeen = key, r.FirstSeen
		all = append(all, store.Version{Record: c.before, At: c.before.LastChanged})
	}
	return all
}

// checkHistory compares the versions of all events.
func (m *Model) checkHistory(t *rapid.T, s *opened) {
	t.Helper()
	for key := range m.Records {
		var got []store.Version
		for v, err := range s.Versions(t.Context(), key) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
		}
		if want := m.versions(key); !reflect.DeepEqual(got, want) {
			t.Fatalf("the versions of %s are\n%+v\nnot\n%+v", key, got, want)
		}
	}
}
