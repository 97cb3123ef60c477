package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fever/internal/harness"
	"fever/internal/postgrestest"
)

// scenarios returns all that there are.
func scenarios(length time.Duration, seed uint64, picture string) []scenario {
	return []scenario{
		{name: "kill", about: "a collector is killed in each phase of a job", play: kill},
		{name: "stop", about: "each collector is stopped while it fetches, three times", play: stop},
		{name: "pause", about: "a collector is paused in each phase of a job, for twice the lease", play: pause},
		{name: "network", about: "the network between a replica, or all, and the database breaks in each way", play: network},
		{name: "answer", about: "the answer to COMMIT is lost in each way, and so is COMMIT", play: answer},
		{name: "server", about: "the server is stopped, killed, away for a minute, and read-only", play: server},
		{name: "crowd", about: "others take all connections of the server", play: crowd},
		{name: "terminate", about: "random sessions are terminated for a minute", play: func(ctx context.Context, r *rig) error {
			return r.terminated(ctx, time.Minute)
		}},
		{name: "clock", about: "the clocks of two replicas are off by ten minutes", play: clock, options: options{skews: []int{600, -600}}},
		{name: "full", about: "the disk of the server is full (root, for a small disk)", play: full, options: options{disk: 200, settings: []string{"max_wal_size=32MB"}}},
		{name: "promote", about: "the primary is killed, and a synchronous standby promoted", play: promote, options: options{standby: synchronous}},
		{name: "behind", about: "a standby is promoted that lacks the newest commits, and later the old primary comes back", play: behind, options: options{standby: asynchronous}},
		{name: "stalled", about: "a synchronous standby stands still", play: stalled, options: options{standby: synchronous}},
		{name: "transaction", about: "a pooler of transactions is in between", play: pooled, options: options{pooler: "transaction"}},
		{name: "session", about: "a pooler of sessions is in between", play: pooled, options: options{pooler: "session"}},
		{name: "start", about: "four replicas start on an empty database, and are replaced one by one", play: start, options: options{replicas: 4, late: true}},
		{name: "upgrade", about: "a newer version changes the format of the database", play: upgrade},
		{name: "outage", about: "a replica starts while the database is away", play: outage},
		{name: "restore", about: "the database is restored from an earlier dump under running replicas", play: restore},
		{name: "away", about: "a replica is away for longer than revisions are kept", play: away},
		{name: "transcript", about: "the primary is killed, the standby promoted, a collector killed, and a replica paused", play: func(ctx context.Context, r *rig) error {
			return transcript(ctx, r, picture)
		}, options: options{standby: synchronous}},
		{name: "torture", about: fmt.Sprintf("random faults for %s (seed %d)", length, seed), play: func(ctx context.Context, r *rig) error {
			return torture(ctx, r, length, seed)
		}, extra: true},
	}
}

func kill(ctx context.Context, r *rig) error {
	for n, phase := range []string{inFetch, inApply, inCommit} {
		if err := r.killed(ctx, r.replicas[n], phase); err != nil {
			return err
		}
	}
	return nil
}

func stop(ctx context.Context, r *rig) error {
	for range 3 {
		for _, x := range r.replicas {
			if err := r.stopped(ctx, x); err != nil {
				return err
			}
		}
	}
	return nil
}

func pause(ctx context.Context, r *rig) error {
	for n, phase := range []string{inFetch, inApply} {
		if err := r.paused(ctx, r.replicas[n], phase, 2*lease); err != nil {
			return err
		}
	}
	return nil
}

func network(ctx context.Context, r *rig) error {
	one, all := r.replicas[:1], r.replicas
	for _, step := range []struct {
		what string
		how  postgrestest.Network
		d    time.Duration
		of   []*replica
	}{
		{"the network of r1 is cut for 20s", postgrestest.Cut, 20 * time.Second, one},
		{"the network of all is cut for 20s", postgrestest.Cut, 20 * time.Second, all},
		{"the network of r1 is half open for 20s", postgrestest.HalfOpen, 20 * time.Second, one},
		{"the network of all is half open for 10s", postgrestest.HalfOpen, 10 * time.Second, all},
		{"r1 gets 1 KB/s for 20s", postgrestest.Slow, 20 * time.Second, one},
		{"the connections of all are refused for 10s", postgrestest.Refused, 10 * time.Second, all},
	} {
		if err := r.network(ctx, step.what, step.how, step.d, step.of...); err != nil {
			return err
		}
	}
	return r.reset(ctx, one[0])
}

