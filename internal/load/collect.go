//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"fever/internal/harness"
)

// A collecting is fever that ingests a big feed under attack.
type collecting struct {
	served
	provider *changing
	windows  []window
	lesson   *lesson

	// What was ingested under attack:
	jobs     int
	ingested int64 // bytes
	took     time.Duration

	weight *jobWeight // of jobs without attacks
}

// startCollecting starts fever with a provider of a big feed, and has it ingest that.
func (b *bench) startCollecting(ctx context.Context) error {
	if b.collecting != nil {
		return nil
	}
	progress("making a big feed, and letting fever ingest it")
	few := stock{Stored: storedCounts[0]}
	c := &collecting{served: served{data: generate(-bigFeedPlans, few.Stored)}}
	db, err := b.store(ctx, "collecting", few)
	if err != nil {
		return err
	}
	if c.provider, err = startChanging(ctx, bigFeedPlans); err != nil {
		return err
	}
	c.process, err = start(ctx, nil, b.fever, "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--db", db, "--log-format", "json",
		"--provider-url", c.provider.url, "--every", "1s", "--timeout", "1m")
	if err != nil {
		c.provider.stop()
		return err
	}
	b.collecting = c
	first, err := c.next(ctx)
	if err != nil {
		return err
	}
	if first.Seen != bigFeedPlans {
		return fmt.Errorf("fever saw %d events in the feed, which has %d", first.Seen, bigFeedPlans)
	}
	c.windows = windows(c.data, false, weekEvents, b.count(weekEvents))
	c.lesson, err = learn(ctx, c.process, c.data, 0, 0, c.windows)
	return err
}

// useCollecting gives m fever with a provider, and its questions.
func (b *bench) useCollecting(ctx context.Context, m *measure) error {
	if err := b.startCollecting(ctx); err != nil {
		return err
	}
	m.use(b.collecting.process, b.collecting.lesson)
	m.attack.changing = true
	if m.State == ingesting {
		m.during = b.collecting.during
	}
	return nil
}

// during runs the attack while fever ingests one version after the other.
func (c *collecting) during(ctx context.Context, attack func() error) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := attack(); err != nil {
		return err
	}
	c.provider.run(false)
	return c.rest(ctx, func(j harness.Line) {
		c.jobs++
		c.ingested += j.Bytes
		c.took += j.Took
	})
}

// begin returns when fever has asked for a new version.
func (c *collecting) begin(ctx context.Context) error {
	c.provider.run(true)
	select {
	case <-c.provider.asked:
	case <-c.Ended:
		return c.End
	case <-ctx.Done():
		return ctx.Err()
	}
	for len(c.process.jobs) > 0 {
		<-c.process.jobs // of the time before
	}
	return nil
}

// rest calls ingested with each job until the last version is ingested.
func (c *collecting) rest(ctx context.Context, ingested func(harness.Line)) error {
	for {
		j, err := c.next(ctx)
		if err != nil {
			return err
		}
		if j.NotModified {
			return nil
		}
		if j.Changed == 0 {
			return errors.New("fever found no change in a new version of the feed")
		}
		ingested(j)
	}
}

// finish compares the answers with the last version of the feed, and weighs fever.
func (c *collecting) finish(ctx context.Context) error {
	progress("verifying the answers after %d ingestions", c.jobs)
	if _, err := learn(ctx, c.process, c.data, c.provider.current(), 0, c.windows); err != nil {
		return fmt.Errorf("after the ingestions: %w", err)
	}
	return c.weigh(ctx)
}

func (c *collecting) stop() error {
	err := c.Stop()
	c.provider.stop()
	return err
}

// weigh reads how much memory fever has, and the size of all its summaries.
func (s *served) weigh(ctx context.Context) (err error) {
	if s.Memory, err = s.process.Memory(); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+s.address.String()+"/search", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	s.summaries = response.ContentLength
	return response.Body.Close()
}
