// Replicas has three fever processes serve one PostgreSQL, breaks everything that can break
// between and beside them, and searches all the time. It starts servers of its own, on sockets in
// temporary folders, and stops and removes all of it. In every scenario
//
//   - no search fails, waits for the database, or is answered with half of a snapshot;
//   - no replica shows something older than it has shown, but when the database itself went back;
//   - each snapshot is applied once, in the order in which it was fetched;
//   - no snapshot is missing that a replica called completed, but where the database lost it;
//   - in the end all replicas give the same bytes and the same entity tag.
//
// It fails at the first scenario in which that is not so, and prints what the replicas said.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"fever/internal/harness"
)

func main() {
	fever := flag.String("fever", "bin/fever", "the fever `binary`")
	only := flag.String("only", "", "run the scenarios of these `names` alone, with commas between")
	length := flag.Duration("time", 10*time.Minute, "how long torture lasts")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "`number` that torture draws its faults with")
	picture := flag.String("plot", "", "write a picture of the scenario transcript to this SVG `file`")
	list := flag.Bool("list", false, "list the scenarios")
	flag.Parse()
	all := scenarios(*length, *seed, *picture)
	if *list {
		for _, s := range all {
			fmt.Printf("%-12s %s\n", s.name, s.about)
		}
		return
	}
	chosen, err := choose(all, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "replicas:", err)
		os.Exit(2)
	}
	harness.Main("replicas", func(ctx context.Context, out io.Writer) error {
		for n, s := range chosen {
			_, _ = fmt.Fprintf(out, "%s: %s (%d of %d)\n", s.name, s.about, n+1, len(chosen)) // who reads it is gone
			err := harness.InTemp(func(dir string) error { return s.run(ctx, out, *fever, dir) })
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		return nil
	})
}

// A scenario is what happens on a rig.
type scenario struct {
	name, about string
	options
	play  func(context.Context, *rig) error
	extra bool // it runs only when it is named
}

// choose returns the scenarios of the names, in their order; without names all but the extra ones.
func choose(all []scenario, names string) (chosen []scenario, err error) {
	if names == "" {
		return slices.DeleteFunc(all, func(s scenario) bool { return s.extra }), nil
	}
	for name := range strings.SplitSeq(names, ",") {
		at := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no scenario %q: -list shows them", name)
		}
		chosen = append(chosen, all[at])
	}
	return chosen, nil
}
