package mapped

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// What a program may use for one row. The first two do not depend on the machine or on its
// load, so that a feed always gives the same events.
const (
	maxSteps  = 1 << 19                // instructions of gojq: some 50 ms
	maxWeight = 16 << 20               // bytes of the values that it makes, as weigh counts them
	maxTime   = 250 * time.Millisecond // for instructions that are slow on large values
	maxNested = 200                    // how deep values are in each other
	maxDigits = 1000                   // of a number
)

// A budget bounds what a program does for one row. It is the context that gojq runs in: gojq
// asks for Done before each instruction.
//
// One instruction can double a text, or compare a value with itself that has itself inside of
// it a million times over. Therefore each value that a program makes is weighed when it is
// made: see [guard].
type budget struct {
	context.Context
	done chan struct{} // closed by stop

	steps  int // left
	weight int // left
	err    error

	clock time.Time // when the time was last looked at
	spent time.Duration
	look  int // the number of steps left at which to look again
	slow  int // the number of steps left until which to look at each
}

// newBudget returns a budget for a row. No budget has more than the given steps.
func newBudget(steps int) *budget {
	return &budget{
		Context: context.Background(), done: make(chan struct{}),
		steps: steps, weight: maxWeight, clock: time.Now(), look: steps - lookEvery, slow: steps,
	}
}

// lookEvery is the number of steps between two looks at the clock.
const lookEvery = 64

// Done counts an instruction.
func (b *budget) Done() <-chan struct{} {
	if b.steps--; b.steps <= b.look {
		b.lookAtClock()
	}
	return b.done
}

// Err returns why the program was stopped.
func (b *budget) Err() error { return b.err }

// lookAtClock counts the time since the last look. It counts at most 10 ms of it, because in
// a longer time the process may not have run at all. After a slow step it looks at each.
func (b *budget) lookAtClock() {
	now := time.Now()
	since := now.Sub(b.clock)
	b.clock, b.look = now, b.steps-lookEvery
	if since > time.Millisecond {
		b.slow = b.steps - lookEvery
	}
	if b.steps > b.slow {
		b.look = b.steps - 1
	}
	b.spent += min(since, 10*time.Millisecond)
	switch {
	case b.steps <= 0:
		_ = b.stop(errors.New("the program takes too many steps for this row, or does not end"))
	case b.spent > maxTime:
		_ = b.stop(fmt.Errorf("the program takes more than %s for this row", maxTime))
	}
}

// stop ends the program before its next instruction, and returns why.
func (b *budget) stop(err error) error {
	if b.err == nil {
		b.err = err
		close(b.done)
	}
	return b.err
}

// spend takes the weight of a value that the program makes from the budget.
func (b *budget) spend(weight int) error {
	if weight < 0 || weight > b.weight {
		return b.stop(fmt.Errorf("the program makes more than %d MiB of values of this row", maxWeight>>20))
	}
	b.weight -= weight
	return nil
}

// weigh spends the weight of a value. It visits a part as often as the value has it.
func (b *budget) weigh(v any) error { return b.weighAt(v, 0) }

func (b *budget) weighAt(v any, depth int) error {
	const word = 16 // bytes of an interface
	if depth > maxNested {
		return b.stop(fmt.Errorf("the program puts more than %d values inside each other", maxNested))
	}
	switch v := v.(type) {
	case string:
		return b.spend(word + len(v))
	case json.Number:
		if len(v) > maxDigits {
			return b.stop(fmt.Errorf("a number has more than %d digits", maxDigits))
		}
	case *big.Int:
		if v.BitLen() > 3*maxDigits {
			return b.stop(fmt.Errorf("a number has more than %d digits", maxDigits))
		}
	case []any:
		for _, element := range v {
			if err := b.weighAt(element, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, element := range v {
			if err := b.spend(4*word + len(key)); err != nil {
				return err
			}
			if err := b.weighAt(element, depth+1); err != nil {
				return err
			}
		}
	}
	return b.spend(word)
}
