package cli

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A dataFile is what a command is told of the data file that it uses: where it is, and
// how the times in it count.
type dataFile struct {
	config   string
	db       string
	timeZone timeZone
	zones    map[string]*time.Location // of the providers of which the settings say it
}

func (d *dataFile) register(flags *pflag.FlagSet) {
	flags.StringVar(&d.config, "config", "", "the YAML `file` of fever serve, for its db and time zones")
	flags.StringVar(&d.db, "db", defaultDB, "the data `file`")
	flags.TextVar(&d.timeZone, "timezone", timeZone{}, "time `zone` of the only provider, as for fever serve; a running one knows it")
	flags.Lookup("timezone").DefValue = "" // that of the latest snapshot
}

// complete takes from the file what neither flags nor environment say. Of its providers it
// looks at the time zones alone: who only uses what is stored has none of their secrets.
func (d *dataFile) complete(cmd *cobra.Command) error {
	f, err := useFile(cmd, d.config)
	if err != nil {
		return err
	}
	if d.db == "" {
		return usagef("--db names no file")
	}
	flags := cmd.Flags()
	set := isSet(flags.Lookup("timezone"))
	switch {
	case len(f.providers) == 0 && set:
		d.zones = map[string]*time.Location{defaultProvider: d.timeZone.Location}
	case set:
		return onlyProviders(flags, "timezone", d.config)
	default:
		d.zones, err = f.zones()
	}
	return err
}
