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

// unknownVariables calls warn for each environment variable that has the prefix of settings
// and is not one of any command, with the most similar setting, or "". It leaves out the
// variables in use by the configuration file.
func unknownVariables(cmd *cobra.Command, inUse []string, warn func(name, nearest string)) {
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

// serviceVariable matches the variables that Kubernetes sets in each container for a service
// whose name is fever or begins with fever-, such as fever-ops
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
var serviceVariable = regexp.MustCompile(`^FEVER(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// ofKubernetes reports whether Kubernetes has set the variable. FEVER_PORT is from Kubernetes
// if its value is a URL, and otherwise a mistaken setting.
func ofKubernetes(name, value string) bool {
	return serviceVariable.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}

// nearest returns the most similar of some names, or "" if none is similar. It uses cobra's
// suggestions for commands.
func nearest(name string, names []string) string {
	menu := new(cobra.Command)
	for _, n := range names {
		menu.AddCommand(&cobra.Command{Use: n, Run: func(*cobra.Command, []string) {}})
	}
	const farthest = 3 // in characters that differ
	for menu.SuggestionsMinimumDistance = 1; menu.SuggestionsMinimumDistance <= farthest; menu.SuggestionsMinimumDistance++ {
		if near := menu.SuggestionsFor(name); len(near) > 0 {
			return near[0]
		}
	}
	return ""
}

// logUnknownVariables logs a warning for each unknown variable.
func logUnknownVariables(cmd *cobra.Command, log *slog.Logger, inUse []string) {
	unknownVariables(cmd, inUse, func(name, nearest string) {
		attrs := []any{"variable", name}
		if nearest != "" {
			attrs = append(attrs, "nearest", nearest)
		}
		log.Warn("a variable in the environment is no setting and has no effect", attrs...)
	})
}

// useFile completes the settings of a command without a log, and prints a warning for each
// unknown variable.
func useFile(cmd *cobra.Command, d *config.DataFile) error {
	if err := d.Complete(cmd.Flags()); err != nil {
		return &usageError{err}
	}
	unknownVariables(cmd, d.Variables, func(name, nearest string) {
		if nearest != "" {
			nearest = " (did you mean " + nearest + "?)"
		}
		cmd.PrintErrf("fever: %s in the environment is no setting and has no effect%s\n", name, nearest)
	})
	return nil
}
