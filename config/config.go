// Package config reads the settings: a flag wins over the environment, that over the
// configuration file, and that over the default.
//
// Each value keeps its origin: the flag, the variable, or the file with its line and key.
// Every error is a mistake in the settings. It names the origin, and never repeats a value
// that may be a secret.
package config

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"fever/provider"
)

// DefaultDB is the data file of all commands unless the settings name another.
const DefaultDB = "fever.db"

// A Config holds the settings of the commands that collect.
type Config struct {
	File      string // the configuration file, or ""
	DB        Place  // where the store is
	Archive   Archive
	Workers   int           // how many providers to collect from at once
	KeepJobs  int           // how many outcomes to keep for each provider
	History   time.Duration // how long to keep what events were before they changed; 0 keeps nothing
	LogFormat string        // text or json
	LogLevel  slog.Level
	Providers []Provider // the file's, or the only one; set by Complete
	Variables []string   // environment variables that the file refers to; set by Complete

	only entry // the only provider, as the flags describe it
}

// Register adds the settings to flags.
func (c *Config) Register(flags *pflag.FlagSet) {
	flags.StringVar(&c.File, "config", "", "YAML `file` with settings, and providers (see above)")
	flags.StringVar((*string)(&c.DB), "db", DefaultDB, "the data `file`, created when missing, or the URL of a PostgreSQL database (postgres://...)")
	c.Archive.register(flags)
	flags.IntVar(&c.Workers, "workers", 8, "`number` of providers to collect from in parallel")
	flags.IntVar(&c.KeepJobs, "keep-jobs", 100, "`number` of job outcomes to keep for each provider")
	c.History = 90 * 24 * time.Hour
	flags.TextVar((*daysOrNone)(&c.History), "history", daysOrNone(c.History), "how long to keep what events were before they changed: days such as 90d, or hours such as 36h (0: keep nothing)")
	flags.Lookup("history").DefValue = "90d"
	c.only.register(flags)
	flags.StringVar(&c.LogFormat, "log-format", "text", "`form` of the log on standard error: text or json")
	flags.TextVar(&c.LogLevel, "log-level", slog.LevelInfo, "lowest `level` to log: debug, info, warn or error")
	flags.Lookup("log-level").DefValue = "info" // as people write it
}

// Complete takes the remaining values from the file and validates all of them. It must be
// given the flags of Register after they were parsed and [Environment] was called.
func (c *Config) Complete(flags *pflag.FlagSet) error {
	f, err := readFile(c.File)
	if err != nil {
		return err
	}
	if err := f.apply(flags); err != nil {
		return err
	}
	if err := provider.CheckProxies(); err != nil {
		return err
	}
	if err := expandPlace(flags); err != nil {
		return err
	}
	c.Variables = f.variables
	switch {
	case c.DB == "":
		return fmt.Errorf("%s names no file", Origin(flags, "db"))
	case c.Workers < 1:
		return fmt.Errorf("%s must be at least 1", Origin(flags, "workers"))
	case c.KeepJobs < 1:
		return fmt.Errorf("%s must be at least 1", Origin(flags, "keep-jobs"))
	case c.LogFormat != "text" && c.LogFormat != "json":
		return fmt.Errorf("%s %.40q is neither text nor json", Origin(flags, "log-format"), c.LogFormat)
	}
	c.Archive.complete(flags, c.DB)
	if len(f.providers) == 0 {
		if err := expandSetting(flags, "provider-url", expandURL); err != nil {
			return err
		}
		only, err := c.only.provider(flags, "provider-url")
		c.Providers = []Provider{only}
		return err
	}
	if err := refuseOnly(flags, c.File); err != nil {
		return err
	}
	c.Providers, err = f.list()
	return err
}

// refuseOnly refuses flags of the only provider beside a file that describes providers.
func refuseOnly(flags *pflag.FlagSet, path string) (err error) {
	only := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(entry).register(only)
	only.VisitAll(func(flag *pflag.Flag) {
		if set := flags.Lookup(flag.Name); err == nil && set != nil && isSet(set) {
			err = onlyProviders(flags, flag.Name, path)
		}
	})
	return err
}

// onlyProviders is the error when a flag of the only provider is set beside a list of providers.
func onlyProviders(flags *pflag.FlagSet, flag, path string) error {
	return fmt.Errorf("%s is for the only provider, but %s lists providers: say it there, for each", Origin(flags, flag), path)
}
