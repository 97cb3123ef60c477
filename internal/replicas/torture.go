package main

import (
	"context"
	"math/rand/v2"
	"time"

	"fever/internal/postgrestest"
)

// torture breaks something at random, again and again.
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
	for time.Now().Before(until) {
		x := r.replicas[random.IntN(len(r.replicas))]
		if err := faults[random.IntN(len(faults))](x); err != nil {
			return err
		}
		if err := wait(ctx, some(3*time.Second)); err != nil {
			return err
		}
	}
	return nil
}
