// Package human writes durations for people. The status page and the commands share it.
package human

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration writes a duration in the two or three digits that matter: "85 µs", "1.2 s",
// "42 s", "3 min 20 s", "2 h 5 min", "3 days". It leaves out seconds from ten minutes on, and
// writes only days from a day on. A negative duration, as after a change of the clock, is 0.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	d = max(d, 0)
	if d >= 10*time.Second {
		d = d.Round(time.Second)
	}
	switch {
	case d == 0:
		return "0 s"
	case d < time.Microsecond:
		return count(d, time.Nanosecond, "ns")
	case d < time.Millisecond:
		return count(d, time.Microsecond, "µs")
	case d < 10*time.Millisecond:
		return tenths(d, time.Millisecond) + " ms"
	case d < time.Second:
		return count(d, time.Millisecond, "ms")
	case d < 10*time.Second:
		return tenths(d, time.Second) + " s"
	case d < time.Minute:
		return count(d, time.Second, "s")
	case d < 10*time.Minute && d%time.Minute > 0:
		return count(d, time.Minute, "min") + " " + count(d%time.Minute, time.Second, "s")
	case d < time.Hour:
		return count(d, time.Minute, "min")
	case d < day && d%time.Hour >= time.Minute:
		return count(d, time.Hour, "h") + " " + count(d%time.Hour, time.Minute, "min")
	case d < day:
		return count(d, time.Hour, "h")
	case d < 2*day:
		return "1 day"
	default:
		return count(d, day, "days")
	}
}

func count(d, unit time.Duration, name string) string { return fmt.Sprintf("%d %s", d/unit, name) }

// tenths writes one digit after the point, unless it is 0.
func tenths(d, unit time.Duration) string {
	return strings.TrimSuffix(strconv.FormatFloat(float64(d)/float64(unit), 'f', 1, 64), ".0")
}
