package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Annotations of flags.
const (
	originKey = "fever_origin" // where the value is from, when that is not the command line
	emptyKey  = "fever_empty"  // that an empty value means something: see [emptyCounts]
)

func annotate(flag *pflag.Flag, key, value string) {
	if flag.Annotations == nil {
		flag.Annotations = make(map[string][]string)
	}
	flag.Annotations[key] = []string{value}
}

func setOrigin(flag *pflag.Flag, where string) { annotate(flag, originKey, where) }

// emptyCounts says that an empty value of the flag means something.
func emptyCounts(flags *pflag.FlagSet, name string) { annotate(flags.Lookup(name), emptyKey, "") }

// Origin returns what a message calls the value of a flag: --every, FEVER_EVERY or
// fever.yaml:2: every.
func Origin(flags *pflag.FlagSet, name string) string {
	if flag := flags.Lookup(name); flag != nil && flag.Annotations[originKey] != nil {
		return flag.Annotations[originKey][0]
	}
	return "--" + name
}

// Given returns the names of the flags on the command line.
func Given(flags *pflag.FlagSet) (names []string) {
	flags.Visit(func(flag *pflag.Flag) {
		if flag.Annotations[originKey] == nil {
			names = append(names, flag.Name)
		}
	})
	return names
}

// isSet reports whether a flag has another value than its default.
func isSet(flag *pflag.Flag) bool {
	return flag.Changed || flag.Annotations[originKey] != nil
}

// Environment gives the flags that are not on the command line the values of their
// environment variables. One that is set to nothing counts as not set, and a flag that the
// command line sets to nothing is refused: most often a script has done so, with a
// variable of its own that is not set, and what was to narrow what a command does would be
// left out. Both mean something for the flags of [emptyCounts].
func Environment(flags *pflag.FlagSet) (failed error) {
	flags.VisitAll(func(flag *pflag.Flag) {
		name := Variable(flag.Name)
		value, set := os.LookupEnv(name)
		mayBeEmpty := flag.Annotations[emptyKey] != nil
		switch {
		case failed != nil:
		case flag.Changed && isEmpty(flag.Value) && !mayBeEmpty:
			failed = fmt.Errorf("--%s is empty: give it a value, or leave it out", flag.Name)
		case flag.Changed || flag.Name == "help" || !set || value == "" && !mayBeEmpty:
		default:
			if err := flag.Value.Set(value); err != nil {
				failed = fmt.Errorf("%s: %.40q: %w", name, value, invalid(flag, err))
			}
			flag.Changed = true
			setOrigin(flag, name)
		}
	})
	return failed
}

// isEmpty reports whether a value, or one of a list, is "".
func isEmpty(value pflag.Value) bool {
	if list, ok := value.(pflag.SliceValue); ok {
		return slices.Contains(list.GetSlice(), "")
	}
	return value.String() == ""
}

// Variable returns the name of the environment variable that sets a flag.
func Variable(flag string) string {
	return VariablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// VariablePrefix begins the names of the environment variables that are settings.
const VariablePrefix = "FEVER_"

// invalid says what is wrong with the value of a flag, given the flag's own error.
func invalid(flag *pflag.Flag, err error) error {
	switch flag.Value.Type() {
	case "duration":
		return errors.New("it is not a duration such as 90s or 5m")
	case "int":
		return errors.New("it is not a whole number")
	case "bool":
		return errors.New("it is neither true nor false")
	}
	if flag.Name == "log-level" {
		return errors.New("it is none of debug, info, warn and error")
	}
	return err
}
