package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fever/config"
	"fever/store"
)

func newCheck() *cobra.Command {
	var db config.DataFile
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read all that is stored, and say whether it is in order",
		Long: `Check reads every value of a data file or a database: checksums, whether each is as
fever writes it, and whether they agree with each other. It changes nothing. It prints
what it has read or, with exit code 1, what is damaged.

A database is checked as it is at one moment, while others use it. A data file that a
fever serve holds is refused: fever backup makes a copy of it meanwhile, and checks that.`,
		Example: `  fever check --db /backup/fever.db
  fever check --db postgres://fever@db.example.com/fever`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := useFile(cmd, &db); err != nil {
				return err
			}
			return check(cmd.Context(), db.DB, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	db.Register(cmd.Flags())
	return cmd
}

func check(ctx context.Context, db config.Place, out, errOut io.Writer) (err error) {
	st, err := readStore(ctx, db)
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w; fever backup makes a copy beside it, and checks that", err)
	}
	if err != nil {
		return noFile(err)
	}
	defer closing(st, &err)
	if err := st.Check(); err != nil {
		return err
	}
	var t tally
	parts, stop := t.show(ctx, errOut, st.Parts(ctx, false))
	var revision store.Revision
	for p, failed := range parts {
		if err = failed; err != nil {
			break
		}
		revision += p.Revision // of the head alone
	}
	stop()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %s, at revision %d: all in order\n", db, &t, revision)
	return err
}
