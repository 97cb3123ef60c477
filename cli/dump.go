package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"fever/event"
	"fever/store"
)

// dumping holds the settings of fever dump.
type dumping struct {
	db       string
	format   string
	provider string
	startsAt string
	endsAt   string
	limit    int
}

func newDump() *cobra.Command {
	var d dumping
	cmd := &cobra.Command{
		Use:   "dump",
		Short: "Print what is stored",
		Long: `Dump prints the stored events in the order of a search: by start, end and id. The
form is a table for people, json (one array), ndjson (one event a line) or csv.`,
		Example: `  fever dump
  fever dump --starts-at 2021-02-01T00:00:00Z --ends-at 2022-07-03T00:00:00Z
  fever dump --format ndjson | jq -r 'select(.current) | .title'
  fever dump --format csv --limit 1000 > events.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return d.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&d.db, "db", defaultDB, "the data `file`")
	flags.StringVar(&d.format, "format", "", "`form`: table, json, ndjson or csv (default table on a terminal, else ndjson)")
	flags.StringVar(&d.provider, "provider", "", "only the events of the provider with this `name`")
	flags.StringVar(&d.startsAt, "starts-at", "", "only events that start at this RFC 3339 `time` or later")
	flags.StringVar(&d.endsAt, "ends-at", "", "only events that end at this RFC 3339 `time` or earlier")
	flags.IntVar(&d.limit, "limit", 0, "at most this `number` of events (0: all)")
	return cmd
}

func (d *dumping) run(ctx context.Context, out io.Writer) (err error) {
	filter, err := d.filter()
	if err != nil {
		return err
	}
	form := d.format
	if form == "" {
		form = "ndjson"
		if isTerminal(out) {
			form = "table"
		}
	}
	write, ok := dumpFormats[form]
	if !ok {
		return usagef("--format %q is none of table, json, ndjson and csv", d.format)
	}
	st, err := store.OpenReadOnly(d.db)
	if err != nil {
		return err
	}
	defer func() {
		if e := st.Close(); err == nil {
			err = e
		}
	}()
	buffered := bufio.NewWriterSize(out, 64<<10)
	if err := write(buffered, st.Records(ctx, filter)); err != nil {
		return err
	}
	return buffered.Flush()
}

func (d *dumping) filter() (store.Filter, error) {
	f := store.Filter{Provider: d.provider, Window: event.Always, Limit: d.limit}
	if d.limit < 0 {
		return f, usagef("--limit must not be negative")
	}
	if d.startsAt != "" {
		at, err := event.ParseInstant(d.startsAt)
		if err != nil {
			return f, usagef("--starts-at %q: %w; write it like 2021-06-30T21:00:00Z", d.startsAt, err)
		}
		f.Window.From = at.Ceil()
	}
	if d.endsAt != "" {
		at, err := event.ParseInstant(d.endsAt)
		if err != nil {
			return f, usagef("--ends-at %q: %w; write it like 2021-06-30T22:00:00Z", d.endsAt, err)
		}
		f.Window.To = at.Floor()
	}
	return f, nil
}

// isTerminal reports whether w is a terminal, or another device for characters.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

type records = iter.Seq2[event.Record, error]

var dumpFormats = map[string]func(io.Writer, records) error{
	"table":  dumpTable,
	"json":   dumpJSON,
	"ndjson": dumpNDJSON,
	"csv":    dumpCSV,
}

// A dumped record is a record with its public id.
type dumped struct {
	ID uuid.UUID `json:"id"`
	event.Record
}

func dumpNDJSON(w io.Writer, all records) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for r, err := range all {
		if err != nil {
			return err
		}
		if err := encoder.Encode(dumped{r.ID(), r}); err != nil {
			return err
		}
	}
	return nil
}

func dumpJSON(w io.Writer, all records) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	separator := "["
	for r, err := range all {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		if err := encoder.Encode(dumped{r.ID(), r}); err != nil {
			return err
		}
		separator = ","
	}
	if separator == "[" {
		_, err := io.WriteString(w, "[]\n")
		return err
	}
	_, err := io.WriteString(w, "]\n")
	return err
}

func dumpCSV(w io.Writer, all records) error {
	c := csv.NewWriter(w)
	header := []string{
		"id", "provider", "base_id", "event_id", "title", "organizer_company_id", "start", "end", "sell_from", "sell_to",
		"sold_out", "min_price", "max_price", "zones", "first_seen", "last_changed", "current",
	}
	if err := c.Write(header); err != nil {
		return err
	}
	for r, err := range all {
		if err != nil {
			return err
		}
		zones, err := json.Marshal(r.Zones)
		if err != nil {
			return err
		}
		lowest, highest := r.PriceRange()
		const millis = "2006-01-02T15:04:05.000Z07:00"
		if err := c.Write([]string{
			r.ID().String(), r.Provider, r.BaseID, r.EventID, r.Title, r.OrganizerID, r.Start.String(), r.End.String(), r.SellFrom, r.SellTo,
			strconv.FormatBool(r.SoldOut), lowest.String(), highest.String(), string(zones),
			r.FirstSeen.Format(millis), r.LastChanged.Format(millis), strconv.FormatBool(r.Current),
		}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func dumpTable(w io.Writer, all records) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	count := 0
	for r, err := range all {
		if err != nil {
			return err
		}
		if count == 0 {
			if _, err := fmt.Fprintln(t, "START\tEND\tPRICES\tTICKETS\tCURRENT\tTITLE\tEVENT\tID"); err != nil {
				return err
			}
		}
		count++
		if _, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", when(r.Start), when(r.End), prices(&r.Event), tickets(&r.Event),
			yes(r.Current), r.Title, r.Key, r.ID()); err != nil {
			return err
		}
	}
	if count == 0 {
		_, err := fmt.Fprintln(w, "No events.")
		return err
	}
	return t.Flush()
}

func when(l event.Local) string {
	if l.IsZero() {
		return "-"
	}
	return strings.Replace(l.String(), "T", " ", 1)
}

func prices(e *event.Event) string {
	lowest, highest := e.PriceRange()
	switch {
	case !lowest.Known():
		return "-"
	case lowest == highest:
		return lowest.String()
	}
	return lowest.String() + " to " + highest.String()
}

// tickets returns the number of tickets left over all zones.
func tickets(e *event.Event) string {
	if e.SoldOut {
		return "sold out"
	}
	var n int64
	for i := range e.Zones {
		n += e.Zones[i].Capacity
	}
	return strconv.FormatInt(n, 10)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
