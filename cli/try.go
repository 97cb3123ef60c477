package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/config"
	"fever/event"
	"fever/provider"
	"fever/provider/feed"
	"fever/provider/inspect"
)

// tryCommand holds the settings of fever try.
type tryCommand struct {
	config.Try
	form   form
	asJSON bool // what the form says
	row    int
	twice  bool
	limit  int
	at     string
	today  time.Time // that day; now if there is none

	tables  *tables // of the feed that was read last; nil: none were read
	came    bool    // a document did
	repeats bool    // the last page of that feed is the one before, once more
}

func newTry() *cobra.Command {
	var t tryCommand
	cmd := &cobra.Command{
		Use:   "try [file|URL]",
		Short: "Show what each row of a feed is read as, and store nothing",
		Long: `Try reads a provider's feed as a job would, and prints what became of each row:
the events that were made of it, or why it was rejected, ignored or deleted. It stores
nothing and opens no data file, so it can run beside fever serve.

It fetches from the provider's URL, or reads a file (- is standard input), or fetches
from another URL. The provider's credentials go to the host of its own URL only. Pages
are followed as a job follows them, except those of a file. A feed of changes is read
from its beginning, after its tables.

Under the rows it counts them by their fate, groups the reasons of rejections, and says
under "look at" what looks wrong although each row is valid: no event has a price, all
start at 00:00, one title throughout, and the like.

It exits with 0 if no row was rejected, 1 if some were or the feed cannot be read, and 2
if the command or the settings are wrong.`,
		Example: `  fever try --config fever.yaml --provider agenda
  fever try --config fever.yaml --provider agenda saved.json
  fever try --config fever.yaml --provider agenda --row 40
  fever try --entry agenda.yaml saved.json       # settings of this provider alone
  curl -s https://example.com/feed.xml | fever try -
  fever try --provider-url https://example.com/feed.xml --twice`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			source := strings.Join(args, "")
			if err := t.validate(cmd.Flags(), source); err != nil {
				return &usageError{err}
			}
			return t.run(cmd.Context(), source, streams{cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()})
		},
	}
	flags := cmd.Flags()
	t.Register(flags)
	t.form.register(flags, "`form` of the output: table or json (default table)")
	flags.IntVar(&t.row, "row", 0, "show the row with this `number` alone: what went in, and what came out")
	flags.BoolVar(&t.twice, "twice", false, "fetch again, and compare ids and values")
	flags.IntVar(&t.limit, "limit", 10, "list at most this `number` of rows that were read, of rows that were ignored or deleted, and for each reason (0: all)")
	flags.StringVar(&t.at, "at", "", "the `day` that counts as today, such as 2026-11-28: events before are past, and rules are expanded from its month on (default today)")
	return cmd
}

func (t *tryCommand) validate(flags *pflag.FlagSet, source string) error {
	form, err := t.form.choose("table", "table", "json")
	t.asJSON = form == "json"
	switch {
	case err != nil:
		return err
	case t.row < 0 || flags.Changed("row") && t.row == 0:
		return errors.New("--row must be at least 1")
	case t.limit < 0:
		return errors.New("--limit must not be negative")
	case t.twice && t.row > 0:
		return errors.New("--twice compares feeds, and --row shows one row: leave one of them out")
	case t.twice && source == "-":
		return errors.New("standard input (-) can be read only once: leave out --twice")
	}
	if err := t.Complete(flags); err != nil {
		return err
	}
	if t.today = time.Now(); t.at != "" {
		if t.today, err = time.ParseInLocation(time.DateOnly, t.at, t.Provider.Location); err != nil {
			return fmt.Errorf("--at %.40q is not a day such as 2026-11-28", t.at)
		}
	}
	if source == "" && !t.Provider.HasURL() {
		return errors.New("the entry has no url: give a file or a URL")
	}
	switch {
	case strings.Contains(source, "://"):
		t.Provider.Provider, err = t.Provider.At(source)
	case source != "": // a page that was saved is tried alone
		c := t.Provider.Config
		c.Pages = nil
		t.Provider.Provider, err = provider.New(c)
	}
	return err
}

// A trial is what fever try prints, as JSON.
type trial struct {
	Provider string `json:"provider"`
	Format   string `json:"format"`
	*inspect.Report
	Error string `json:"error,omitempty"` // why the feed cannot be read to its end
}

