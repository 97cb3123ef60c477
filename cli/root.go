// Package cli is the command line: one file a command, which wires the packages that do the
// work, and prints. The settings are read by package config.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/config"
)

// Exit codes of the program.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main runs the program with the given arguments (without its name) until it is done
// or ctx ends, and returns its exit code: 0 done, 1 failed, 2 wrong usage.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	mendDefaults(root)  // they write to the outputs set above
	understood := false // cobra accepted the command, its flags and arguments
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		understood = true
		if err := config.Environment(cmd.Flags()); err != nil {
			return &usageError{err}
		}
		return nil
	}

	cmd, err := root.ExecuteContextC(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errReported):
		return exitFailed
	case !understood || errors.As(err, &usage):
		if cmd.Name() == "help" {
			cmd = root // the root lists the commands
		}
		_, _ = fmt.Fprintf(errOut, "fever: %v\nRun '%s --help' for how to use it.\n", err, cmd.CommandPath())
		return exitUsage
	default:
		_, _ = fmt.Fprintf(errOut, "fever: %v\n", err)
		return exitFailed
	}
}

// errReported is returned by a command that failed and has already printed why.
var errReported = errors.New("failed")

// A usageError is a mistake in the call or the settings that cobra does not detect.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// closing closes c in a deferred call. An error of Close becomes the function's error unless
// it already has one.
func closing(c io.Closer, err *error) {
	if e := c.Close(); *err == nil {
		*err = e
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "fever",
		Short: "Collect the events that providers sell and search them by time",
		Long: `Fever fetches the feeds of event providers on a schedule, keeps every event that was
ever on sale online with its latest known values, and answers over HTTP which events
start at or after one moment and end at or before another.

Every flag can also be set in the environment: FEVER_ and the flag's name in capitals,
with _ for -. A flag wins over the environment, and both win over the file of --config.
An empty variable counts as unset, and an empty value of a flag is refused, except for
--ops-listen and --archive, where it means none. fever warns of other variables that
begin with FEVER_.

It exits with 0 if all was done, 1 if something failed, and 2 if the command or the
settings are wrong.`,
		Example: `  fever serve                              # collect and serve http://localhost:8080/search
  fever sync --once && fever dump          # fetch once, then look at what is stored
  FEVER_DB=/var/lib/fever/fever.db fever serve --every 30s`,
		Version:       buildVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          known,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newServe(), newSync(), newDump(), newExplain(), newDecode(), newTry(), newBackup(), newCopy(), newCheck(), newForget(), newRename(), newReplay(), newDiff(), newHealth(), newVersion())
	return root
}

// flagError returns the error of parsing flags. A wrong value gets the words that it gets in the
// environment. After one dash, as in -ops-token=SECRET, pflag reads flags of one letter, and its
// error repeats all of them. The new one leaves out the value, which may be a secret.
func flagError(_ *cobra.Command, err error) error {
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s: %.40q: %w", wrong.GetFlag().Name, wrong.GetValue(), config.Invalid(wrong.GetFlag(), wrong.Unwrap()))
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || unknown.GetSpecifiedShortnames() == "" {
		return err
	}
	name, _, _ := strings.Cut(unknown.GetSpecifiedShortnames(), "=")
	return fmt.Errorf("unknown flag: -%s; write flags with two dashes", name)
}

// noArguments refuses arguments of a command that has none.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%.40q is too much: the command takes flags and no arguments", args[0])
	}
	return nil
}

// known returns an error for the first of args, those that remained after cmd was found.
func known(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := fmt.Sprintf("unknown command %q", args[0])
	if cmd.HasParent() {
		message += fmt.Sprintf(" of %s", cmd.CommandPath())
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
	}
	return errors.New(message)
}

// mendDefaults adds cobra's own commands, help and completion, and makes them refuse unknown
// arguments.
func mendDefaults(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Example = "  fever help sync"
			cmd.Args = func(_ *cobra.Command, args []string) error {
				found, left, _ := root.Find(args) // the remaining arguments are unknown
				return known(found, left)
			}
		case "completion":
			cmd.Example = "  source <(fever completion bash)          # for this shell; see fever completion bash --help"
			cmd.Args, cmd.RunE = known, root.RunE
		}
	}
}
