package ical

import (
	"fmt"
	"strconv"
	"strings"
)

const secondsADay = 24 * 60 * 60

// A duration has days of the calendar, which may have 23 or 25 hours, and seconds that pass
// (RFC 5545 section 3.3.6).
type duration struct {
	days    int64
	seconds int64
}

// maxDays bounds a duration. No event lasts for ten years.
const maxDays = 3660

// parseDuration reads a duration such as P1D, P2W, PT1H30M or P1DT2H.
func parseDuration(s string) (duration, error) {
	bad := func() (duration, error) {
		return duration{}, fmt.Errorf("DURATION %.40q is not one like PT1H30M or P1D, of ten years at most", s)
	}
	rest := strings.TrimPrefix(strings.ToUpper(s), "+")
	rest, ok := strings.CutPrefix(rest, "P")
	if !ok || rest == "" {
		return bad()
	}
	var d duration
	timed := false
	for rest != "" {
		if !timed && rest[0] == 'T' && len(rest) > 1 {
			timed, rest = true, rest[1:]
			continue
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil || digits == len(rest) {
			return bad()
		}
		unit, ok := units[unitOf{rest[digits], timed}]
		if !ok {
			return bad()
		}
		d.days += n * unit.days
		d.seconds += n * unit.seconds
		rest = rest[digits+1:]
	}
	if d.days > maxDays || d.seconds > maxDays*secondsADay {
		return bad()
	}
	return d, nil
}

// A unitOf is a letter of a duration, before or after the T.
type unitOf struct {
	letter byte
	timed  bool
}

var units = map[unitOf]duration{
	{'W', false}: {days: 7},
	{'D', false}: {days: 1},
	{'H', true}:  {seconds: 3600},
	{'M', true}:  {seconds: 60},
	{'S', true}:  {seconds: 1},
}
