package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"fever/internal/postgrestest"
)

// applies reports whether a message belongs to the transaction that applies a snapshot: it asks
// which events differ.
func applies(message []byte) bool { return bytes.Contains(message, []byte("left join fever.event")) }

// publishes reports whether a message commits a transaction that makes a revision.
func publishes(message []byte) bool {
	return postgrestest.Commits(message) && bytes.Contains(message, []byte("update fever.meta set revision"))
}

// fetching waits until a replica fetches a feed, which it does not get before the release.
func (r *rig) fetching(ctx context.Context, x *replica) (p int, release func(), err error) {
	ctx, cancel := within(ctx, patience, x.name+" fetches")
	defer cancel()
	r.feeds.forget()
	release = r.feeds.hold(x.name)
	got, err := r.feeds.await(ctx, func(q request) bool { return q.replica == x.name })
	if err != nil {
		release()
	}
	return got.p, release, err
}

// takenOver waits until another replica fetches a feed, and says after which time.
func (r *rig) takenOver(ctx context.Context, x *replica, p int, since time.Time) error {
	ctx, cancel := within(ctx, patience, "another replica takes over from "+x.name)
	defer cancel()
	got, err := r.feeds.await(ctx, func(q request) bool { return q.replica != x.name && q.p == p && q.at.After(since) })
	if err == nil {
		r.say("   %s takes %s over after %.2fs", got.replica, providerName(p), got.at.Sub(since).Seconds())
	}
	return err
}

