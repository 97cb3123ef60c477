//go:build linux

package main

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// A window is what a search asks for, in Unix seconds: events that start at from or later and end
// at to or earlier. With overlap it asks for those that are on at some time from from to to.
type window struct {
	from, to int64
	overlap  bool
}

func (w window) has(e event) bool {
	if w.overlap {
		return e.start <= w.to && e.end >= w.from
	}
	return e.start >= w.from && e.end <= w.to
}

// windows returns random windows over the events of d. Their answers have about so many events
// on average. If d has no more events than that, each window has all of them.
func windows(d dataset, overlap bool, events, count int) []window {
	random := rand.New(rand.NewPCG(uint64(len(d)), uint64(events))) //nolint:gosec // the same each time, on purpose
	first, last := d[0].start, d[len(d)-1].start
	// There is one event an hour, and the last ones of a window end after it.
	width := int64(events)*3600 + meanDuration*60
	if overlap { // as many more are found as are on at one moment
		width = int64(events)*3600 - d.meanDuration()
	}
	var all []window
	for range count {
		if events >= len(d) {
			const year = 365 * 24 * 3600
			all = append(all, window{first - random.Int64N(year), last + year + random.Int64N(year), overlap})
			continue
		}
		from := first + random.Int64N(last-first-width)
		all = append(all, window{from, from + width, overlap})
	}
	return all
}

// meanDuration returns the mean duration of the events in seconds.
func (d dataset) meanDuration() int64 {
	sum := int64(0)
	for _, e := range d {
		sum += e.end - e.start
	}
	return sum / int64(len(d))
}

// query returns the query string of a search for the window, in pages of limit events, or in one
// answer when limit is 0.
func (w window) query(limit int) string {
	moment := func(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
	query := "starts_at=" + moment(w.from) + "&ends_at=" + moment(w.to)
	if w.overlap {
		query += "&match=overlap"
	}
	if limit > 0 {
		query += "&limit=" + strconv.Itoa(limit)
	}
	return query
}

// request returns a request for a path and a query, byte for byte.
func request(path, query string, gzip bool) []byte {
	request := "GET " + path + "?" + query + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	if gzip {
		request += "Accept-Encoding: gzip\r\n"
	}
	return []byte(request + "\r\n")
}
