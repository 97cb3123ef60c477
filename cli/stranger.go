package cli

import (
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/config"
)

// strangers calls warn for each environment variable that is named as if it was a
// setting, and is none, with the setting that may be meant, or "". Settings are those of
// all commands. Variables that the configuration file refers to are in use.
func strangers(cmd *cobra.Command, inUse []string, warn func(name, nearest string)) {
	known := make(map[string]bool)
	var collect func(*cobra.Command)
	collect = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			if flag.Name != "help" && flag.Name != "version" {
				known[config.Variable(flag.Name)] = true
			}
		})
		for _, sub := range cmd.Commands() {
			collect(sub)
		}
	}
	collect(cmd.Root())
	for _, variable := range slices.Sorted(slices.Values(os.Environ())) {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, config.VariablePrefix) && !known[name] && !slices.Contains(inUse, name) && !ofKubernetes(name, value) {
			warn(name, nearest(name, slices.Sorted(maps.Keys(known))))
		}
	}
}

// serviceVariable matches what Kubernetes sets in each container for a service that is
// called fever, or fever and more, such as fever-ops
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
var serviceVariable = regexp.MustCompile(`^FEVER(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// ofKubernetes reports whether Kubernetes has set the variable. FEVER_PORT is a URL then,
// and what somebody took for a setting otherwise.
func ofKubernetes(name, value string) bool {
	return serviceVariable.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}

// nearest returns the name that is most like another one, or "" when none is like it.
// That is what cobra finds for commands, so it is asked.
func nearest(name string, names []string) string {
	menu := new(cobra.Command)
	for _, n := range names {
		menu.AddCommand(&cobra.Command{Use: n, Run: func(*cobra.Command, []string) {}})
	}
	const farthest = 3 // characters that differ
	for menu.SuggestionsMinimumDistance = 1; menu.SuggestionsMinimumDistance <= farthest; menu.SuggestionsMinimumDistance++ {
		if near := menu.SuggestionsFor(name); len(near) > 0 {
			return near[0]
		}
	}
	return ""
}

// logStrangers warns of them in the log.
func logStrangers(cmd *cobra.Command, log *slog.Logger, inUse []string) {
	strangers(cmd, inUse, func(name, nearest string) {
		attrs := []any{"variable", name}
		if nearest != "" {
			attrs = append(attrs, "nearest", nearest)
		}
		log.Warn("a variable in the environment is no setting and has no effect", attrs...)
	})
}

// useFile completes the settings of a command that has no log, and warns of strangers.
func useFile(cmd *cobra.Command, d *config.DataFile) error {
	if err := d.Complete(cmd.Flags()); err != nil {
		return &usageError{err}
	}
	strangers(cmd, d.Variables, func(name, nearest string) {
		if nearest != "" {
			nearest = " (did you mean " + nearest + "?)"
		}
		cmd.PrintErrf("fever: %s in the environment is no setting and has no effect%s\n", name, nearest)
	})
	return nil
}
