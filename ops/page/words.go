package page

import (
	"time"

	"github.com/dustin/go-humanize"

	"fever/ops/human"
)

// number writes n with a comma between the thousands.
func number(n int) string { return humanize.Comma(int64(n)) }

// amount writes how many things there are: "1 event", "2,000 events".
func amount(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// size writes a number of bytes: "950 B", "1.2 MB".
func size(n int64) string { return humanize.Bytes(uint64(n)) }

// rough writes a time that people wait for, without parts of a second.
func rough(d time.Duration) string { return human.Duration(d.Round(time.Second)) }

// ago writes how long before now t was.
func ago(now, t time.Time) string {
	if d := now.Sub(t); d >= time.Second {
		return rough(d) + " ago"
	}
	return "just now"
}