func (t *tryCommand) run(ctx context.Context, source string, std streams) error {
	rows := inspect.New(t.limit)
	rows.Number, rows.Reads = t.row, t.Provider.Format.Reads
	var document bytes.Buffer
	got, failed := t.read(ctx, source, std.in, &document, rows)
	if t.row > 0 {
		return t.printRow(std.out, rows, document.Bytes(), failed)
	}
	if !t.came && !t.asJSON {
		return failed
	}
	report := rows.Report(got, t.Provider.Location, t.today)
	if got != nil && got.Page.URL != nil && got.Page.Number == 1 && t.Provider.Pages != nil {
		report.LookAt = append(report.LookAt, "the feed has one page, although `pages` is set")
	}
	if t.repeats {
		report.LookAt = append(report.LookAt, "the last page has the same bytes as the one before: if the feed goes on, what asks for a page (`pages`) is ignored")
	}
	if t.tables != nil && failed == nil {
		report.LookAt = append(report.LookAt, t.tables.lookAt()...)
	}
	if t.Provider.Format.Again != nil && report.Ignored > 0 && report.Ignored == report.Rows {
		report.LookAt = append(report.LookAt, "items without dates are ignored: those of series and facilities make a table (`tables`) of the feed that has the dates")
	}
	if len(t.Provider.Tables) > 0 && source != "" && !strings.Contains(source, "://") {
		report.LookAt = append(report.LookAt, "the tables of a file are not read: rows that refer to them are rejected")
	}
	if t.twice && failed == nil {
		again, err := t.read(ctx, source, std.in, nil, inspect.New(1))
		if err == nil {
			report.LookAt = append(report.LookAt, inspect.Compare(got, again)...)
		}
		failed = err
	}
	tried := trial{Provider: t.Provider.Name, Format: t.Provider.Format.Name, Report: report}
	if failed != nil {
		tried.Error = failed.Error()
	}
	printed := printTrial
	if t.asJSON {
		printed = func(w io.Writer, tried *trial) error { return printJSON(w, tried) }
	}
	if err := printed(std.out, &tried); err != nil {
		return err
	}
	switch {
	case failed != nil:
		return failed
	case got.Rejected > 0:
		return errReported
	}
	return nil
}

// read makes a feed of the source, with all its pages, and has rows see the rows. For --row it
// keeps the beginning of the document.
func (t *tryCommand) read(ctx context.Context, source string, in io.Reader, kept *bytes.Buffer, rows *inspect.Inspection) (*feed.Feed, error) {
	p := t.Provider.Provider
	var parent func(string) ([]byte, error)
	if len(p.Tables) > 0 && (source == "" || strings.Contains(source, "://")) {
		var err error
		if t.tables, err = readTables(ctx, p); err != nil {
			return nil, err
		}
		parent = t.tables.parent
	}
	doc, err := openSource(ctx, p, source, in)
	var pages feed.Pages
	var before [32]byte // digest of the page before
	t.came = t.came || err == nil
	for err == nil {
		doc.Parent = parent
		got, failed := t.decode(doc, kept, rows)
		switch {
		case failed != nil:
			return nil, failed
		case got.Page.URL == nil, (got.Next == nil || got.UpToDate) && got.Page.Number <= 1: // a file is one page, whatever it says
			return got, nil
		}
		if err := pages.Add(got); err != nil {
			return nil, err
		}
		t.repeats = got.UpToDate && got.Rows > 0 && got.Validators.Digest == before && before != [32]byte{}
		before = got.Validators.Digest
		switch {
		case got.Next == nil || got.UpToDate:
			return pages.Feed(), nil
		case got.Page.Number == feed.MaxPages: // of a feed of changes, which may have any number
			return nil, fmt.Errorf("the feed goes on after %d pages, and no more are tried", feed.MaxPages)
		}
		rows.Page()
		doc, err = p.GetPage(ctx, got.Next, nil)
	}
	return nil, err
}

// decode makes a feed of one document.
func (t *tryCommand) decode(doc *feed.Document, kept *bytes.Buffer, rows *inspect.Inspection) (*feed.Feed, error) {
	defer func() { _ = doc.Body.Close() }() // read to its end, or given up
	doc.Trace = rows.Trace
	if row, _ := rows.Row(); t.row > 0 && row == nil { // it is not on a page before
		kept.Reset()
		doc.Body = &keeper{doc.Body, kept}
	}
	began := doc.Page.Began
	doc.Page.Began = t.today // moves the window of formats that expand rules
	got, err := t.Provider.Decode(doc)
	if err == nil && got.Next != nil {
		got.Next.Began = began // bounds the time of all pages
	}
	return got, err
}

// maxKept bounds the beginning of a document that is kept to show a row of it, in bytes.
const maxKept = 16 << 20

// A keeper keeps the beginning of what is read through it.
type keeper struct {
	io.ReadCloser
	kept *bytes.Buffer
}

func (k *keeper) Read(b []byte) (int, error) {
	n, err := k.ReadCloser.Read(b)
	k.kept.Write(b[:min(n, maxKept-k.kept.Len())])
	return n, err
}

// openSource gets the document of a provider, or makes one of the named file.
func openSource(ctx context.Context, p *provider.Provider, source string, in io.Reader) (*feed.Document, error) {
	if source == "" || strings.Contains(source, "://") {
		return p.Get(ctx, feed.Validators{}, nil)
	}
	return readSnapshot(ctx, p, source, in, nil)
}

