// Published has programs of others read what fever publishes: OpenActive's validators the feed
// of changes and the events in it, and ical.js the calendar, with its time zones. It needs Node
// and npm, and installs what testdata pins in a temporary folder.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"fever/internal/harness"
)

func main() {
	fever := flag.String("fever", "bin/fever", "the fever `binary`")
	flag.Parse()
	harness.Main("published", func(ctx context.Context, _ io.Writer) error {
		return harness.InTemp(func(dir string) error { return run(ctx, *fever, dir) })
	})
}

func run(ctx context.Context, fever, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Hour) // for a program that hangs
	defer cancel()
	fever, err := filepath.Abs(fever)
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("internal", "published", "testdata"))); err != nil {
		return err
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := harness.Command(ctx, name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TZ=America/New_York") // no answer may depend on it
		return cmd
	}
	do := func(args ...string) error {
		out, err := command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
		_, err = os.Stdout.Write(out)
		return err
	}
	if err := do("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"); err != nil {
		return err
	}
	nights, err := os.ReadFile(filepath.Join(dir, "nights.ndjson"))
	if err != nil {
		return err
	}
	for _, rows := range []int{1100, 1098} { // the last two are no longer sold
		file := filepath.Join(dir, "feed.ndjson")
		if err := os.WriteFile(file, append(nights, more(rows)...), 0o600); err != nil {
			return err
		}
		if err := do(fever, "sync", "--once", "--config", "fever.yaml", "--provider", "nights", file); err != nil {
			return err
		}
	}
	process, err := harness.Start(command(fever, "serve", "--config", "fever.yaml", "--no-sync", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--log-format", "json"), nil)
	if err != nil {
		return err
	}
	if err = process.Serve(ctx); err == nil {
		err = do("node", "check.mjs", "http://"+process.Ops)
	}
	return errors.Join(err, process.Stop())
}

// more returns records for several pages, a line each.
func more(n int) []byte {
	var lines bytes.Buffer
	for i := range n {
		fmt.Fprintf(&lines, `{"base_id":"t%d","event_id":"1","title":"Tarde","start":"2026-12-%02dT%d:00:00","sold_out":false,"current":true,`+
			`"zones":[{"zone_id":"a","capacity":3,"price":20.5,"currency":"EUR"}]}`+"\n", i, 1+i%28, 10+i%12)
	}
	return lines.Bytes()
}