func answer(ctx context.Context, r *rig) error {
	n := 0
	for _, before := range []bool{true, false} {
		for _, then := range []postgrestest.After{postgrestest.Close, postgrestest.Reset, postgrestest.Hang} {
			if err := r.unanswered(ctx, r.replicas[n%len(r.replicas)], before, then); err != nil {
				return err
			}
			n++
		}
	}
	return nil
}

func server(ctx context.Context, r *rig) error {
	for _, how := range []postgrestest.Mode{postgrestest.Fast, postgrestest.Immediate, postgrestest.Killed} {
		if err := r.restarted(ctx, how, 3*time.Second); err != nil {
			return err
		}
	}
	if err := r.setting(ctx, "default_transaction_read_only", "on", 10*time.Second); err != nil {
		return err
	}
	return r.restarted(ctx, postgrestest.Fast, time.Minute)
}

func crowd(ctx context.Context, r *rig) error { return r.crowded(ctx, 10*time.Second) }

// clock counts the jobs of skewed clocks, and looks at the times of their records.
func clock(ctx context.Context, r *rig) error {
	const d = 20 * time.Second
	r.feeds.forget()
	since := time.Now()
	var asked [providers]int
	err := r.fault(fmt.Sprintf("the clock of r1 is 10 minutes ahead, that of r2 behind, for %s", d), func() error {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		for {
			q, err := r.feeds.await(ctx, func(request) bool { return true })
			if err != nil {
				return nil // the time is over
			}
			asked[q.p]++
		}
	})
	if err != nil {
		return err
	}
	turns := int(time.Since(since)/time.Second) + 1
	r.say("   in %d turns the providers were asked %v times", turns, asked)
	for p, n := range asked {
		if n > turns+1 {
			return fmt.Errorf("%s was asked %d times in %d turns", providerName(p), n, turns)
		}
	}
	jobs, err := dump[job](ctx, r, "--jobs")
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.Started.Before(r.began.Add(-time.Minute)) || j.Started.After(time.Now().Add(time.Minute)) {
			return fmt.Errorf("job %d began at %s, says its record", j.ID, j.Started)
		}
	}
	return r.recovered(ctx)
}

