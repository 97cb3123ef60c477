package cli

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// originKey is the annotation of a flag that says where its value is from, when that
// is not the command line.
const originKey = "fever_origin"

func setOrigin(flag *pflag.Flag, where string) {
	flag.Annotations = map[string][]string{originKey: {where}}
}

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

// setFromEnvironment gives every flag that was not on the command line the value of
// its environment variable, where that is set and not empty.
func setFromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(flag *pflag.Flag) {
		name := "FEVER_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		value := os.Getenv(name)
		if flag.Changed || flag.Name == "help" || value == "" {
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
	return err
}
