package cli

import (
	"context"
	"io"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"fever/store"
)

// A tally counts the parts of a store.
type tally struct {
	n   [store.Kinds]atomic.Int64 // by kind
	all atomic.Bool               // there are no more
}

// String lists what was counted.
func (t *tally) String() string {
	n := func(k store.Kind) int { return int(t.n[k].Load()) }
	all := []string{
		count(n(store.EventPart), "event", "events"),
		count(n(store.ProviderPart), "provider", "providers"),
		count(n(store.JobPart), "outcome of a job", "outcomes of jobs"),
	}
	if n := n(store.ItemPart); n > 0 {
		all = append(all, count(n, "item of a feed of changes", "items of feeds of changes"))
	}
	if n := n(store.UndoPart); n > 0 {
		all = append(all, count(n, "change kept", "changes kept"))
	}
	return strings.Join(all, ", ")
}

// show returns the same parts, counts them while they pass, and shows their number on w until stop
// is called.
func (t *tally) show(ctx context.Context, w io.Writer, parts iter.Seq2[store.Part, error]) (counted iter.Seq2[store.Part, error], stop func()) {
	began := time.Now()
	m := showProgress(ctx, w, nil, func(_ context.Context, now time.Time, s screen) []string {
		switch n := t.n[store.EventPart].Load(); {
		case n < manyEvents:
			return nil
		case t.all.Load():
			return []string{s.fit("checking "+t.String(), "")}
		default:
			return []string{eventLine(n, now.Sub(began), s)}
		}
	})
	return t.over(parts), m.stop
}

// over returns the same parts, and counts them while they pass.
func (t *tally) over(parts iter.Seq2[store.Part, error]) iter.Seq2[store.Part, error] {
	return func(yield func(store.Part, error) bool) {
		for p, err := range parts {
			if err == nil {
				t.n[p.Kind].Add(1)
			}
			if !yield(p, err) {
				return
			}
		}
		t.all.Store(true)
	}
}
