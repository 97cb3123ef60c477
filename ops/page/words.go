package page

import (
	"time"

	"github.com/dustin/go-humanize"

	"fever/ops/human"
)

// number writes n with a comma between the thousands.
func number(n int) string { return humanize.Comma(int64(n)) }

// amount writes a number of things: "1 event", "2,000 events".
func amount(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// size writes a number of bytes: "950 B", "1.2 MB".
func size(n int64) string { return humanize.Bytes(uint64(n)) }

// rough writes a duration in whole seconds, for people who wait.
func rough(d time.Duration) string { return human.Duration(d.Round(time.Second)) }

// ago writes how long ago t was.
func ago(now, t time.Time) string {
	if d := now.Sub(t); d >= time.Second {
		return rough(d) + " ago"
	}
	return "just now"
}
