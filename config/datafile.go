package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"fever/provider"
	"fever/provider/feed"
)

// A DataFile holds the settings of the commands that use what is stored and do not collect.
type DataFile struct {
	File      string                    // the configuration file, or ""
	DB        Place                     // where the store is
	Archive   Archive                   // where it is alone, of the commands that have the flag
	Assumed   bool                      // nobody has named the archive, nor the file of the settings; set by Complete
	Locations map[string]*time.Location // the time zones that the settings give, by provider; set by Complete
	Variables []string                  // environment variables that the file refers to; set by Complete

	timeZone timeZone
	only     string // where the zone of the only provider is from, if somebody gives it
}

// Zones returns the time zones that the settings give those providers that a data file knows. The
// zone of the only provider is that of the only one there, unless one has the usual name.
func (d *DataFile) Zones(known []string) (map[string]*time.Location, error) {
	switch {
	case d.only == "" || len(known) == 0 || slices.Contains(known, defaultProvider):
		return d.Locations, nil
	case len(known) > 1:
		return nil, fmt.Errorf("%s is for the only provider, but %s has %s: name with --config the file of their settings", d.only, d.DB, strings.Join(known, ", "))
	}
	return map[string]*time.Location{known[0]: d.timeZone.Location}, nil
}

// Register adds the flags --config and --db.
func (d *DataFile) Register(flags *pflag.FlagSet) {
	flags.StringVar(&d.File, "config", "", "the YAML `file` of fever serve, for its db")
	flags.StringVar((*string)(&d.DB), "db", DefaultDB, "the data `file`, or the URL of a PostgreSQL database (postgres://...)")
}

// RegisterTimeZone adds the flag --timezone, for commands that compare local times. It must
// be called after Register.
func (d *DataFile) RegisterTimeZone(flags *pflag.FlagSet) {
	flags.Lookup("config").Usage += " and time zones"
	flags.TextVar(&d.timeZone, "timezone", timeZone{}, "time `zone` of the only provider, as for fever serve; not needed while that runs")
	flags.Lookup("timezone").DefValue = "" // the store knows the zone of the latest snapshot
}

// RegisterArchive adds the flag --archive.
func (d *DataFile) RegisterArchive(flags *pflag.FlagSet) { d.Archive.registerPlace(flags) }

// Formats returns how the documents of the providers are read, by their names. As Complete it reads
// nothing of the settings that may be a secret.
func (d *DataFile) Formats() (map[string]feed.Format, error) {
	f, err := readFile(d.File)
	if err != nil {
		return nil, err
	}
	formats := make(map[string]feed.Format)
	if len(f.providers) == 0 {
		formats[defaultProvider], err = new(entry).feedFormat(nil)
		return formats, err
	}
	for i, node := range f.providers {
		path := fmt.Sprintf("providers[%d]", i)
		e, flags, err := f.entry(node, path, append([]string{"name"}, readingKeys...)...)
		if err != nil {
			return nil, err
		}
		fields, err := f.fields(node, path)
		if err != nil {
			return nil, err
		}
		for _, of := range fields {
			if of.key != "tables" {
				continue
			}
			tables, err := f.fields(of.value, of.path)
			if err != nil {
				return nil, err
			}
			for _, table := range tables { // their URLs may have secrets
				e.Tables = append(e.Tables, provider.Table{Name: table.key})
			}
		}
		if formats[e.Name], err = e.feedFormat(flags); err != nil {
			return nil, err
		}
	}
	return formats, nil
}

// Complete takes the remaining values from the file and validates them. It reads only the
// names and time zones of the providers: their secrets may be missing in the environment of
// such a command.
func (d *DataFile) Complete(flags *pflag.FlagSet) error {
	f, err := readFile(d.File)
	if err != nil {
		return err
	}
	d.Variables = f.variables
	if err := f.apply(flags); err != nil {
		return err
	}
	if err := expandPlace(flags); err != nil {
		return err
	}
	if d.DB == "" {
		return fmt.Errorf("%s names no file", Origin(flags, "db"))
	}
	d.Archive.complete(flags, d.DB)
	if flag := flags.Lookup("archive"); flag != nil {
		d.Assumed = d.File == "" && !isSet(flag)
	}
	flag := flags.Lookup("timezone")
	switch {
	case flag == nil:
		return nil
	case isSet(flag) && len(f.providers) > 0:
		return onlyProviders(flags, flag.Name, d.File)
	case isSet(flag):
		d.only = Origin(flags, flag.Name)
		d.Locations = map[string]*time.Location{defaultProvider: d.timeZone.Location}
		return nil
	}
	d.Locations, err = f.locations()
	return err
}
