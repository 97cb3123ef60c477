package bolt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"fever/event"
	"fever/store"
)

// editVariable says what the process does that TestKilledEditing starts: the number of its
// first step, a colon, and the file.
const editVariable = "FEVER_TEST_EDIT"

// editSteps are steps that come one after the other for ever. Each leaves other events, or
// others current, than the one before.
var editSteps = []func(context.Context, *Store, *flipping) (store.Job, error){
	func(ctx context.Context, s *Store, world *flipping) (store.Job, error) {
		return applyState(ctx, s, world, 1)
	},
	func(ctx context.Context, s *Store, _ *flipping) (store.Job, error) {
		done, err := s.Rename(ctx, store.Renaming{From: "a", To: "b"})
		return done.Record, err
	},
	func(ctx context.Context, s *Store, world *flipping) (store.Job, error) {
		return applyState(ctx, s, world, 2)
	},
	func(ctx context.Context, s *Store, _ *flipping) (store.Job, error) {
		done, err := s.Rename(ctx, store.Renaming{From: "a", To: "b"})
		return done.Record, err
	},
	func(ctx context.Context, s *Store, _ *flipping) (store.Job, error) {
		done, err := s.Forget(ctx, store.Forgetting{Provider: "b", GoneBefore: must(store.ParseCutoff("2100-01-01"))})
		return done.Record, err
	},
	func(ctx context.Context, s *Store, _ *flipping) (store.Job, error) {
		done, err := s.Forget(ctx, store.Forgetting{Provider: "b"})
		return done.Record, err
	},
}

func applyState(ctx context.Context, s *Store, world *flipping, state int) (store.Job, error) {
	job, err := s.Begin(ctx, store.Job{Provider: "a", Trigger: store.Schedule, Started: noon})
	if err != nil {
		return job, err
	}
	job.Finished = noon
	_, job, err = s.Apply(ctx, world.snapshot(state), job)
	return job, err
}

// edit takes one step after the other until it is killed, and prints the number of each when
// it is told that it is done.
func edit(where string) error {
	first, path, _ := strings.Cut(where, ":")
	n, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	s, err := Open(path, keep)
	if err != nil {
		return err
	}
	for world := newFlipping(); ; n++ {
		if _, err := editSteps[n%len(editSteps)](context.Background(), s, &world); err != nil {
			return err
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
}

// editStates returns what is stored after each step, and the trigger of its record.
func editStates(t *testing.T) (states []map[event.Key]event.Record, triggers []store.Trigger) {
	t.Helper()
	s := newStore(t)
	world := newFlipping()
	for i, step := range editSteps {
		job, err := step(t.Context(), s, &world)
		if err != nil {
			t.Fatal(err)
		}
		states, triggers = append(states, byKey(t, s)), append(triggers, job.Trigger)
		if i > 0 && reflect.DeepEqual(states[i], states[i-1]) {
			t.Fatalf("step %d changes nothing", i)
		}
	}
	return states, triggers
}

func byKey(t *testing.T, s *Store) map[event.Key]event.Record {
	t.Helper()
	all := make(map[event.Key]event.Record)
	for _, r := range records(t, s, everything) {
		all[r.Key] = r
	}
	return all
}

// TestKilledEditing kills a process that forgets and renames, at any moment, again and again.
// Each time the file must hold what the step left whose end was printed last, or the one
// after that: all of it, and with its record.
//
// Not parallel, like TestKilled.
func TestKilledEditing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "fever.db")
	states, triggers := editStates(t)
	next := 0
	for range 6 {
		printed := runAndKill(t, fmt.Sprintf("%s=%d:%s", editVariable, next, path), random)
		s, err := Open(path, keep)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Interrupt(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		got, at := byKey(t, s), printed%len(states)
		if next = printed + 1; !reflect.DeepEqual(got, states[at]) {
			at = next % len(states)
			if next++; !reflect.DeepEqual(got, states[at]) {
				t.Fatalf("%d events, not those after step %d or the next", len(got), printed)
			}
		}
		newest := jobs(t, s, store.JobFilter{State: store.Completed, Limit: 1})[0]
		if newest.Trigger != triggers[at] {
			t.Errorf("after step %d the newest that completed is %+v", next-1, newest)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
