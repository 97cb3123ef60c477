// Clients tests fever, and a mock of it, with clients that generators make from the OpenAPI
// document: oapi-codegen and ogen for Go, openapi-typescript with openapi-fetch for
// TypeScript. Linters read the document, too. It needs Node and npm, and installs what
// testdata pins in a temporary folder. It fails when a client does not get what fever sends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
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
	harness.Main("clients", func(ctx context.Context, _ io.Writer) error {
		return harness.InTemp(func(dir string) error { return run(ctx, *fever, dir) })
	})
}

// A bench is the folder in which everything is made.
type bench struct {
	dir   string
	fever string
}

func run(ctx context.Context, fever, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Hour) // for a program that hangs
	defer cancel()
	fever, err := filepath.Abs(fever)
	if err != nil {
		return err
	}
	b := bench{dir, fever}
	if err := b.furnish(); err != nil {
		return err
	}

	for _, step := range []struct {
		title   string
		command []string
	}{
		{"install what is of Node", []string{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"}},
		{"lint with redocly", []string{"node_modules/.bin/redocly", "lint", "openapi.yaml"}},
		{"lint with spectral", []string{"node_modules/.bin/spectral", "lint", "--quiet", "--ruleset", "spectral.yaml", "openapi.yaml"}},
		{"make a client with oapi-codegen", []string{"go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "oapi", "-o", "oapi/client.go", "openapi.yaml"}},
		{"make a client with ogen", []string{"go", "tool", "ogen", "--loglevel", "error", "--target", "ogen", "--package", "ogen", "openapi.yaml"}},
		{"build them", []string{"go", "build", "-o", "check", "."}},
		{"make a client with openapi-typescript", []string{"node_modules/.bin/openapi-typescript", "openapi.yaml", "-o", "api.ts"}},
		{"build it", []string{"node_modules/.bin/tsc"}},
		{"collect", append([]string{fever, "sync", "--once", "--db", "fever.db"}, b.feeds()...)},
	} {
		if err := b.do(ctx, step.title, step.command...); err != nil {
			return err
		}
	}

	return errors.Join(b.askFever(ctx), b.askMock(ctx))
}

// furnish copies the files that are needed into the folder.
func (b bench) furnish() error {
	if err := os.CopyFS(b.dir, os.DirFS(filepath.Join("internal", "clients", "testdata"))); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(b.dir, "feeds"), os.DirFS(filepath.Join("testdata", "feeds"))); err != nil {
		return err
	}
	document, err := os.ReadFile(filepath.Join("httpapi", "openapi.yaml"))
	if err != nil {
		return err
	}
	return errors.Join(
		// It belongs to another module, and has another name here, so that no tool takes it for one of ours.
		os.Rename(filepath.Join(b.dir, "check.go.txt"), filepath.Join(b.dir, "check.go")),
		os.WriteFile(filepath.Join(b.dir, "openapi.yaml"), document, 0o600),
		os.Mkdir(filepath.Join(b.dir, "oapi"), 0o750),
	)
}

// feeds returns the feeds to collect, in order.
func (b bench) feeds() []string {
	return []string{"feeds/event-list-1.xml", "feeds/event-list-2.xml", "feeds/event-list-3.xml", "feed.xml"}
}

// command returns a command that runs in the folder.
func (b bench) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		name = filepath.Join(b.dir, name)
	}
	cmd := harness.Command(ctx, name, args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "NO_COLOR=1")
	return cmd
}

// do runs a command, and shows its output when it fails.
func (b bench) do(ctx context.Context, title string, command ...string) error {
	began := time.Now()
	out, err := b.command(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %s: %w\n%s", title, strings.Join(command, " "), err, out)
	}
	_, err = fmt.Printf("%6.1fs  %s\n", time.Since(began).Seconds(), title)
	return err
}

// hold tests a server with all clients.
func (b bench) hold(ctx context.Context, what, url string, args ...string) error {
	return errors.Join(
		b.do(ctx, "ask "+what+" in Go", append([]string{"./check", url}, args...)...),
		b.do(ctx, "ask "+what+" in TypeScript", append([]string{"node", "built/check.js", url}, args...)...),
	)
}

// askFever starts fever with what it has collected, and asks it.
func (b bench) askFever(ctx context.Context) error {
	cmd := b.command(ctx, b.fever, "serve", "--no-sync", "--db", "fever.db", "--listen", "127.0.0.1:0", "--ops-listen", "", "--log-format", "json")
	process, err := harness.Start(cmd, nil)
	if err != nil {
		return err
	}
	if err = process.Serve(ctx); err == nil {
		err = b.hold(ctx, "fever", "http://"+process.Address)
	}
	return errors.Join(err, process.Stop())
}

// askMock starts a server that answers as the document says, and asks it.
func (b bench) askMock(ctx context.Context) error {
	address, err := harness.Free(ctx) // the mock cannot inherit a listener
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	// Its log is on standard output.
	cmd := b.command(ctx, "sh", "-c", `exec "$0" "$@" >&2`, "node_modules/.bin/prism", "mock", "--multiprocess", "false", "--host", host, "--port", port, "openapi.yaml")
	listens := make(chan struct{})
	process, err := harness.Start(cmd, func(line harness.Line) {
		if strings.Contains(line.Text, "Prism is listening") {
			close(listens)
		}
	})
	if err != nil {
		return err
	}
	select {
	case <-listens:
		err = b.hold(ctx, "a mock", "http://"+address, "mock")
	case <-process.Ended:
		err = process.End
	case <-ctx.Done():
		err = ctx.Err()
	}
	return errors.Join(err, process.Stop())
}
