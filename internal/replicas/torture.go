package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"fever/internal/postgrestest"
)

// torture breaks something at random, again and again, and looks that nothing grows meanwhile.
func torture(ctx context.Context, r *rig, length time.Duration, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a fault is no secret
	some := func(most time.Duration) time.Duration {
		return time.Second + time.Duration(random.Int64N(int64(most-time.Second))).Round(100*time.Millisecond)
	}
	faults := []func(x *replica) error{
		func(x *replica) error { return r.killed(ctx, x, []string{inFetch, inApply, inCommit}[random.IntN(3)]) },
		func(x *replica) error {
			return r.paused(ctx, x, []string{inFetch, inApply}[random.IntN(2)], some(2*lease))
		},
		func(x *replica) error {
			n := 1 + random.IntN(4)
			what := []string{1: "cut", 2: "half open", 3: "slow", 4: "refused"}[n]
			d := some(20 * time.Second)
			return r.network(ctx, "the network of "+x.name+" is "+what+" for "+d.String(), postgrestest.Network(n), d, x)
		},
		func(x *replica) error {
			d := some(20 * time.Second)
			return r.network(ctx, "the network of all is cut for "+d.String(), postgrestest.Cut, d, r.replicas...)
		},
		func(x *replica) error {
			return r.unanswered(ctx, x, random.IntN(2) == 0, postgrestest.After(random.IntN(3)))
		},
		func(*replica) error {
			return r.restarted(ctx, []postgrestest.Mode{postgrestest.Fast, postgrestest.Immediate, postgrestest.Killed}[random.IntN(3)], some(10*time.Second))
		},
		func(*replica) error {
			return r.setting(ctx, "default_transaction_read_only", "on", some(5*time.Second))
		},
		func(*replica) error { return r.terminated(ctx, some(10*time.Second)) },
		func(*replica) error { return r.crowded(ctx, some(5*time.Second)) },
	}
	until := time.Now().Add(length)
	var all []sample
	for time.Now().Before(until) {
		s, err := r.sample()
		if err != nil {
			return err
		}
		all = append(all, s)
		x := r.replicas[random.IntN(len(r.replicas))]
		if err := faults[random.IntN(len(faults))](x); err != nil {
			return err
		}
		if err := wait(ctx, some(3*time.Second)); err != nil {
			return err
		}
	}
	return r.grown(all)
}

// A sample is what is held at one moment, in bytes.
type sample struct{ memory, database int64 }

// sample takes one: the memory of a replica, on an average, and the tables with their indexes.
func (r *rig) sample() (s sample, err error) {
	for _, x := range r.replicas {
		held, err := x.Memory()
		if err != nil {
			return s, err
		}
		s.memory += held.Anonymous / int64(len(r.replicas))
	}
	size, err := r.primary.Query(database, "select sum(pg_total_relation_size(oid)) from pg_class where relnamespace = 'fever'::regnamespace and relkind = 'r'")
	if err != nil {
		return s, err
	}
	s.database, err = strconv.ParseInt(size, 10, 64)
	return s, err
}

// grown returns an error when the least of what was held in the last third is much more than in
// the third before. The first third is for reaching the usual size.
func (r *rig) grown(all []sample) error {
	third := len(all) / 3
	if third == 0 {
		return nil
	}
	least := func(of []sample) (s sample) {
		s = of[0]
		for _, other := range of {
			s.memory, s.database = min(s.memory, other.memory), min(s.database, other.database)
		}
		return s
	}
	const mib = 1 << 20
	before, after := least(all[third:2*third]), least(all[2*third:])
	r.say("%d faults; a replica holds %d MiB of memory (%d before), the tables %d MiB (%d before)", len(r.faults), after.memory/mib, before.memory/mib, after.database/mib, before.database/mib)
	if after.memory > before.memory*3/2+8*mib || after.database > before.database*3/2+8*mib {
		return errors.New("what is held has grown")
	}
	return nil
}
