package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// number writes n with a comma between the thousands.
func number(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// amount writes how many things there are: "1 event", "2,000 events".
func amount(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// span writes how long something took, with two or three digits: "85 µs", "1.2 s".
func span(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return tenths(float64(d)/float64(time.Millisecond)) + " ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return tenths(d.Seconds()) + " s"
	default:
		return rough(d)
	}
}

// rough writes a time that people wait for, to the second or to a part in fifty: "42 s",
// "3 min 20 s", "2 h 5 min", "3 days".
func rough(d time.Duration) string {
	d = d.Round(time.Second)
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 10*time.Minute && d%time.Minute != 0:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < day && d%time.Hour >= time.Minute:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d < day:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return amount(int(d/day), "day")
	}
}

// ago writes how long before now t was.
func ago(now, t time.Time) string {
	if d := now.Sub(t); d >= time.Second {
		return rough(d) + " ago"
	}
	return "just now"
}

// size writes a number of bytes: "950 B", "1.2 MB".
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value := float64(n)
	unit := -1
	for value >= 999.95 {
		value /= 1000
		unit++
	}
	return tenths(value) + " " + "kMGTPE"[unit:unit+1] + "B"
}

// tenths writes one digit after the point, unless it is 0.
func tenths(v float64) string { return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") }
