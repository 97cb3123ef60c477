package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/spf13/cobra"

	"fever/config"
	"fever/store"
	"fever/store/bolt"
)

// copyCommand holds the settings of fever copy.
type copyCommand struct {
	from, to config.Place
	replace  bool
}

func newCopy() *cobra.Command {
	var c copyCommand
	cmd := &cobra.Command{
		Use:   "copy from to",
		Short: "Copy everything from a data file or a database to another one",
		Long: `Copy moves a store to another place: a data file, or the URL of a PostgreSQL database.
It copies all: events with when they were first seen and last changed, validators, how
far feeds of changes were taken, the outcomes of jobs with their ids, and revisions, so
that those who read what fever publishes go on where they were. In the copy every
provider is due at once.

Nothing may be collected meanwhile: stop every fever serve that uses either of them. A
file that is in use is refused, and so is a database while a job runs. What is in the
other place is read again and compared before the copy counts. Until then that place is
as it was, also if this command is killed. Beside a new file that leaves a file
.fever-backup-...: remove it.`,
		Example: `  fever copy /var/lib/fever/fever.db postgres://fever@db.example.com/fever
  fever copy postgres://fever@db.example.com/fever fever.db
  fever copy --replace backup.db postgres://fever@db.example.com/fever    # restore
  fever copy fever.db smaller.db                                          # without free pages`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.from, c.to = config.Place(args[0]), config.Place(args[1])
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&c.replace, "replace", false, "replace what is stored in the other place")
	return cmd
}

func (c *copyCommand) run(ctx context.Context, out, errOut io.Writer) (err error) {
	if c.from == c.to {
		return usagef("copy: the two places are the same")
	}
	from, err := readStore(ctx, c.from)
	if err != nil {
		return c.refused(err)
	}
	defer closing(from, &err)
	var t tally
	parts, stop := t.show(ctx, errOut, from.Parts(ctx, true))
	if c.to.Database() {
		err = c.toDatabase(ctx, parts)
	} else {
		err = c.toFile(ctx, parts)
	}
	stop()
	if err != nil {
		return c.refused(err)
	}
	_, err = fmt.Fprintf(out, "%s: %s, checked\n", c.to, &t)
	return err
}

// refused says what to do about an error.
func (c *copyCommand) refused(err error) error {
	switch {
	case errors.Is(err, store.ErrLocked):
		return fmt.Errorf("copy %s to %s: %w; fever backup makes a copy beside it", c.from, c.to, err)
	case errors.Is(err, store.ErrBusy):
		return fmt.Errorf("copy %s to %s: %w; stop every fever that collects into the database first", c.from, c.to, err)
	}
	return fmt.Errorf("copy %s to %s: %w", c.from, c.to, err)
}

func (c *copyCommand) toDatabase(ctx context.Context, parts iter.Seq2[store.Part, error]) (err error) {
	st, err := openStore(ctx, c.to, 1, 0)
	if err != nil {
		return err
	}
	defer closing(st, &err)
	if !c.replace {
		if err := isEmpty(ctx, st); errors.Is(err, errNotEmpty) {
			return fmt.Errorf("%w; add --replace to replace all of it", err)
		} else if err != nil {
			return err
		}
	}
	return st.Fill(ctx, parts)
}

var errNotEmpty = errors.New("something is stored there")

// isEmpty returns an error, errNotEmpty perhaps, unless the store has nothing.
func isEmpty(ctx context.Context, st store.Store) error {
	for p, err := range st.Parts(ctx, false) {
		switch {
		case err != nil:
			return err
		case p.Kind != store.HeadPart || p.Revision > 0:
			return errNotEmpty
		}
	}
	return nil
}

func (c *copyCommand) toFile(ctx context.Context, parts iter.Seq2[store.Part, error]) (err error) {
	file := newFile{path: string(c.to), of: c.from, replace: c.replace, flag: "--replace"}
	if err := file.may(); err != nil {
		return err
	}
	if c.replace {
		// Only a data file is replaced, and nobody may open it meanwhile.
		switch old, err := bolt.OpenReadOnly(file.path); {
		case err == nil:
			defer closing(old, &err)
		case !errors.Is(err, os.ErrNotExist):
			return err
		}
	}
	_, err = file.write(ctx, func(f *os.File) error { return fillFile(ctx, f.Name(), parts) })
	return err
}
