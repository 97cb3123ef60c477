package index

import (
	"bytes"
	"cmp"
	"slices"
	"time"
	"unique"

	"fever/event"
)

// A Day says how many events of one provider start on one date.
type Day struct {
	Provider string
	Date     time.Time // where the event is, given as its midnight in UTC
	Events   int       // 1 or more
}

// Days counts all events by provider and by the local date that they start on, in this
// order. It waits for a change that is being made. The counts are kept up with every
// change, so it does not look at the events.
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

// days are numbers of events, none of which is 0.
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

// startDate is before the date in a summary. No title can hold it: quotes are escaped there.
var startDate = []byte(`,"start_date":"`)

// add adds n events with this summary. An entry that names no provider is not counted.
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
