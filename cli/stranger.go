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

// A stranger is a variable in the environment that is called as if it was a setting, and
// is none.
type stranger struct {
	name    string
	nearest string // the setting that may be meant, or ""
}

// strangers finds them among variables like those of [os.Environ]. Settings are those of
// all commands under root. Variables that the configuration file refers to are in use.
func strangers(root *cobra.Command, environ, inUse []string) (all []stranger) {
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
	collect(root)
	settings := slices.Sorted(maps.Keys(known))
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, config.VariablePrefix) && !known[name] && !slices.Contains(inUse, name) && !ofKubernetes(name, value) {
			all = append(all, stranger{name, nearest(name, settings)})
		}
	}
	slices.SortFunc(all, func(a, b stranger) int { return strings.Compare(a.name, b.name) })
	return all
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
	for _, s := range strangers(cmd.Root(), os.Environ(), inUse) {
		attrs := []any{"variable", s.name}
		if s.nearest != "" {
			attrs = append(attrs, "nearest", s.nearest)
		}
		log.Warn("a variable in the environment is no setting and has no effect", attrs...)
	}
}

// useFile completes the settings of a command that has no log, and warns of strangers.
func useFile(cmd *cobra.Command, d *config.DataFile) error {
	if err := d.Complete(cmd.Flags()); err != nil {
		return &usageError{err}
	}
	for _, s := range strangers(cmd.Root(), os.Environ(), d.Variables) {
		hint := ""
		if s.nearest != "" {
			hint = " (did you mean " + s.nearest + "?)"
		}
		cmd.PrintErrf("fever: %s in the environment is no setting and has no effect%s\n", s.name, hint)
	}
	return nil
}