// sprung waits until a trap has sprung.
func sprung(ctx context.Context, t *postgrestest.Trap, what string) error {
	ctx, cancel := within(ctx, patience, what)
	defer cancel()
	select {
	case <-t.Sprung:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// within bounds a wait for something.
func within(ctx context.Context, limit time.Duration, what string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s: %s", limit, what))
}

// again starts a new process of a replica.
func (r *rig) again(ctx context.Context, x *replica) error {
	if err := x.start(ctx); err != nil {
		return err
	}
	r.closers = append(r.closers, func() error { x.ask(""); x.Kill(); return nil })
	return r.recovered(ctx)
}

// killed kills a replica in a phase of a job, and starts it again.
func (r *rig) killed(ctx context.Context, x *replica, phase string) error {
	err := r.fault(fmt.Sprintf("%s is killed %s", x.name, phase), func() error {
		switch phase {
		case inFetch:
			p, release, err := r.fetching(ctx, x)
			if err != nil {
				return err
			}
			x.kill()
			since := time.Now()
			release()
			return r.takenOver(ctx, x, p, since)
		case inApply:
			trap := x.proxy.Set(&postgrestest.Trap{Match: applies, Then: postgrestest.Stall})
			if err := sprung(ctx, trap, x.name+" applies a snapshot"); err != nil {
				return err
			}
			x.kill()
			x.proxy.Network(postgrestest.Whole)
		default:
			trap := x.proxy.Set(&postgrestest.Trap{Match: publishes, Then: postgrestest.Hang})
			if err := sprung(ctx, trap, x.name+" commits a snapshot"); err != nil {
				return err
			}
			x.kill()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.recovered(ctx); err != nil {
		return err
	}
	return r.again(ctx, x)
}

// stopped stops a replica as an administrator would, while it fetches. Another one takes over, and
// does not wait for the end of the lease.
func (r *rig) stopped(ctx context.Context, x *replica) error {
	err := r.fault(x.name+" is stopped "+inFetch, func() error {
		p, release, err := r.fetching(ctx, x)
		if err != nil {
			return err
		}
		defer release()
		since := time.Now()
		if err := x.terminate(); err != nil {
			return err
		}
		ctx, cancel := within(ctx, lease, "another replica takes over from "+x.name+", which was stopped")
		defer cancel()
		return r.takenOver(ctx, x, p, since)
	})
	if err != nil {
		return err
	}
	return r.again(ctx, x)
}

// The phases of a job.
const (
	inFetch  = "while it fetches"
	inApply  = "while it applies a snapshot"
	inCommit = "between COMMIT and its answer"
)

// paused stops a replica without its notice in a phase of a job, for a time.
func (r *rig) paused(ctx context.Context, x *replica, phase string, d time.Duration) error {
	err := r.fault(fmt.Sprintf("%s is paused for %s %s", x.name, d, phase), func() error {
		release := func() { x.proxy.Network(postgrestest.Whole) }
		p := -1
		if phase == inFetch {
			held, open, err := r.fetching(ctx, x)
			if err != nil {
				return err
			}
			release, p = open, held
		} else {
			trap := x.proxy.Set(&postgrestest.Trap{Match: applies, Then: postgrestest.Stall})
			if err := sprung(ctx, trap, x.name+" applies a snapshot"); err != nil {
				return err
			}
		}
		defer release()
		resume, err := x.pause()
		if err != nil {
			return err
		}
		since := time.Now()
		if p >= 0 && d > lease {
			if err := r.takenOver(ctx, x, p, since); err != nil {
				return errors.Join(err, resume())
			}
		}
		err = wait(ctx, d-time.Since(since))
		release()
		return errors.Join(err, resume())
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}

// network breaks the network between replicas and the database, for a time.
func (r *rig) network(ctx context.Context, what string, n postgrestest.Network, d time.Duration, of ...*replica) error {
	err := r.fault(what, func() error {
		for _, x := range of {
			x.proxy.Network(n)
		}
		err := wait(ctx, d)
		for _, x := range of {
			x.proxy.Network(postgrestest.Whole)
		}
		return err
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}

// reset starts a replica again, and resets its connection while it loads.
func (r *rig) reset(ctx context.Context, x *replica) error {
	return r.fault(x.name+" is started again, and its connection is reset while it loads", func() error {
		if err := x.terminate(); err != nil {
			return err
		}
		x.proxy.ResetAfter(30_000)
		return r.again(ctx, x)
	})
}

// unanswered loses a commit of a replica, or the answer to it.
func (r *rig) unanswered(ctx context.Context, x *replica, before bool, then postgrestest.After) error {
	what := map[postgrestest.After]string{postgrestest.Close: "closes", postgrestest.Reset: "resets", postgrestest.Hang: "hangs"}[then]
	lost := "the answer to COMMIT"
	if before {
		lost = "COMMIT itself"
	}
	err := r.fault(fmt.Sprintf("%s of %s is lost: the connection %s", lost, x.name, what), func() error {
		trap := x.proxy.Set(&postgrestest.Trap{Match: publishes, Before: before, Then: then})
		return sprung(ctx, trap, x.name+" commits a snapshot")
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}

// restarted stops the server for a time.
func (r *rig) restarted(ctx context.Context, how postgrestest.Mode, d time.Duration) error {
	err := r.fault(fmt.Sprintf("the server is stopped (SIG%s) for %s", how, d), func() error {
		if err := r.primary.Down(how); err != nil {
			return err
		}
		if err := wait(ctx, d); err != nil {
			return err
		}
		return r.primary.Up()
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}

// setting changes a setting of the server for a time.
func (r *rig) setting(ctx context.Context, name, value string, d time.Duration) error {
	err := r.fault(fmt.Sprintf("%s is %s for %s", name, value, d), func() error {
		if err := r.primary.Set(name, value); err != nil {
			return err
		}
		return errors.Join(wait(ctx, d), r.primary.Set(name, ""))
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}

// fevers are the sessions of fever's, in SQL.
const fevers = "from pg_stat_activity where application_name = 'fever' and backend_type = 'client backend'"

// terminated ends random sessions again and again, for a time.
func (r *rig) terminated(ctx context.Context, d time.Duration) error {
	err := r.fault(fmt.Sprintf("random sessions are terminated for %s", d), func() error {
		until := time.Now().Add(d)
		for time.Now().Before(until) {
			if _, err := r.primary.Query(database, "select pg_terminate_backend(pid) "+fevers+" and random() < 0.3"); err != nil {
				return err
			}
			if err := wait(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}

// crowded has others take all connections of the server, for a time.
func (r *rig) crowded(ctx context.Context, d time.Duration) error {
	err := r.fault(fmt.Sprintf("all connections of the server are taken for %s", d), func() error {
		ended := make(chan error, 1)
		go func() {
			// One session that was there before ends those of fever's, whose places others take.
			_, err := r.primary.Query(database, fmt.Sprintf("do $$ begin for i in 1..%d loop perform pg_stat_clear_snapshot(); perform count(pg_terminate_backend(pid)) %s; perform pg_sleep(0.1); end loop; end $$",
				d/(100*time.Millisecond), fevers))
			ended <- err
		}()
		for there := ""; there != "1"; {
			var err error
			if there, err = r.primary.Query(database, "select count(*) from pg_stat_activity where query like 'do $$ %'"); err != nil {
				return errors.Join(err, <-ended)
			}
		}
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		r.primary.Crowd(ctx, database, mostConnections)
		return <-ended
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}
