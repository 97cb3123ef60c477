package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fever/internal/harness"
)

// patience bounds every wait. It is for what hangs: on a busy machine things take their time.
const patience = 5 * time.Minute

// A process is a running fever serve.
type process struct {
	*harness.Process
	began  time.Time
	loaded chan struct{} // closed when what is stored has been loaded
	told   chan struct{} // gets an element after a job completed or failed, if there is room

	// Set when it has ended.
	starved   bool     // there is a limit to the file
	completed []uint64 // jobs that it said have completed
	failed    int      // jobs that it said have failed, of kind store
	unhappy   string   // the first line of its log that is not expected
}

// startProcess starts fever. If limit is not 0, it cannot write a file beyond so many bytes.
func startProcess(ctx context.Context, fever, config string, limit int64) (*process, error) {
	command := []string{fever, "serve", "--config", config, "--log-format", "json"}
	if limit > 0 {
		blocks := strconv.FormatInt(limit/512, 10)
		command = append([]string{"sh", "-c", `ulimit -f "$0" && exec "$@"`, blocks}, command...)
	}
	p := &process{began: time.Now(), loaded: make(chan struct{}), told: make(chan struct{}, 1), starved: limit > 0}
	var err error
	p.Process, err = harness.Start(harness.Command(ctx, command[0], command[1:]...), p.follow)
	return p, err
}

// follow reads a line of the log.
func (p *process) follow(line harness.Line) {
	switch line.Msg {
	case "loaded":
		close(p.loaded)
	case "serving":
	case "job completed":
		p.completed = append(p.completed, line.Job)
	case "the last process ended while jobs ran", "turns skipped: the job ran into them":
	default:
		switch {
		case p.starved && line.Msg == "job failed" && line.Kind == "store":
			p.failed++
		case p.starved && strings.HasSuffix(line.Msg, "not recorded"):
		case p.unhappy == "":
			p.unhappy = line.Text
		}
	}
	if strings.HasPrefix(line.Msg, "job ") {
		select {
		case p.told <- struct{}{}:
		default:
		}
	}
}

// kill sends SIGKILL, and returns when nothing is left of the process.
func (p *process) kill() error {
	p.Kill()
	if got := p.State(); got != "signal: killed" {
		return fmt.Errorf("fever ended by itself (%s): %s", got, p.unhappy)
	}
	if p.unhappy != "" {
		return fmt.Errorf("fever said: %s", p.unhappy)
	}
	return nil
}

// await waits for an event that must come while the process lives.
func (p *process) await(ctx context.Context, what string, c <-chan struct{}) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.Ended:
		return fmt.Errorf("fever ended by itself: %s", p.unhappy)
	case <-timer.C:
		return fmt.Errorf("after %s fever has not %s", patience, what)
	}
}

// search returns the answer to a search for all events.
func (p *process) search(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return harness.Get(ctx, "http://"+p.Address+"/search")
}

// searchOn searches until the process ends, and returns the last answer.
func (p *process) searchOn(ctx context.Context) (last []byte) {
	for {
		answer, err := p.search(ctx)
		if err != nil {
			return last
		}
		last = answer
	}
}

// decode returns the events of an answer.
func decode(answer []byte) ([]harness.Summary, error) {
	var decoded harness.Answer
	if err := json.Unmarshal(answer, &decoded); err != nil || decoded.Data == nil {
		return nil, fmt.Errorf("search: %w: %.200s", err, answer)
	}
	return decoded.Data.Events, nil
}

// dump runs fever dump and decodes what it prints.
func dump[T any](ctx context.Context, fever, db string, args ...string) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := harness.Output(harness.Command(ctx, fever, slices.Concat([]string{"dump", "--db", db, "--format", "json"}, args)...))
	if err != nil {
		return nil, err
	}
	var all []T
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, fmt.Errorf("fever dump: %w", err)
	}
	return all, nil
}
