//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
)

// What is measured.
var (
	storedCounts = []int{5_000, 1_000_000}
	answerSizes  = []int{5, 32, 137, 5_000} // events in an answer, on the average
	rates        = []int{5_000, 10_000}     // requests per second
)

const (
	connections     = 64  // that are always busy
	openConnections = 256 // for requests at a rate, in case so many are under way
	weekEvents      = 166 // in the answer of a window of a week
	idle, ingesting = "idle", "ingest"
)

// A measure is one attack, with a sample of each turn.
type measure struct {
	Server   string // fever, or which bare handler
	Stored   int    // events; 0: the bare handler
	Size     int    // events in an answer, about
	Encoding string
	State    string // at a rate: idle, or ingesting
	attack   attack
	lesson   *lesson
	during   func(context.Context, func() error) error // what else happens; nil: nothing
	samples  []sample
}

// Which server a measure is of.
const (
	fever = "fever"
	plain = "bare"
	alike = "bare, built alike"
)

// name returns what -only matches.
func (m *measure) name() string {
	if m.attack.rate > 0 {
		return fmt.Sprintf("open/%d/%d/%s", m.attack.rate, m.Stored, m.State)
	}
	return fmt.Sprintf("search/%d/%d/%s", m.Stored, m.Size, m.Encoding)
}

// plan lists the measures. Those of one size come with one of the bare handler.
func (b *bench) plan() error {
	add := func(group ...*measure) {
		group = slices.DeleteFunc(group, func(m *measure) bool { return m.Server == fever && !b.only.MatchString(m.name()) })
		if slices.ContainsFunc(group, func(m *measure) bool { return m.Server == fever }) {
			b.measures = append(b.measures, group...)
		}
	}
	for _, size := range answerSizes {
		steady := attack{connections: connections, warm: b.warm, length: b.steady}
		group := []*measure{{Server: plain, Size: size, Encoding: identity, attack: steady}}
		for i, stored := range storedCounts {
			group = append(group, &measure{Server: fever, Stored: stored, Size: size, Encoding: identity, attack: steady})
			if i == 0 {
				group = append(group, &measure{Server: alike, Size: size, Encoding: identity, attack: steady})
			}
			group = append(group, &measure{Server: fever, Stored: stored, Size: size, Encoding: gzipped, attack: steady})
		}
		add(group...)
	}
	for _, rate := range rates {
		paced := attack{connections: openConnections, rate: rate, warm: b.warm, length: b.paced}
		long := paced
		long.length, long.changing = b.ingest, true
		add(
			&measure{Server: plain, Size: weekEvents, Encoding: identity, State: idle, attack: paced},
			&measure{Server: fever, Stored: storedCounts[0], Size: weekEvents, Encoding: identity, State: idle, attack: paced},
			&measure{Server: fever, Stored: storedCounts[1], Size: weekEvents, Encoding: identity, State: idle, attack: paced},
			&measure{Server: fever, Stored: storedCounts[0], Size: weekEvents, Encoding: identity, State: ingesting, attack: long},
		)
	}
	if len(b.measures) == 0 {
		return fmt.Errorf("-only %q leaves nothing; names are like search/5000/32/gzip and open/10000/5000/ingest", b.only)
	}
	return nil
}
