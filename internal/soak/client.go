//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"fever/internal/harness"
)

// A client searches, with one request after the other, and checks each answer.
type client struct {
	name     string
	fever    *fever
	market   *market
	gzip     bool // asks for answers that are compressed
	close    bool // uses a new connection for each search
	remember bool // repeats searches with the entity tag
	pause    time.Duration

	searches    atomic.Int64
	notModified atomic.Int64
}

// clients returns the clients that search at the same time.
func clients(f *fever, m *market) []*client {
	const pause = 5 * time.Millisecond // leaves processor time for the other activities
	all := []*client{
		{name: "as it is", pause: pause},
		{name: "compressed", gzip: true, pause: pause},
		{name: "new connections", close: true, pause: 4 * pause},
		{name: "entity tags", remember: true, gzip: true, pause: pause},
	}
	for _, c := range all {
		c.fever, c.market = f, m
	}
	return all
}

// search returns the path of a search for the hours from first up to end.
func search(first, end int) string {
	at := func(hour int) string { return dawn.Add(time.Duration(hour) * time.Hour).Format(time.RFC3339) }
	return "/search?" + url.Values{"starts_at": {at(first)}, "ends_at": {at(end)}}.Encode()
}

// run searches until ctx ends. One search in a hundred is for everything, the others are for few
// hours.
func (c *client) run(ctx context.Context) error {
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: c.close, MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	random := rand.New(rand.NewPCG(1, uint64(len(c.name)))) //nolint:gosec // not for secrets
	checker := newChecker(c.market)
	first, end, tag := 0, 0, ""
	for n := 0; harness.Pause(ctx, c.pause); n++ {
		if !c.remember || n%20 == 0 {
			first, tag = random.IntN(c.market.hours-200), ""
			end = first + 2 + random.IntN(198)
			if n%100 == 0 {
				first, end = 0, c.market.hours
			}
		}
		var body []byte
		var err error
		body, tag, err = c.ask(ctx, transport, search(first, end), tag)
		if ctx.Err() != nil {
			return nil // the end came first
		}
		if err == nil && body != nil {
			err = checker.check(body, first, end)
		}
		if err != nil {
			return fmt.Errorf("client %q, search %d: %w", c.name, n, err)
		}
		c.searches.Add(1)
	}
	return nil
}

// ask does a search. The body is nil when the answer is 304.
func (c *client) ask(ctx context.Context, transport http.RoundTripper, path, tag string) (body []byte, newTag string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.fever.Address+path, http.NoBody)
	if err != nil {
		return nil, "", err
	}
	if c.gzip {
		request.Header.Set("Accept-Encoding", "gzip")
	}
	if c.remember && tag != "" {
		request.Header.Set("If-None-Match", tag)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, "", err
	}
	body, err = io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, "", err
	}
	newTag = response.Header.Get("ETag")
	switch {
	case response.StatusCode == http.StatusNotModified && tag != "" && newTag == tag:
		c.notModified.Add(1)
		return nil, tag, nil
	case response.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("%s: %.200s", response.Status, body)
	case newTag == "" || newTag == tag:
		return nil, "", fmt.Errorf("the entity tag %q of an answer that is new", newTag)
	}
	// What is small is not worth it.
	const worth = 4 << 10
	coded := response.Header.Get("Content-Encoding")
	switch {
	case coded == "gzip" && c.gzip:
		body, err = unpack(body)
		return body, newTag, err
	case coded != "", c.gzip && len(body) > worth:
		return nil, "", fmt.Errorf("%d bytes are coded as %q", len(body), coded)
	}
	return body, newTag, nil
}

func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
