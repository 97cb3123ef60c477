package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"fever/config"
	"fever/store/bolt"
)

// backupCommand holds the settings of fever backup.
type backupCommand struct {
	config.DataFile
	force bool
}

func newBackup() *cobra.Command {
	var b backupCommand
	cmd := &cobra.Command{
		Use:   "backup file",
		Short: "Copy what is stored into a file, also while it is in use",
		Long: `Backup copies the data file as it is at one moment. A fever serve that holds the file
goes on meanwhile. The copy is a data file itself: to restore it, stop fever serve and
put the copy in place of the file. Of a database, too, the copy is a data file: any
fever serve --db FILE opens it, and fever copy brings it back into a database.

The copy gets its name when it is complete on disk and all values in it are checked. If
this command is killed, it leaves a file .fever-backup-... in the folder: remove it.
With - the copy goes to standard output instead, unchecked: discard it if this command
fails.`,
		Example: `  fever backup /backup/fever-$(date +%F).db
  fever backup --force /backup/fever.db    # replace the last one
  fever backup - | zstd > fever.db.zst
  fever backup --db postgres://fever@db.example.com/fever /backup/fever.db
  fever dump --db /backup/fever.db         # look into a copy`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := useFile(cmd, &b.DataFile); err != nil {
				return err
			}
			if args[0] == "-" {
				return b.toOutput(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return b.toFile(cmd.Context(), args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	b.Register(flags)
	flags.BoolVar(&b.force, "force", false, "replace an existing file")
	return cmd
}

func (b *backupCommand) toOutput(ctx context.Context, out, errOut io.Writer) (err error) {
	if isTerminal(out) {
		return usagef("a data file is nothing for a terminal: name a file, or send the output somewhere")
	}
	if !b.DB.Database() {
		return b.copyFile(ctx, out)
	}
	temporary, err := os.CreateTemp("", temporaryFiles)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer func() {
		_ = os.Remove(temporary.Name())
		closing(temporary, &err)
	}()
	if err := b.copyDatabase(ctx, temporary, errOut); err != nil {
		return err
	}
	_, err = io.Copy(out, temporary)
	return err
}

func (b *backupCommand) toFile(ctx context.Context, path string, out, errOut io.Writer) error {
	file := newFile{path: path, of: b.DB, replace: b.force, flag: "--force"}
	size, err := file.write(ctx, func(f *os.File) error { return b.write(ctx, f, errOut) })
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s: %s, checked\n", path, humanize.Bytes(uint64(size)))
	return err
}

// write makes f a copy of what is stored.
func (b *backupCommand) write(ctx context.Context, f *os.File, errOut io.Writer) error {
	if b.DB.Database() {
		return b.copyDatabase(ctx, f, errOut)
	}
	return b.copyFile(ctx, f)
}

// copyFile writes a copy of the data file to w. While a fever serve holds the file, that makes
// the copy.
func (b *backupCommand) copyFile(ctx context.Context, w io.Writer) (err error) {
	st, client, err := readOrReach(ctx, b.DB)
	switch {
	case err != nil:
		return err
	case st != nil:
		defer closing(st, &err)
		_, err = st.(*bolt.Store).Backup(ctx, w)
	default:
		_, err = client.Backup(ctx, w)
	}
	return err
}

// copyDatabase makes a data file of the database, of one moment. Nobody waits for it.
func (b *backupCommand) copyDatabase(ctx context.Context, f *os.File, errOut io.Writer) (err error) {
	st, err := readStore(ctx, b.DB)
	if err != nil {
		return noFile(err)
	}
	defer closing(st, &err)
	var t tally
	parts, stop := t.show(ctx, errOut, st.Parts(ctx, false))
	defer stop()
	return fillFile(ctx, f.Name(), parts)
}
