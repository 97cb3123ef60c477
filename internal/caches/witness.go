//go:build unix

package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"fever/internal/harness"
)

// A witness asks fever itself all the time. It knows the answer of each entity tag, and when
// fever last gave it.
type witness struct {
	address string
	client  *http.Client

	mu    sync.Mutex
	known map[string]*given // by the opaque part of the tag
}

// A given is one answer of fever.
type given struct {
	body string
	last time.Time // when it was last asked for and given
}

// newWitness returns a witness once fever has collected the first feed. Until then its answers
// have no tag, whether or not the index has the events yet.
func newWitness(ctx context.Context, address string) (*witness, error) {
	w := &witness{address: address, client: newClient(), known: make(map[string]*given)}
	for {
		r, err := w.ask(ctx, changing)
		if err != nil {
			return nil, err
		}
		if r.tag != "" {
			return w, w.learn(r)
		}
		harness.Pause(ctx, 50*time.Millisecond) // the first feed has not come yet
	}
}

// newClient returns a client that does not decompress.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: time.Minute}
}

// ask asks fever for one window.
func (w *witness) ask(ctx context.Context, target string) (response, error) {
	r, err := fetch(ctx, w.client, "http://"+w.address+target, "identity", "")
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("fever answers %d", r.status)
	}
	return r, err
}

// learn adds an answer of fever to those that are known. It returns what is wrong with it.
func (w *witness) learn(r response) error {
	if r.tag == "" {
		return errors.New("fever gave an answer without a tag")
	}
	if n := strings.Count(r.body, `"id"`); n != eventsEach {
		return fmt.Errorf("fever gave %d events of %d", n, eventsEach)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.known[opaque(r.tag)]
	if g == nil {
		g = &given{body: r.body}
		w.known[opaque(r.tag)] = g
	}
	if g.body != r.body {
		return fmt.Errorf("fever gave two answers the tag %s", r.tag)
	}
	g.last = r.asked
	return nil
}

// look asks for one window, and learns the answer.
func (w *witness) look(ctx context.Context, target string) error {
	r, err := w.ask(ctx, target)
	if err != nil {
		return err
	}
	return w.learn(r)
}

// run asks for both windows until ctx ends.
func (w *witness) run(ctx context.Context) error {
	for harness.Pause(ctx, 20*time.Millisecond) {
		for _, target := range []string{changing, steady} {
			if err := w.look(ctx, target); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	return nil
}

// opaque returns the opaque part of a tag, without the mark of weak ones.
func opaque(tag string) string { return strings.TrimPrefix(tag, "W/") }

// A response is an answer, with its body decompressed.
type response struct {
	asked            time.Time
	status           int
	tag, coding, age string
	body             string
}

// fetch gets a URL. It asks for a coding and sends a tag unless these are empty.
func fetch(ctx context.Context, client *http.Client, url, coding, tag string) (response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return response{}, err
	}
	if coding != "" {
		request.Header.Set("Accept-Encoding", coding)
	}
	if tag != "" {
		request.Header.Set("If-None-Match", tag)
	}
	asked := time.Now()
	got, err := client.Do(request)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = got.Body.Close() }()
	r := response{asked: asked, status: got.StatusCode, tag: got.Header.Get("Etag"), coding: got.Header.Get("Content-Encoding"), age: got.Header.Get("Age")}
	var body io.Reader = got.Body
	if r.coding == "gzip" && r.status == http.StatusOK {
		if body, err = gzip.NewReader(body); err != nil {
			return response{}, err
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return response{}, err
	}
	r.body = string(text)
	return r, nil
}
