package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// An Archive says where the documents that jobs get are kept, and how many of them.
type Archive struct {
	At   string        // the folder, or s3://BUCKET/PREFIX; empty: there is none
	Keep time.Duration // how long
	Size int64         // bytes of all of them
}

// archiveSuffix follows the data file's name in that of the folder, unless the settings name one.
const archiveSuffix = ".archive"

// register adds the settings of commands that write documents.
func (a *Archive) register(flags *pflag.FlagSet) {
	a.registerPlace(flags)
	a.Keep, a.Size = 90*24*time.Hour, 10<<30
	flags.TextVar((*days)(&a.Keep), "archive-keep", days(a.Keep), "how long to keep documents: days such as 90d, or hours such as 36h")
	flags.TextVar((*size)(&a.Size), "archive-size", size(a.Size), "`bytes` that all documents may take; the oldest go first")
	flags.Lookup("archive-keep").DefValue, flags.Lookup("archive-size").DefValue = "90d", "10GiB"
}

// registerPlace adds the flag --archive.
func (a *Archive) registerPlace(flags *pflag.FlagSet) {
	flags.StringVar(&a.At, "archive", "", "`folder` for the documents that were got, or s3://BUCKET/PREFIX; by default the data file's name and "+archiveSuffix+", and none beside a database; empty for none")
	emptyCounts(flags, "archive")
}

// complete sets the default of --archive.
func (a *Archive) complete(flags *pflag.FlagSet, db Place) {
	if flag := flags.Lookup("archive"); flag != nil && !isSet(flag) && !db.Database() {
		a.At = string(db) + archiveSuffix
	}
}

// daysOrNone is [days], or 0 for none.
type daysOrNone days

func (d daysOrNone) MarshalText() ([]byte, error) { return days(d).MarshalText() }

func (d *daysOrNone) UnmarshalText(text []byte) error {
	if string(text) == "0" {
		*d = 0
		return nil
	}
	return (*days)(d).UnmarshalText(text)
}

// days is a flag's value: a duration, of whole days perhaps, and of an hour at least.
type days time.Duration

func (d days) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *days) UnmarshalText(text []byte) error {
	duration, err := time.ParseDuration(string(text))
	if number, ok := strings.CutSuffix(string(text), "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(number, 10, 32)
		duration = time.Duration(min(n, math.MaxInt64/uint64(24*time.Hour))) * 24 * time.Hour
	}
	if err != nil || duration < time.Hour {
		return errors.New("it is not a time such as 90d or 36h, of an hour at least")
	}
	*d = days(duration)
	return nil
}
