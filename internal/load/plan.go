//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// What is measured.
var (
	storedCounts = []int{5_000, 1_000_000}
	answerSizes  = []int{5, 32, 137, 5_000} // events in an answer, on the average
	overlapSizes = []int{32, 137, 5_000}    // no window overlaps fewer than those that are on at one moment
	pageSizes    = []int{32, 137}           // events in a page
	rates        = []int{5_000, 10_000}     // requests per second
)

const (
	connections     = 64  // that are always busy
	openConnections = 256 // for requests at a rate, in case so many are under way
	weekEvents      = 166 // in the answer of a window of a week
	pagesOfAnswer   = 20  // about
	idle, ingesting = "idle", "ingest"
)

// A stock is which events a server has stored.
type stock struct {
	Stored int  `json:"stored,omitempty"` // how many; 0: it is not fever
	Months bool `json:"months,omitempty"` // those of which one in monthsShare lasts for months
}

// first returns the number of the first event.
func (s stock) first() int {
	if s.Months {
		return monthsFrom
	}
	return 0
}

func (s stock) label() string {
	switch {
	case s.Stored == 0:
		return "-"
	case s.Months:
		return strconv.Itoa(s.Stored) + "-months"
	}
	return strconv.Itoa(s.Stored)
}

// A key says what is measured.
type key struct {
	Server string `json:"server"` // fever, or what it is compared with
	stock
	Kind     string `json:"kind"` // of the searches
	Size     int    `json:"size"` // events in an answer, about
	Encoding string `json:"encoding"`
	Rate     int    `json:"rate,omitempty"`  // at which requests are sent; 0: as they are answered
	State    string `json:"state,omitempty"` // at a rate: idle, or ingesting, or beside one that fetches the same
}

// of returns the key of what a server that is not fever does with a body of that size.
func (k key) of(server string) key {
	return key{Server: server, Kind: within, Size: k.Size, Encoding: identity, Rate: k.Rate, State: k.State}
}

// Which server a measure is of.
const (
	fever = "fever"
	plain = "bare"
	alike = "bare, built alike"
	nginx = "nginx"
)

// Kinds of searches.
const (
	within  = "search"
	overlap = "overlap" // match=overlap
	pages   = "pages"   // one page after the other, of an answer of pagesOfAnswer
)

// A measure is one attack, with a sample of each turn.
type measure struct {
	key
	attack  attack
	lesson  *lesson
	during  func(context.Context, func() error) error // what else happens; nil: nothing
	samples []sample
}

// name returns what -only matches.
func (m *measure) name() string {
	if m.Rate > 0 {
		return fmt.Sprintf("open/%d/%s/%s", m.Rate, m.label(), m.State)
	}
	return fmt.Sprintf("%s/%s/%d/%s", m.Kind, m.label(), m.Size, m.Encoding)
}

// jobName is what -only matches for the memory that a job takes.
const jobName = "job/changed"

// plan lists the measures. Those of one size come with one of each server that fever is compared
// with.
func (b *bench) plan() error {
	add := func(servers []string, attack attack, keys ...key) {
		keys = slices.DeleteFunc(keys, func(k key) bool { return !b.only.MatchString((&measure{key: k}).name()) })
		if len(keys) == 0 {
			return
		}
		for i, k := range keys {
			b.measures = append(b.measures, &measure{key: k, attack: attack})
			if i > 0 {
				continue
			}
			for _, server := range servers { // beside the first, since ratios to it are the closest
				if server != nginx || b.nginxPath != "" {
					b.measures = append(b.measures, &measure{key: k.of(server), attack: attack})
				}
			}
		}
	}
	few, many, long := stock{Stored: storedCounts[0]}, stock{Stored: storedCounts[1]}, stock{Stored: storedCounts[1], Months: true}
	for _, size := range answerSizes {
		var keys []key
		search := func(stored stock, kind, encoding string) {
			keys = append(keys, key{Server: fever, stock: stored, Kind: kind, Size: size, Encoding: encoding})
		}
		for _, stored := range []stock{few, many} {
			search(stored, within, identity)
			if slices.Contains(overlapSizes, size) {
				search(stored, overlap, identity)
			}
			search(stored, within, gzipped)
			if slices.Contains(pageSizes, size) {
				search(stored, pages, identity)
			}
		}
		if slices.Contains(overlapSizes, size) {
			search(long, within, identity)
			search(long, overlap, identity)
		}
		add([]string{plain, alike, nginx}, attack{connections: connections, warm: b.warm, length: b.steady}, keys...)
	}
	for _, rate := range rates {
		paced := attack{connections: openConnections, rate: rate, warm: b.warm, length: b.paced}
		week := key{Server: fever, stock: few, Kind: within, Size: weekEvents, Encoding: identity, Rate: rate, State: idle}
		crowded, busy := week, week
		crowded.stock, busy.State = many, ingesting
		add([]string{plain, nginx}, paced, week, crowded)
		paced.length, paced.changing = b.ingest, true
		add([]string{plain}, paced, busy)
	}
	b.weighJobs = b.only.MatchString(jobName)
	if len(b.measures) == 0 && !b.weighJobs {
		return fmt.Errorf("-only %q leaves nothing; names are like search/5000/32/gzip, overlap/1000000-months/32/identity, pages/5000/32/identity, open/10000/5000/ingest and %s", b.only, jobName)
	}
	return nil
}
