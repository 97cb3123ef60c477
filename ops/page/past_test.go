package page

import (
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/explain"
)

// TestPast draws what an event cost and how many tickets it had.
func TestPast(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 11, 0, 0, 0, 0, time.UTC)
	price := func(text string) event.Price {
		p, err := event.ParsePrice(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	day := func(n int) time.Time { return now.AddDate(0, 0, n-11) }
	p := newPast([]explain.Change{
		{At: day(9), What: []string{"tickets 0, was 50"}, MinPrice: price("20")},
		{At: day(6), What: []string{"prices -, was 40"}, Tickets: 50},
		{At: day(1), MinPrice: price("40"), Tickets: 100},
	}, now)
	if len(p.Steps) != 3 || p.Highest != "40" || p.Most != 100 || !p.Since.Equal(day(1)) {
		t.Errorf("%+v", p)
	}
	// Ten days are 472 units wide. The price is at the top, then unknown, then half as high.
	if want := "M4.0 4.0h236.0M381.6 40.0h94.4"; p.Prices != want {
		t.Errorf("the prices are %s, want %s", p.Prices, want)
	}
	if want := "M4.0 4.0h236.0L240.0 40.0h141.6L381.6 76.0h94.4"; p.Tickets != want {
		t.Errorf("the tickets are %s, want %s", p.Tickets, want)
	}
	if want := "3 versions since 1 Jan 2027 00:00: the lowest price was up to 40, and the tickets left up to 100"; p.Label() != want {
		t.Errorf("it says %q, want %q", p.Label(), want)
	}
	if title := p.Steps[1].Title; title != "6 Jan 2027 00:00: price none, 50 tickets" {
		t.Errorf("a step says %q", title)
	}
	if p := newPast(nil, now); len(p.Steps) != 0 {
		t.Errorf("nothing has changed, and there is %+v", p)
	}
	// A clock that was put back, no price at all, and sold out since ever.
	odd := newPast([]explain.Change{{At: day(20)}, {At: day(12)}}, now)
	if odd.Prices != "" || strings.Contains(odd.Tickets, "-") || strings.Contains(odd.Tickets, "NaN") || odd.Highest != "" {
		t.Errorf("%+v", odd)
	}
}
