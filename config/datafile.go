package config

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
)

// A DataFile holds the settings of the commands that only use what is stored.
type DataFile struct {
	File      string                    // the configuration file, or ""
	DB        string                    // the data file
	Locations map[string]*time.Location // of the providers of which the settings say it; set by Complete
	Variables []string                  // of the environment, that the file refers to; set by Complete

	timeZone timeZone
}

// Register adds the flags --config and --db.
func (d *DataFile) Register(flags *pflag.FlagSet) {
	flags.StringVar(&d.File, "config", "", "the YAML `file` of fever serve, for its db")
	flags.StringVar(&d.DB, "db", DefaultDB, "the data `file`")
}

// RegisterTimeZone adds the flag --timezone, for the commands to which it matters how the
// times in the file count.
func (d *DataFile) RegisterTimeZone(flags *pflag.FlagSet) {
	flags.Lookup("config").Usage += " and time zones"
	flags.TextVar(&d.timeZone, "timezone", timeZone{}, "time `zone` of the only provider, as for fever serve; a running one knows it")
	flags.Lookup("timezone").DefValue = "" // that of the latest snapshot
}

// Complete takes from the file what neither flags nor environment say. Of its providers it
// looks at the time zones alone: a command that only uses what is stored has none of
// their secrets.
func (d *DataFile) Complete(flags *pflag.FlagSet) error {
	f, err := readFile(d.File)
	if err != nil {
		return err
	}
	d.Variables = f.variables
	if err := f.apply(flags); err != nil {
		return err
	}
	if d.DB == "" {
		return fmt.Errorf("%s names no file", Origin(flags, "db"))
	}
	flag := flags.Lookup("timezone")
	switch {
	case flag == nil:
		return nil
	case isSet(flag) && len(f.providers) > 0:
		return onlyProviders(flags, flag.Name, d.File)
	case isSet(flag):
		d.Locations = map[string]*time.Location{defaultProvider: d.timeZone.Location}
		return nil
	}
	d.Locations, err = f.locations()
	return err
}
