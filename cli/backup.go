package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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
		Short: "Copy the data file, also while it is in use",
		Long: `Backup copies the data file as it is at one moment. A fever serve that holds the file
goes on meanwhile. The copy is a data file itself: to restore it, stop fever serve and
put the copy in place of the file.

The copy gets its name when it is complete on disk and all values in it are checked. If
this command is killed, it leaves a file .fever-backup-... in the folder: remove it.
With - the copy goes to standard output instead, unchecked: discard it if this command
fails.`,
		Example: `  fever backup /backup/fever-$(date +%F).db
  fever backup --force /backup/fever.db    # replace the last one
  fever backup - | zstd > fever.db.zst
  fever dump --db /backup/fever.db         # look into a copy`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := useFile(cmd, &b.DataFile); err != nil {
				return err
			}
			if args[0] == "-" {
				return b.toOutput(cmd.Context(), cmd.OutOrStdout())
			}
			return b.toFile(cmd.Context(), args[0], cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	b.Register(flags)
	flags.BoolVar(&b.force, "force", false, "replace an existing file")
	return cmd
}

func (b *backupCommand) toOutput(ctx context.Context, out io.Writer) error {
	if isTerminal(out) {
		return usagef("a data file is nothing for a terminal: name a file, or send the output somewhere")
	}
	_, err := b.copy(ctx, out)
	return err
}

// toFile writes a temporary file beside path and renames it at the end, so that there is
// never an incomplete copy at path.
func (b *backupCommand) toFile(ctx context.Context, path string, out io.Writer) (err error) {
	if err := b.mayReplace(path); err != nil {
		return err
	}
	folder := filepath.Dir(path)
	temporary, err := os.CreateTemp(folder, ".fever-backup-") // with the mode 0600
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name()) // the first error matters more
		}
	}()
	n, err := b.copy(ctx, temporary)
	if err == nil {
		err = temporary.Sync()
	}
	closing(temporary, &err)
	if err != nil {
		return fmt.Errorf("back up to %s: %w", path, err)
	}
	if err := check(temporary.Name()); err != nil {
		return fmt.Errorf("back up to %s: the copy is of no use, and was removed: %w", path, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.mayReplace(path); err != nil { // again, as the copy took a while
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if err := syncFolder(folder); err != nil {
		return fmt.Errorf("back up to %s: %w", path, err)
	}
	_, err = fmt.Fprintf(out, "%s: %s, checked\n", path, humanize.Bytes(uint64(n)))
	return err
}

// mayReplace returns an error if there is something at path that must not be replaced.
func (b *backupCommand) mayReplace(path string) error {
	there, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("back up: %w", err)
	case !there.Mode().IsRegular():
		return fmt.Errorf("back up: %s is there, and no file", path)
	case !b.force:
		return fmt.Errorf("back up: %s is there; choose another name, or add --force to replace it", path)
	}
	if own, err := os.Stat(string(b.DB)); err == nil && os.SameFile(own, there) {
		return fmt.Errorf("back up: %s is the data file itself", path)
	}
	return nil
}

// copy writes a copy of the data file to w. While a fever serve holds the file, that makes
// the copy.
func (b *backupCommand) copy(ctx context.Context, w io.Writer) (n int64, err error) {
	st, client, err := readOrReach(ctx, b.DB)
	if err != nil {
		return 0, err
	}
	if st != nil {
		defer closing(st, &err)
		file, ok := st.(*bolt.Store)
		if !ok {
			return 0, usagef("back up: %s is no file: back it up with the tools of PostgreSQL, such as pg_dump", b.DB)
		}
		return file.Backup(ctx, w)
	}
	return client.Backup(ctx, w)
}

// check opens a copy as a data file, and checks every value in it.
func check(path string) (err error) {
	st, err := bolt.OpenReadOnly(path)
	if err != nil {
		return err
	}
	defer closing(st, &err)
	return st.Check()
}

// syncFolder flushes the names in a folder to disk.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // opened for reading
	return folder.Sync()
}