// printJSON prints a value in JSON for people and programs.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// Most characters of a cell, such as two starts with a time zone, and of a reason.
const (
	maxCell   = 80
	maxReason = 300
)

func printTrial(w io.Writer, tried *trial) error {
	r := tried.Report
	p := &printer{w: w}
	var lines [][]string
	if len(r.List) > 0 {
		lines = append(lines, append([]string{"ROW", "LINE", "READ AS"}, inspect.Columns...))
	}
	for i := range r.List {
		row := &r.List[i]
		cells := row.Cells()
		for i := range cells {
			cells[i] = cell(cells[i], maxCell)
		}
		if why := row.Why(); why != "" {
			cells = []string{cell(why, maxReason)}
		}
		lines = append(lines, append([]string{strconv.Itoa(row.Number), row.Place(), row.ReadAs()}, cells...))
	}
	printAligned(p, lines)
	if more := r.Unlisted(); more > 0 {
		p.printf("and %s more\n", count(more, "row", ""))
	}
	p.printf("%s\n", r.Summary())
	for _, reason := range r.Reasons {
		p.printf("rejected: %s, the first is row %d on %s: %s\n", count(reason.Rows, "row", ""), reason.Row, reason.Place(), cell(reason.Text, maxReason))
	}
	if len(r.Unread) > 0 {
		p.printf("never read: %s\n", cell(strings.Join(r.Unread, ", "), maxReason))
	}
	label := "look at: "
	for _, what := range r.LookAt {
		p.printf("%s%s\n", label, line(what))
		label = strings.Repeat(" ", len(label))
	}
	return p.err
}

// printAligned prints lines of cells in columns. The last cell of a line is as long as it is: it
// takes no part in the width of its column, so that a reason does not move what is beside it.
func printAligned(p *printer, lines [][]string) {
	var widths []int
	for _, cells := range lines {
		for i := range len(cells) - 1 {
			widths = append(widths, make([]int, max(0, i+1-len(widths)))...)
			widths[i] = max(widths[i], runewidth.StringWidth(cells[i]))
		}
	}
	for _, cells := range lines {
		for i, text := range cells[:len(cells)-1] {
			p.printf("%s  ", runewidth.FillRight(text, widths[i]))
		}
		p.printf("%s\n", cells[len(cells)-1])
	}
}

// A triedRow is what --row prints.
type triedRow struct {
	Row        int              `json:"row"`
	Line       int              `json:"line"`
	In         any              `json:"in"` // as the mapping program reads it; in other formats the lines of the document
	Out        []event.Event    `json:"out"`
	Rejections []feed.Rejection `json:"rejections"`
}

// printRow prints one row, with all that is known of it.
func (t *tryCommand) printRow(w io.Writer, rows *inspect.Inspection, document []byte, failed error) error {
	r, after := rows.Row()
	if r == nil {
		return cmp.Or(failed, fmt.Errorf("the feed has no row %d", t.row))
	}
	tried := triedRow{t.row, r.Line, r.Value, slices.Concat([]event.Event{}, r.Events), slices.Concat([]feed.Rejection{}, r.Rejections)}
	if r.Value == nil {
		tried.In = linesOf(document, r.Line, after)
	}
	print := printRowText
	if t.asJSON {
		print = func(w io.Writer, r *triedRow) error { return printJSON(w, r) }
	}
	err := print(w, &tried)
	if err == nil && len(r.Rejections) > 0 {
		err = errReported
	}
	return err
}

// maxLines bounds the lines of a document that are shown for a row.
const maxLines = 30

// linesOf returns the lines of a document from one to that before another; 0: to its end.
func linesOf(document []byte, from, to int) string {
	lines := bytes.SplitAfter(document, []byte("\n"))
	from = min(max(from-1, 0), len(lines))
	if to--; to <= from { // unknown, or the rows are on one line
		to = from + 1
	}
	to = min(to, from+maxLines, len(lines))
	return string(bytes.TrimSpace(bytes.Join(lines[from:to], nil)))
}

func printRowText(w io.Writer, r *triedRow) error {
	p := &printer{w: w}
	p.printf("row %d, line %d: %s, %s\n", r.Row, r.Line, count(len(r.Out), "event", ""), count(len(r.Rejections), "rejection", ""))
	if text, is := r.In.(string); is {
		p.printf("in:\n%s\n", lines(text))
	} else {
		p.printf("in:\n%s", indented(r.In))
	}
	for i := range r.Out {
		p.printf("out:\n%s", indented(r.Out[i]))
	}
	for _, rejection := range r.Rejections {
		p.printf("rejected: %s\n", line(rejection.Reason))
	}
	return p.err
}

// indented returns a value as JSON for people.
func indented(v any) string {
	var text strings.Builder
	if err := printJSON(&text, v); err != nil {
		return line(err.Error()) + "\n"
	}
	return lines(text.String())
}

// lines makes text from outside safe to print, as [line] does, but keeps the lines.
func lines(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, text)
}
