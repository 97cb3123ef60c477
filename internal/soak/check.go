//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"fever/internal/harness"
)

// A checker checks the answers to one client, in their order.
type checker struct {
	market *market
	seen   map[*source]int // the latest version seen of each
}

func newChecker(m *market) *checker { return &checker{m, make(map[*source]int)} }

// check checks an answer to a search for the hours from first up to end. It must have all
// events, in order, and those of one provider in the state after one version of its feed. A
// client must never see an older version than before.
func (c *checker) check(body []byte, first, end int) error {
	var answer harness.Answer
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&answer); err != nil {
		return fmt.Errorf("an answer that is no JSON: %w: %.200s", err, body)
	}
	if answer.Data == nil || answer.Error != nil {
		return fmt.Errorf("an answer of another shape: %.200s", body)
	}
	if len(answer.Data.Events) != end-first {
		return fmt.Errorf("%d events are found in hours %d to %d", len(answer.Data.Events), first, end)
	}
	return c.events(answer.Data.Events, first)
}

// events checks the events from an hour on, provider by provider.
func (c *checker) events(found []harness.Summary, hour int) error {
	for len(found) > 0 {
		s, n := c.market.at(hour)
		own := min(len(found), s.events-n)
		if err := c.provider(s, found[:own], n); err != nil {
			return err
		}
		found, hour = found[own:], hour+own
	}
	return nil
}

// provider checks the events of one provider from event first on.
func (c *checker) provider(s *source, found []harness.Summary, first int) error {
	versions := make([]int, len(found))
	latest := 0
	for i, got := range found {
		_, text, _ := strings.Cut(got.Title, titleVersion)
		v, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("a title that nobody has: %q", got.Title)
		}
		if want := s.summary(first+i, v); got != want {
			return fmt.Errorf("found %+v, not %+v", got, want)
		}
		if !s.mayBeFound(v) {
			return fmt.Errorf("found %+v, of a version that was never sent to its end", got)
		}
		versions[i], latest = v, max(latest, v)
	}
	for i, v := range versions {
		n := first + i
		if absent(n, v) || (v < latest) != absent(n, latest) {
			return fmt.Errorf("%s: event %d is of version %d beside others of version %d", s.provider, n, v, latest)
		}
	}
	if len(found) > 1 { // a single one may be absent from the latest
		if latest < c.seen[s] {
			return fmt.Errorf("%s: version %d is found after version %d", s.provider, latest, c.seen[s])
		}
		c.seen[s] = latest
	}
	return nil
}
