package cli

import (
	"testing"

	"fever/store"
)

// Scripts read these numbers, and those of the recorded job have no separators either.
func TestSelectedNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sel  store.Selection
		want string
	}{
		{store.Selection{}, "0 events"},
		{store.Selection{Events: 1, Current: 1}, "1 event, 1 of them in the latest snapshot"},
		{store.Selection{Events: 4730, Current: 1234}, "4730 events, 1234 of them in the latest snapshot"},
	} {
		if got := selected(&c.sel); got != c.want {
			t.Errorf("%d events, %d current: %q, want %q", c.sel.Events, c.sel.Current, got, c.want)
		}
	}
	if got, want := count(1000, "outcome of a job", "outcomes of jobs"), "1000 outcomes of jobs"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
