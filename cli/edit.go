package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/pflag"

	"fever/archive"
	"fever/config"
	"fever/ops/control"
	"fever/store"
)

// editFlags holds the common settings of fever forget and fever rename.
type editFlags struct {
	config.DataFile
	dryRun bool
	alone  bool // no fever serve has done the work; set by edit
}

func (e *editFlags) register(flags *pflag.FlagSet) {
	e.Register(flags)
	e.RegisterTimeZone(flags)
	e.RegisterArchive(flags)
	flags.BoolVar(&e.dryRun, "dry-run", false, "print what would be done, and change nothing")
}

// An edit changes what is stored.
type edit[What, Done any] struct {
	*editFlags

	what      What
	check     func(store.Store) error // says what forbids it; nil: nothing does
	here      func(store.Store, context.Context, What) (Done, error)
	there     func(*control.Client, context.Context, What) (Done, error)
	provider  string // whose documents are changed
	documents func(*archive.Archive) error
	again     bool // the archive can be changed twice
}

// do changes what is stored: here, or there, in the fever serve that holds the data file. Here
// it changes the archive first: if this ends in between, it can be done again.
func (e *edit[What, Done]) do(ctx context.Context) (done Done, err error) {
	st, client, err := openOrReach(ctx, e.DB, func() (store.Store, error) { return openToEdit(ctx, e.DB, e.dryRun) })
	switch {
	case err != nil:
		return done, noFile(err)
	case st != nil:
		e.alone = true
		defer closing(st, &err)
		if err := inZones(ctx, st, &e.DataFile); err != nil {
			return done, err
		}
		if e.check != nil {
			if err := e.check(st); err != nil {
				return done, err
			}
		}
		archived := false
		if !e.dryRun {
			if archived, err = editArchive(ctx, &e.Archive, e.provider, e.documents); err != nil {
				return done, err
			}
		}
		done, err = whenFree(ctx, func() (Done, error) { return e.here(st, ctx, e.what) })
		if errors.Is(err, store.ErrNothing) && archived && !e.Assumed {
			err = fmt.Errorf("%w; the archive %s was changed all the same", err, e.Archive.At)
		}
		if _, shared := st.(store.Shared); shared && err == nil && !e.dryRun && e.again {
			// Another process may have written documents of a job that ran until then.
			_, err = editArchive(ctx, &e.Archive, e.provider, e.documents)
		}
		return done, err
	}
	done, err = e.there(client, ctx, e.what)
	if errors.Is(err, control.ErrBroken) {
		err = fmt.Errorf("%w; fever dump --jobs says whether it was done", err)
	}
	return done, err
}

// openToEdit opens what is there already. It keeps all outcomes of jobs and all history, since
// --keep-jobs and --history are settings of other commands.
func openToEdit(ctx context.Context, db config.Place, dryRun bool) (store.Store, error) {
	st, err := readStore(ctx, db)
	if err != nil || dryRun {
		return st, err
	}
	if err := st.Close(); err != nil {
		return nil, err
	}
	return openStore(ctx, db, math.MaxInt, math.MaxInt64)
}

// first prints the first of the events.
func (p *printer) first(sel *store.Selection) {
	for _, r := range sel.First {
		p.printf("  %-19s  %s  (%s/%s)\n", strings.TrimSuffix(r.Start.String()+" "+r.TimeZone, " "), cell(r.Title, 60), r.BaseID, r.EventID)
	}
	if more := sel.Events - len(sel.First); more > 0 {
		p.printf("  and %d more, to the one that ends %s\n", more, sel.To.Format(time.RFC3339))
	}
}

// elsewhere prints which documents are not reached, unless a fever serve has done the work, or somebody has said
// where they are.
func (p *printer) elsewhere(e *editFlags) {
	if e.alone && e.Assumed {
		p.printf("Documents in an archive that is not beside the data file stay as they are: name it with --archive, or the settings with --config.\n")
	}
}

// end prints whether something was changed.
func (p *printer) end(dryRun bool, record *store.Job) {
	switch {
	case dryRun:
		p.printf("Nothing was changed: leave out --dry-run to do it.\n")
	case record.ID == 0:
		p.printf("Nothing was changed.\n")
	default:
		p.printf("It is recorded as job %d.\n", record.ID)
	}
}

// selected returns how many events there are, and how many of them are current.
func selected(sel *store.Selection) string {
	text := count(sel.Events, "event", "events")
	if sel.Current > 0 {
		text += fmt.Sprintf(", %d of them in the latest snapshot", sel.Current)
	}
	return text
}

// count writes a number of things without separators, as all numbers that the commands print.
func count(n int, singular, plural string) string {
	return fmt.Sprintf("%d %s", n, english.PluralWord(n, singular, plural))
}
