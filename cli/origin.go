package cli

import (
	"errors"
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

// origin returns what a message calls the value of a flag: as it was given.
func origin(flags *pflag.FlagSet, name string) string {
	if where := flags.Lookup(name).Annotations[originKey]; where != nil {
		return where[0]
	}
	return "--" + name
}

// isSet reports whether a flag has another value than its default.
func isSet(flag *pflag.Flag) bool {
	return flag.Changed || flag.Annotations[originKey] != nil
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
			failed = usagef("--%s is empty: give it a value, or leave it out", flag.Name)
		}
	})
	return failed
}

// setFromEnvironment gives every flag that was not on the command line the value of
// its environment variable, where that is set, and not empty or empty for a purpose.
func setFromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(flag *pflag.Flag) {
		name := environmentName(flag.Name)
		value, set := os.LookupEnv(name)
		if flag.Changed || flag.Name == "help" || !set || value == "" && flag.Annotations[emptyKey] == nil {
			return
		}
		if err := flag.Value.Set(value); err != nil && failed == nil {
			failed = usagef("%s: %.40q: %w", name, value, invalid(flag, err))
		}
		flag.Changed = true
		setOrigin(flag, name)
	})
	return failed
}

// environmentName returns the name of the environment variable that sets a flag.
func environmentName(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

const environmentPrefix = "FEVER_"

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