// mount makes a small disk the place of temporary files, in which the server's are.
func (r *rig) mount(ctx context.Context) error {
	folder := filepath.Join(r.dir, "disk")
	before, was := os.LookupEnv("TMPDIR")
	if err := errors.Join(os.Mkdir(folder, 0o755), os.Setenv("TMPDIR", folder)); err != nil { //nolint:gosec // the server is another user's
		return err
	}
	if _, err := harness.Output(harness.Command(ctx, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=1777", r.disk), "fever", folder)); err != nil {
		return err
	}
	r.closers = append(r.closers, func() error {
		err := os.Unsetenv("TMPDIR")
		if was {
			err = os.Setenv("TMPDIR", before)
		}
		_, failed := harness.Output(harness.Command(context.WithoutCancel(ctx), "umount", folder))
		return errors.Join(err, failed)
	})
	// Replicas have to be able to reach the socket.
	return os.Chmod(r.dir, 0o755) //nolint:gosec // likewise
}

// full fills the disk of the server for a time.
func full(ctx context.Context, r *rig) error {
	const d = 20 * time.Second
	ballast := filepath.Join(os.Getenv("TMPDIR"), "ballast")
	err := r.fault(fmt.Sprintf("the disk of the server is full for %s", d), func() error {
		err := os.WriteFile(ballast, make([]byte, r.disk<<20), 0o600)
		if err == nil {
			return errors.New("the disk has room for a file of its size")
		}
		// A table that has room in its last page can still take rows.
		grow := "create table if not exists fever.ballast (x text); insert into fever.ballast select repeat(md5(random()::text), 20) from generate_series(1, 100000)"
		if out, err := r.primary.Query(database, grow); err == nil || !strings.Contains(err.Error(), "No space left on device") && !strings.Contains(err.Error(), "server closed the connection") {
			return fmt.Errorf("the server has room: %w: %s", err, out)
		}
		return errors.Join(wait(ctx, d), os.Remove(ballast))
	})
	if err != nil {
		return err
	}
	starved := 0
	for _, x := range r.replicas {
		starved += x.starved()
	}
	r.say("   %d failures for want of room", starved)
	return r.recovered(ctx)
}

// failover makes the standby the primary, and has replicas find it under the old name.
func (r *rig) failover() error {
	if err := r.standby.Promote(); err != nil {
		return err
	}
	if err := r.standby.Set("synchronous_standby_names", ""); err != nil { // it has none of its own
		return err
	}
	r.to(r.standby)
	return nil
}

// to has replicas find another server under the name of the database.
func (r *rig) to(s *postgrestest.Server) {
	r.primary, r.standby = s, r.primary
	for _, x := range r.replicas {
		x.proxy.To(s)
	}
}

func promote(ctx context.Context, r *rig) error {
	err := r.fault("the primary is killed, and its synchronous standby promoted 2s later", func() error {
		if err := r.primary.Down(postgrestest.Killed); err != nil {
			return err
		}
		return errors.Join(wait(ctx, 2*time.Second), r.failover())
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}

func behind(ctx context.Context, r *rig) error {
	r.lossy = true
	x := r.replicas[0]
	err := r.fault("the standby hears nothing for 5s, the primary is killed, and the standby promoted; r1 is cut off until that is further than the primary was", func() error {
		if err := r.standby.Pause(); err != nil {
			return err
		}
		if err := wait(ctx, 5*time.Second); err != nil {
			return errors.Join(err, r.standby.Resume())
		}
		x.proxy.Network(postgrestest.Refused)
		defer x.proxy.Network(postgrestest.Whole)
		before, err := r.revision()
		r.allow()
		if err := errors.Join(err, r.primary.Down(postgrestest.Killed), r.standby.Resume()); err != nil {
			return err
		}
		if err := r.failover(); err != nil {
			return err
		}
		for now := 0; now <= before; {
			if err := wait(ctx, 100*time.Millisecond); err != nil {
				return err
			}
			if now, err = r.revision(); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = r.recovered(ctx)
	}
	if err != nil {
		return err
	}
	err = r.fault("the old primary comes back, and replicas are led to it", func() error {
		if err := r.standby.Up(); err != nil {
			return err
		}
		if err := r.standby.Set("synchronous_standby_names", ""); err != nil {
			return err
		}
		r.allow()
		r.to(r.standby)
		for _, x := range r.replicas {
			x.proxy.Reset()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}

// revision returns that of the database.
func (r *rig) revision() (int, error) {
	number, err := r.primary.Query(database, "select revision from fever.meta")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(number)
}

// allow lets what searches of each replica show go back once.
func (r *rig) allow() {
	for _, x := range r.replicas {
		x.allow()
	}
}

// stalled has a synchronous standby stand still. A commit that waits for it is acknowledged by
// nobody, and nobody shows it.
func stalled(ctx context.Context, r *rig) error {
	// In all, less than the 30 seconds after which a replica gives a commit up, which is shown then.
	const settled, d = 10 * time.Second, 12 * time.Second
	err := r.fault(fmt.Sprintf("the synchronous standby stands still for %s", settled+d), func() error {
		if err := r.standby.Pause(); err != nil {
			return err
		}
		if err := wait(ctx, settled); err != nil { // what was acknowledged before is shown
			return errors.Join(err, r.standby.Resume())
		}
		before, acknowledged := r.replicas[0].now(), r.acknowledged()
		err := wait(ctx, d)
		if after := r.replicas[0].now(); after != before {
			err = errors.Join(err, fmt.Errorf("searches find the versions %v, and %v when the standby stopped", after, before))
		}
		if n := r.acknowledged() - acknowledged; n > 0 {
			err = errors.Join(err, fmt.Errorf("%d jobs were acknowledged without the standby", n))
		}
		return errors.Join(err, r.standby.Resume())
	})
	if err != nil {
		return err
	}
	if err := r.recovered(ctx); err != nil {
		return err
	}
	return promote(ctx, r)
}

func (r *rig) acknowledged() (n int) {
	for _, x := range r.replicas {
		completed, _ := x.said()
		n += len(completed)
	}
	return n
}

func pooled(ctx context.Context, r *rig) error {
	if err := r.recovered(ctx); err != nil {
		return err
	}
	if err := r.terminated(ctx, 10*time.Second); err != nil {
		return err
	}
	if err := r.killed(ctx, r.replicas[0], inCommit); err != nil {
		return err
	}
	return r.restarted(ctx, postgrestest.Killed, 3*time.Second)
}

func start(ctx context.Context, r *rig) error {
	if err := r.start(ctx, r.replicas...); err != nil {
		return err
	}
	for _, x := range r.replicas {
		err := r.fault(x.name+" is replaced", func() error {
			if err := x.terminate(); err != nil {
				return err
			}
			return r.again(ctx, x)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// upgrade has the database look like one of a newer version: what runs goes on serving and stores
// nothing, what starts refuses it.
func upgrade(ctx context.Context, r *rig) error {
	const settled, d = 10 * time.Second, 8 * time.Second
	err := r.fault(fmt.Sprintf("the format of the database is a newer one for %s", settled+d), func() error {
		if _, err := r.primary.Query(database, "update fever.meta set format = format + 1000"); err != nil {
			return err
		}
		if err := wait(ctx, settled); err != nil { // jobs that ran have ended
			return err
		}
		acknowledged := r.acknowledged()
		x := r.replicas[0]
		if err := x.terminate(); err != nil {
			return err
		}
		if err := x.launch(ctx); err != nil {
			return err
		}
		refused, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := x.Serve(refused); err == nil || !strings.Contains(err.Error(), "newer version") {
			return errors.Join(fmt.Errorf("a process that starts does not refuse the database: %w", err), x.Stop())
		}
		if err := wait(ctx, d); err != nil {
			return err
		}
		if n := r.acknowledged() - acknowledged; n > 0 {
			return fmt.Errorf("%d jobs completed in the format of a newer version", n)
		}
		_, err := r.primary.Query(database, "update fever.meta set format = format - 1000")
		return err
	})
	if err != nil {
		return err
	}
	return r.again(ctx, r.replicas[0])
}

// outage starts a replica while there is no database. It waits for that.
func outage(ctx context.Context, r *rig) error {
	x := r.replicas[0]
	err := r.fault("the database is away for 15s, and a replica starts meanwhile", func() error {
		if err := x.terminate(); err != nil {
			return err
		}
		if err := r.primary.Down(postgrestest.Fast); err != nil {
			return err
		}
		if err := wait(ctx, 5*time.Second); err != nil {
			return err
		}
		if err := x.launch(ctx); err != nil {
			return err
		}
		r.closers = append(r.closers, func() error { x.ask(""); x.Kill(); return nil })
		if err := wait(ctx, 10*time.Second); err != nil {
			return err
		}
		return r.primary.Up()
	})
	if err != nil {
		return err
	}
	if err := x.serve(ctx); err != nil {
		return err
	}
	return r.recovered(ctx)
}

// restore puts the database back to what it was some seconds ago. Dump and restore are those of
// PostgreSQL, in one transaction.
func restore(ctx context.Context, r *rig) error {
	r.lossy = true
	dump, err := r.primary.Client("pg_dump", "--schema=fever", database)
	if err != nil {
		return err
	}
	file := filepath.Join(os.TempDir(), filepath.Base(r.dir)+".sql")
	if err := os.WriteFile(file, []byte(dump), 0o644); err != nil { //nolint:gosec // the client is another user's
		return err
	}
	defer func() { _ = os.Remove(file) }()
	if err := wait(ctx, 5*time.Second); err != nil {
		return err
	}
	err = r.fault("the database is restored from a dump that is 5s old", func() error {
		r.allow()
		_, err := r.primary.Client("psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null",
			"--command=drop schema fever cascade", "--file="+file, database)
		return err
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}

// away cuts a replica off while the database forgets the revisions that it would have to follow.
func away(ctx context.Context, r *rig) error {
	x := r.replicas[0]
	err := r.fault("r1 is cut off for 10s, and the revisions that it missed are dropped", func() error {
		x.proxy.Network(postgrestest.Cut)
		err := wait(ctx, 10*time.Second)
		if err == nil {
			_, err = r.primary.Query(database, "delete from fever.revision where number < (select revision from fever.meta)")
		}
		x.proxy.Network(postgrestest.Whole)
		return err
	})
	if err != nil {
		return err
	}
	return r.recovered(ctx)
}
