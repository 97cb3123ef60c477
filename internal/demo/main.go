// Demo shows fever at work without a network. A small provider plays three answers one after
// the other and then fails, while fever collects, and the terminal shows how the result of
// one search changes. It fails when the last result is not as expected.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"fever/internal/harness"
)

const query = "/search?starts_at=2021-02-01T00:00:00Z&ends_at=2022-07-03T00:00:00Z"

// A row is one event of an answer, as the terminal shows it.
type row struct{ title, start, end, price string }

// expected is what the search must find after all three answers: events that are gone are
// kept, events that changed have their latest values, and events not sold online and zones
// without tickets do not count.
var expected = []row{
	{"Pantomima Full", "2021-02-10 20:00:00", "2021-02-10 21:30:00", "55 to 55"},
	{"Camela en concierto", "2021-06-30 21:00:00", "2021-06-30 21:30:00", "20 to 30"},
	{"Los Morancos", "2021-07-31 20:00:00", "2021-07-31 21:00:00", "65 to 65"},
}

// baseIDs has the base events of the titles.
var baseIDs = map[string]string{"Pantomima Full": "322", "Camela en concierto": "291", "Los Morancos": "1591"}

func main() {
	fever := flag.String("fever", "bin/fever", "the fever `binary`")
	feeds := flag.String("feeds", "testdata/feeds", "`folder` with the provider's answers")
	every := flag.Duration("every", 2*time.Second, "time from one answer to the next")
	flag.Parse()
	harness.Main("demo", func(ctx context.Context, out io.Writer) error {
		return harness.InTemp(func(dir string) error { return run(ctx, out, dir, *fever, *feeds, *every) })
	})
}

func run(ctx context.Context, out io.Writer, dir, fever, feeds string, every time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // for a fever that hangs
	defer cancel()
	var answers [][]byte
	for n := range 3 {
		answer, err := os.ReadFile(filepath.Join(feeds, fmt.Sprintf("event-list-%d.xml", n+1)))
		if err != nil {
			return err
		}
		answers = append(answers, answer)
	}
	url, stop, err := startProvider(ctx, answers)
	if err != nil {
		return err
	}
	defer stop()

	lines := make(chan harness.Line)
	watching, enough := context.WithCancel(ctx)
	defer enough()
	process, err := harness.Start(harness.Command(ctx, fever, "serve", "--listen", "127.0.0.1:0", "--ops-listen", "", "--db", filepath.Join(dir, "demo.db"),
		"--provider-url", url, "--every", every.String(), "--timeout", "10m", "--max-age", "0", "--log-format", "json"), func(line harness.Line) {
		select {
		case lines <- line:
		case <-watching.Done():
		}
	})
	if err != nil {
		return err
	}
	last, err := watch(ctx, out, process, lines, len(answers))
	enough()
	if e := process.Stop(); err == nil {
		err = e
	}
	if err == nil && process.State() != "exit status 0" {
		err = process.End
	}
	if err == nil && !slices.Equal(last, expected) {
		err = fmt.Errorf("the search ended with %v, not with %v", last, expected)
	}
	if err == nil {
		_, err = fmt.Fprintln(out, "\nThat is right: what was ever on sale online is found, with its latest known values.")
	}
	return err
}

// startProvider serves each answer once, in order, and then only errors.
func startProvider(ctx context.Context, answers [][]byte) (url string, stop func(), err error) {
	var asked atomic.Int64
	address, stop, err := harness.Listen(ctx, "", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := int(asked.Add(1))
		if n > len(answers) {
			http.Error(w, "out of order", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		_, _ = w.Write(answers[n-1]) // a client that is gone asks again
	}))
	return "http://" + address + "/api/events", stop, err
}

// watch follows the log of fever and shows the search after each job. It returns what the
// search found after the first job that failed, which comes after all the answers.
func watch(ctx context.Context, out io.Writer, process *harness.Process, lines <-chan harness.Line, answers int) (found []row, err error) {
	var base string
	for job := 0; ; {
		var line harness.Line
		select {
		case line = <-lines:
		case <-process.Ended:
			return nil, process.End
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch line.Msg {
		case "":
			return nil, fmt.Errorf("fever said: %s", line.Text) // not a line of its log
		case "serving":
			base = "http://" + line.Address
			_, err = fmt.Fprintf(out, "fever serves. The search, after each answer of the provider:\n\n  GET %s\n", query)
		case "job completed":
			job++
			_, err = fmt.Fprintf(out, "\nThe provider answers (%d of %d):\n", job, answers)
			if err == nil {
				found, err = show(ctx, out, base, found)
			}
		case "job failed":
			if job < answers {
				return nil, errors.New(line.Error)
			}
			_, err = fmt.Fprint(out, "\nThe provider is out of order (503). Searching goes on:\n")
			if err == nil {
				found, err = show(ctx, out, base, found)
			}
			return found, err
		}
		if err != nil {
			return nil, err
		}
	}
}

// show searches, prints what it finds, and marks what is not in before.
func show(ctx context.Context, out io.Writer, base string, before []row) ([]row, error) {
	body, err := harness.Get(ctx, base+query)
	if err != nil {
		return nil, err
	}
	var answer harness.Answer
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	var rows []row
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "  BASE\tTITLE\tSTART\tEND\tPRICES\t"); err != nil {
		return nil, err
	}
	for _, e := range answer.Data.Events {
		r := row{
			title: e.Title,
			start: e.StartDate + " " + e.StartTime,
			end:   e.EndDate + " " + e.EndTime,
			price: fmt.Sprintf("%s to %s", e.MinPrice, e.MaxPrice),
		}
		rows = append(rows, r)
		mark := ""
		if before != nil && !slices.Contains(before, r) {
			mark = "<- changed"
		}
		if _, err := fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", baseIDs[r.title], r.title, r.start, r.end, r.price, mark); err != nil {
			return nil, err
		}
	}
	return rows, table.Flush()
}
