package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"fever/internal/harness"
)

// searches ask a replica for everything, again and again.
type searches struct {
	asking  sync.Mutex // held while a search runs
	address string     // of the replica; empty: nobody asks

	state   sync.Mutex
	shown   versions        // what the newest answer had
	tag     string          // of the newest answer
	body    []byte          // likewise
	mayGo   int             // how often what is shown may go back
	went    int             // how often it did
	took    []took          // of each search
	failed  []failure       // searches
	renewed []time.Duration // when another version was shown
}

type versions = [providers]int

// took is how long a search took.
type took struct{ at, time time.Duration }

// A failure is a search that failed, or an answer that is wrong.
type failure struct {
	at  time.Duration
	err error
}

// ask has searches go to an address from now on, or nowhere. When it returns no search runs at the
// address before, which it returns.
func (s *searches) ask(address string) (before string) {
	s.asking.Lock()
	defer s.asking.Unlock()
	s.state.Lock()
	defer s.state.Unlock()
	before, s.address = s.address, address
	s.tag, s.body = "", nil
	return before
}

// asked reports whether searches go anywhere.
func (s *searches) asked() bool {
	s.asking.Lock()
	defer s.asking.Unlock()
	return s.address != ""
}

// searchPause is the time between two searches of a replica.
const searchPause = 20 * time.Millisecond

// run searches until ctx ends. One process's answers must never go back, but when the history of
// the database did.
func (s *searches) run(ctx context.Context, began time.Time) {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	tick := time.NewTicker(searchPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.once(ctx, transport, began)
		}
	}
}

// once searches, if there is somebody to ask.
func (s *searches) once(ctx context.Context, transport http.RoundTripper, began time.Time) {
	s.asking.Lock()
	defer s.asking.Unlock()
	if s.address == "" {
		return
	}
	at := time.Since(began)
	body, tag, err := search(ctx, transport, s.address, everything)
	end := time.Since(began)
	if ctx.Err() != nil {
		return // the end came first
	}
	s.state.Lock()
	defer s.state.Unlock()
	s.took = append(s.took, took{at, end - at})
	before := s.shown
	if err == nil {
		err = s.look(body, tag)
	}
	if err != nil {
		s.failed = append(s.failed, failure{at, err})
	}
	if s.shown != before {
		s.renewed = append(s.renewed, end)
	}
}

// look checks an answer, and how it follows the one before.
func (s *searches) look(body []byte, tag string) error {
	// As long as a process knows of no job that collected anything, no cache may keep its answers.
	if tag == "" && s.tag != "" {
		return fmt.Errorf("an answer without an entity tag: %.200s", body)
	}
	if tag == s.tag && tag != "" {
		if !bytes.Equal(body, s.body) {
			return fmt.Errorf("two answers with the entity tag %s differ", tag)
		}
		return nil
	}
	shown, err := whole(body)
	if err != nil {
		return err
	}
	s.tag, s.body = tag, body
	before := s.shown
	s.shown = shown
	for p := range shown {
		if shown[p] >= before[p] {
			continue
		}
		if s.went >= s.mayGo {
			return fmt.Errorf("version %d of %s was shown after version %d", shown[p], providerName(p), before[p])
		}
		s.went++
		break
	}
	return nil
}

// now returns what the newest answer had.
func (s *searches) now() versions {
	s.state.Lock()
	defer s.state.Unlock()
	return s.shown
}

// allow lets what is shown go back once more. A history that went back does that.
func (s *searches) allow() {
	s.state.Lock()
	defer s.state.Unlock()
	s.mayGo++
}

// everything is a search without bounds.
const everything = "/search"

// search returns the answer to a search, and its entity tag.
func search(ctx context.Context, transport http.RoundTripper, address, path string) (body []byte, tag string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		return nil, "", err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, "", err
	}
	body, err = io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, "", err
	}
	tag = response.Header.Get("ETag")
	if response.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("%s: %.200s", response.Status, body)
	}
	return body, tag, nil
}

// whole returns the version of each provider in an answer, or an error when versions are mixed.
func whole(answer []byte) (shown versions, err error) {
	var decoded harness.Answer
	if err := json.Unmarshal(answer, &decoded); err != nil {
		return shown, fmt.Errorf("an answer that is no JSON: %w: %.200s", err, answer)
	}
	if decoded.Data == nil {
		return shown, fmt.Errorf("an answer without data: %.200s", answer)
	}
	type place struct{ event, provider, version int }
	places := make([]place, len(decoded.Data.Events))
	for i, found := range decoded.Data.Events {
		at := &places[i]
		if _, err := fmt.Sscanf(found.Title, "Concert %d of p%d, version %d", &at.event, &at.provider, &at.version); err != nil {
			return shown, fmt.Errorf("title %q: %w", found.Title, err)
		}
		o := occurrenceOf(at.provider, at.event, at.version)
		if found.Title != o.title || found.StartDate+"T"+found.StartTime != o.start || found.EndDate+"T"+found.EndTime != o.end {
			return shown, fmt.Errorf("event %+v is not %+v", found, o)
		}
		shown[at.provider] = max(shown[at.provider], at.version)
	}
	var current versions
	for _, at := range places {
		latest := shown[at.provider]
		switch {
		case shows(at.event, latest) != (at.version == latest):
			return shown, fmt.Errorf("version %d of event %d of p%d is found beside version %d", at.version, at.event, at.provider, latest)
		case at.version == latest:
			current[at.provider]++
		}
	}
	for p, n := range current {
		if n != 0 && n != events*9/10 {
			return shown, fmt.Errorf("%d events of version %d of p%d are found, not %d", n, shown[p], p, events*9/10)
		}
	}
	return shown, nil
}

// A pace is how long searches took, of which share was slower, and how many there were.
type pace struct {
	searches     int
	p99, slowest time.Duration
}

// paceOf returns that of searches.
func paceOf(all []took) (p pace) {
	times := make([]time.Duration, 0, len(all))
	for _, t := range all {
		times = append(times, t.time)
	}
	slices.Sort(times)
	if p.searches = len(times); p.searches > 0 {
		p.p99, p.slowest = times[(p.searches-1)*99/100], times[p.searches-1]
	}
	return p
}
