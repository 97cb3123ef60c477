package human

import (
	"os"
	"testing"
	"time"

	"fever/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                                     "0 s",
		-time.Second:                          "0 s",
		850:                                   "850 ns",
		85 * time.Microsecond:                 "85 µs",
		1234 * time.Microsecond:               "1.2 ms",
		7 * time.Millisecond:                  "7 ms",
		340 * time.Millisecond:                "340 ms",
		1240 * time.Millisecond:               "1.2 s",
		3 * time.Second:                       "3 s",
		42 * time.Second:                      "42 s",
		59*time.Second + 600*time.Millisecond: "1 min",
		200 * time.Second:                     "3 min 20 s",
		42*time.Minute + 10*time.Second:       "42 min",
		time.Hour:                             "1 h",
		125 * time.Minute:                     "2 h 5 min",
		23*time.Hour + 59*time.Minute + 59*time.Second: "23 h 59 min",
		24 * time.Hour: "1 day",
		47 * time.Hour: "1 day",
		80 * time.Hour: "3 days",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%d: %q, not %q", d, got, want)
		}
	}
}
