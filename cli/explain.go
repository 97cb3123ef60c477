package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"fever/config"
	"fever/explain"
	"fever/ops/control"
	"fever/store"
)

// explainCommand holds the settings of fever explain.
type explainCommand struct {
	config.DataFile
	control.Explanation
	asJSON bool
}

func newExplain() *cobra.Command {
	var e explainCommand
	cmd := &cobra.Command{
		Use:   "explain event",
		Short: "Say what is known of an event, and why a search finds it or not",
		Long: `Explain says what is stored of an event, since when, from which jobs, whether newer
rows of it were rejected, whether it is sold now, what changed last and when (fever
dump --history prints all that is kept), when it is and in which time zone its times
count, and which zones make its price. If the archive has the document, explain says
from which row its values come: the job, the page, the line and, where the format
tells them, the bytes. With --starts-at, --ends-at or --match, the parameters of a
search, it says whether that search finds the event, and why.

The event is its public id, provider/base id/event id, or a part of its title in any
case, with or without accents. An id, or ids, from before fever rename name it, too,
while the record of that is kept. If no such event is stored and you gave its id or
ids, explain lists the rows with these ids that jobs have rejected, as far as their
outcomes tell. Then it reads the documents of the archive again, the newest first and
for at most a minute, and says whether such a row was rejected, ignored or deleted,
and how far back it has looked. While fever serve runs, that looks for ten seconds.
Of a title it reads the documents of each provider's latest completed job alone, and
says which row with that title was rejected, the last one of each document.
Documents are read with the settings of today. If no event was found the exit status
is 1, whatever is told.`,
		Example: `  fever explain feverup/291/291
  fever explain camela --starts-at 2021-06-01T00:00:00Z --ends-at 2021-06-30T20:00:00Z
  fever explain 1b671a64-40d5-591e-99b0-da01ff1f3341 --match overlap --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := useFile(cmd, &e.DataFile); err != nil {
				return err
			}
			if e.Event = args[0]; e.Event == "" {
				return usagef("say which event: an id, provider/base id/event id, or a part of a title")
			}
			return e.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	e.Register(flags)
	e.RegisterTimeZone(flags)
	e.RegisterArchive(flags)
	flags.StringVar(&e.StartsAt, "starts-at", "", "starts_at of a search: an RFC 3339 `time`")
	flags.StringVar(&e.EndsAt, "ends-at", "", "ends_at of a search: an RFC 3339 `time`")
	flags.StringVar(&e.Match, "match", "", "`match` of a search: within or overlap")
	flags.BoolVar(&e.asJSON, "json", false, "print JSON")
	return cmd
}

func (e *explainCommand) run(ctx context.Context, out, progress io.Writer) error {
	answer, err := e.answer(ctx, progress)
	if err != nil {
		return err
	}
	if e.asJSON {
		lines := json.NewEncoder(out)
		lines.SetEscapeHTML(false)
		lines.SetIndent("", "  ")
		if err := lines.Encode(answer); err != nil {
			return err
		}
	} else if err := printAnswer(out, e.Event, &answer); err != nil {
		return err
	}
	if len(answer.Events) == 0 {
		return errReported
	}
	return nil
}

// answer asks the store, or the fever serve that holds the data file.
func (e *explainCommand) answer(ctx context.Context, progress io.Writer) (answer explain.Answer, err error) {
	search, err := explain.ParseSearch(e.StartsAt, e.EndsAt, e.Match)
	if err != nil {
		return answer, &usageError{err}
	}
	st, client, err := readOrReach(ctx, e.DB)
	if err != nil {
		return answer, err
	}
	if st == nil {
		return client.Explain(ctx, e.Explanation)
	}
	defer closing(st, &err)
	if err := inZones(ctx, st, &e.DataFile); err != nil {
		return answer, err
	}
	place, done, err := archiveAt(ctx, &e.Archive)
	if err != nil {
		return answer, &usageError{err}
	}
	defer done()
	docs, err := e.documents(ctx, st, progress)
	if err != nil {
		return answer, err
	}
	docs.Archive = place
	return explain.Explain(ctx, st, docs, e.Event, search)
}

const (
	// longestSearch is how long the command reads documents of the archive.
	longestSearch = time.Minute
	// searchNews is after how long, and how often, it says how far it is.
	searchNews = 5 * time.Second
)

// documents returns what is needed to read the documents of the archive again.
func (e *explainCommand) documents(ctx context.Context, st store.Store, progress io.Writer) (*explain.Documents, error) {
	formats, err := e.Formats()
	if err != nil {
		return nil, &usageError{err}
	}
	locations, _, err := st.Locations(ctx)
	if err != nil {
		return nil, err
	}
	readers := make(map[string]explain.Reader)
	for name, format := range formats {
		readers[name] = explain.NewReader(format, name, cmp.Or(locations[name], e.Locations[name], time.UTC))
	}
	told := time.Now()
	return &explain.Documents{Readers: readers, Time: longestSearch, Looked: func(documents int, since time.Time) {
		if time.Since(told) >= searchNews {
			told = time.Now()
			_, _ = fmt.Fprintf(progress, "fever: %d documents of the archive were searched, back to %s\n", documents, since.Format(millis)) // nobody needs it
		}
	}}, nil
}

// maxFact bounds the characters of a line: those of a row are the most.
const maxFact = 5000

// printAnswer prints an answer for people.
func printAnswer(out io.Writer, asked string, answer *explain.Answer) error {
	p := &printer{w: out}
	for i := range answer.Events {
		if i > 0 {
			p.printf("\n")
		}
		p.printf("%s\n", cell(answer.Events[i].Title, 200))
		for _, fact := range answer.Events[i].Facts() {
			p.printf("  %-13s %s\n", fact.Name, cell(fact.Value, maxFact))
		}
	}
	if answer.More > 0 {
		p.printf("\nand %s more: say more of the title, or an id\n", count(answer.More, "event", "events"))
	}
	if len(answer.Events) > 0 {
		return p.err
	}
	for _, text := range answer.Missing(asked) {
		p.printf("%s\n", cell(text, maxFact))
	}
	return p.err
}
