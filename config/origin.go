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

// emptyCounts says that an empty value of the flag means something. Of the others one on
// the command line is refused, and an environment variable that is set to nothing counts
// as one that is not set.
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
// environment variables. It refuses flags that the command line sets to nothing.
func Environment(flags *pflag.FlagSet) error {
	if err := refuseEmpty(flags); err != nil {
		return err
	}
	return setFromEnvironment(flags)
}

// refuseEmpty refuses flags that the command line sets to nothing. Most often a script has
// done so, with a variable of its own that is not set: what was to narrow or to direct what
// a command does would be left out.
func refuseEmpty(flags *pflag.FlagSet) error {
	var failed error
	flags.Visit(func(flag *pflag.Flag) {
		value := flag.Value.String()
		if list, ok := flag.Value.(pflag.SliceValue); ok && slices.Contains(list.GetSlice(), "") {
			value = ""
		}
		if value == "" && flag.Annotations[emptyKey] == nil && failed == nil {
			failed = fmt.Errorf("--%s is empty: give it a value, or leave it out", flag.Name)
		}
	})
	return failed
}

// setFromEnvironment gives every flag that was not on the command line the value of
// its environment variable, where that is set, and not empty or empty for a purpose.
func setFromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(flag *pflag.Flag) {
		name := Variable(flag.Name)
		value, set := os.LookupEnv(name)
		if flag.Changed || flag.Name == "help" || !set || value == "" && flag.Annotations[emptyKey] == nil {
			return
		}
		if err := flag.Value.Set(value); err != nil && failed == nil {
			failed = fmt.Errorf("%s: %.40q: %w", name, value, invalid(flag, err))
		}
		flag.Changed = true
		setOrigin(flag, name)
	})
	return failed
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
