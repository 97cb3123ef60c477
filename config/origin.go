package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Keys of the annotations of flags.
const (
	originKey = "fever_origin" // where the value is from, unless from the command line
	emptyKey  = "fever_empty"  // an empty value has a meaning: see [emptyCounts]
)

func annotate(flag *pflag.Flag, key, value string) {
	if flag.Annotations == nil {
		flag.Annotations = make(map[string][]string)
	}
	flag.Annotations[key] = []string{value}
}

func setOrigin(flag *pflag.Flag, where string) { annotate(flag, originKey, where) }

// emptyCounts marks a flag whose empty value has a meaning.
func emptyCounts(flags *pflag.FlagSet, name string) { annotate(flags.Lookup(name), emptyKey, "") }

// Origin returns the name of a flag's value for messages, according to where it is from:
// "--every", "FEVER_EVERY" or "fever.yaml:2: every".
func Origin(flags *pflag.FlagSet, name string) string {
	if flag := flags.Lookup(name); flag != nil && flag.Annotations[originKey] != nil {
		return flag.Annotations[originKey][0]
	}
	return "--" + name
}

// Given returns the names of the flags that the command line sets.
func Given(flags *pflag.FlagSet) (names []string) {
	flags.Visit(func(flag *pflag.Flag) {
		if flag.Annotations[originKey] == nil {
			names = append(names, flag.Name)
		}
	})
	return names
}

// isSet reports whether the command line, the environment or the file sets a flag.
func isSet(flag *pflag.Flag) bool {
	return flag.Changed || flag.Annotations[originKey] != nil
}

// Environment sets the flags that are not on the command line from their environment
// variables. It must be called after the command line was parsed.
//
// An empty variable counts as unset. An empty value on the command line is an error: it is
// usually an unset variable of a script, and to ignore a flag such as --gone-before would
// make a command do more than was meant. Neither holds for the flags of [emptyCounts].
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
				failed = fmt.Errorf("%s: %.40q: %w", name, value, Invalid(flag, err))
			}
			flag.Changed = true
			setOrigin(flag, name)
		}
	})
	return failed
}

// isEmpty reports whether a value, or an element of a list of values, is the empty text.
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

// VariablePrefix is the prefix of all environment variables that are settings.
const VariablePrefix = "FEVER_"

// Invalid returns the reason why a flag refused a value, given the flag's own error.
func Invalid(flag *pflag.Flag, err error) error {
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
