//go:build linux

package main

import (
	"math/rand/v2"
	"time"
)

// A window is what a search asks for: events that start at from or later and end at to or
// earlier, in Unix seconds.
type window struct{ from, to int64 }

// windows returns random windows over the events of d. Their answers have about so many events
// on average. If d has no more events than that, each window has all of them.
func windows(d dataset, events, count int) []window {
	random := rand.New(rand.NewPCG(uint64(len(d)), uint64(events))) //nolint:gosec // the same each time, on purpose
	first, last := d[0].start, d[len(d)-1].start
	var all []window
	for range count {
		if events >= len(d) {
			const year = 365 * 24 * 3600
			all = append(all, window{first - random.Int64N(year), last + year + random.Int64N(year)})
			continue
		}
		// There is one event an hour, and the last ones of a window end after it.
		width := int64(events)*3600 + meanDuration*60
		from := first + random.Int64N(last-first-width)
		all = append(all, window{from, from + width})
	}
	return all
}

func (w window) query() string {
	moment := func(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
	return "starts_at=" + moment(w.from) + "&ends_at=" + moment(w.to)
}

// request returns the request of the window at a path, byte for byte.
func (w window) request(path string, gzip bool) []byte {
	request := "GET " + path + "?" + w.query() + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	if gzip {
		request += "Accept-Encoding: gzip\r\n"
	}
	return []byte(request + "\r\n")
}
