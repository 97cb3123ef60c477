package cli

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"fever/config"
	"fever/ingest"
	"fever/ingest/sandbox"
)

// decodeName is the command that makes this program the child of a sandbox.
const decodeName = "decode"

func newDecode() *cobra.Command {
	return &cobra.Command{
		Use:    decodeName,
		Short:  "Decode documents for fever serve, which starts it",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answers := os.NewFile(3, "answers")
			if _, err := answers.Stat(); err != nil {
				return usagef("only fever serve starts it")
			}
			return sandbox.Serve(cmd.InOrStdin(), answers, cmd.OutOrStdout(), config.ReadRecipe, sandbox.Confine())
		},
	}
}

// newSandbox returns what decodes documents of a provider in a process of its own.
func newSandbox(p *config.Provider, log *slog.Logger) (*sandbox.Sandbox, error) {
	recipe, err := p.Recipe()
	if err != nil {
		return nil, fmt.Errorf("provider %s: tell another process how to decode: %w", p.Name, err)
	}
	return &sandbox.Sandbox{Provider: p.Provider, Recipe: recipe, Command: []string{decodeName}, Log: log}, nil
}

// sandboxed returns the settings of the providers' jobs, which decode in processes of their own.
func sandboxed(c *config.Config, log *slog.Logger) ([]ingest.Provider, error) {
	all := collected(c)
	for i := range all {
		s, err := newSandbox(&c.Providers[i], log)
		if err != nil {
			return nil, err
		}
		all[i].Decode, all[i].Done = s.Decode, s.Close
		if all[i].Again != nil {
			all[i].Again = s.Again
		}
	}
	return all, nil
}
