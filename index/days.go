package index

import (
	"bytes"
	"cmp"
	"slices"
	"time"
	"unique"

	"fever/event"
)

// A Day has the number of events of one provider that start on one date.
type Day struct {
	Provider string
	Date     time.Time // the local date, as its midnight in UTC
	Events   int       // 1 or more
}

// Days returns the numbers of events by provider and by the local date of their start, in this
// order. It waits for a change under way. Every change updates the numbers, so Days does not
// read the events.
func (x *Index) Days() []Day {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := make([]Day, 0, len(x.days))
	for key, n := range x.days {
		date, err := time.Parse(time.DateOnly, string(key.date[:]))
		if err == nil {
			all = append(all, Day{key.provider.Value(), date, n})
		}
	}
	slices.SortFunc(all, func(a, b Day) int { return cmp.Or(cmp.Compare(a.Provider, b.Provider), a.Date.Compare(b.Date)) })
	return all
}

// days has the numbers of events, none of which is 0.
type days map[dayKey]int

type dayKey struct {
	provider unique.Handle[string]
	date     [len(time.DateOnly)]byte // as the summary has it
}

func daysOf(entries []*event.Entry) days {
	d := make(days)
	for _, e := range entries {
		d.add(e.Provider, e.Summary, 1)
	}
	return d
}

// startDate comes before the date in a summary. A title cannot contain it: its quotes are
// escaped.
var startDate = []byte(`,"start_date":"`)

// add adds n events with this summary. It does not count events without a provider.
func (d days) add(provider unique.Handle[string], summary []byte, n int) {
	_, date, found := bytes.Cut(summary, startDate)
	if !found || provider == (unique.Handle[string]{}) {
		return
	}
	key := dayKey{provider: provider}
	copy(key.date[:], date)
	if d[key] += n; d[key] == 0 {
		delete(d, key)
	}
}
