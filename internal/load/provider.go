//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"fever/internal/harness"
)

// bigFeedPlans is the number of plans in the changing feed. With all their zones it has more
// than 100 MB.
const bigFeedPlans = 4000

// A changing is a provider with a big feed. While it runs, each answer is a new version, in
// which one in [changeShare] plans has another price. While it does not, nothing changes.
type changing struct {
	url  string
	stop func()

	mu      sync.Mutex // also held while the feed is sent
	running bool
	version int
	feed    []byte
	prices  map[int32]int // the offset of the price that changes, by the plan's number
	asked   chan struct{} // gets an element when a new version is asked for
}

// startChanging starts a provider with so many plans.
func startChanging(ctx context.Context, plans int) (*changing, error) {
	c := &changing{
		feed:   []byte(feedHead),
		prices: make(map[int32]int, plans),
		asked:  make(chan struct{}, 1),
	}
	for n := int32(-plans); n < 0; n += 2 {
		c.feed = appendBase(c.feed, []event{newEvent(n), newEvent(n + 1)}, 0, func(number int32, offset int) { c.prices[number] = offset })
	}
	c.feed = append(c.feed, feedTail...)

	address, stop, err := harness.Listen(ctx, "", c)
	if err != nil {
		return nil, err
	}
	c.url, c.stop = "http://"+address+"/api/events", stop
	return c, nil
}

// run makes the provider answer with new versions, or stop to.
func (c *changing) run(running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = running
	select {
	case <-c.asked: // an old one
	default:
	}
}

// current returns the number of the last version.
func (c *changing) current() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

func (c *changing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		c.next()
		select {
		case c.asked <- struct{}{}:
		default:
		}
	}
	tag := fmt.Sprintf(`"%d"`, c.version)
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(c.feed)))
	_, _ = w.Write(c.feed) // a client that is gone asks again
}

// next makes the next version.
func (c *changing) next() {
	c.version++
	for number, offset := range c.prices {
		if changes(number, c.version) {
			copy(c.feed[offset:], strconv.Itoa(firstPrice(number, c.version)/100))
		}
	}
}
