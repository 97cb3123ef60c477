package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"fever/ingest"
	"fever/provider"
	"fever/store"
)

// The provider that is collected from when nothing else is said.
const (
	defaultProvider = "feverup"
	defaultURL      = "https://provider.code-challenge.feverup.com/api/events"
	defaultDB       = "fever.db"
)

// collecting holds the settings of the commands that collect.
type collecting struct {
	db       string
	url      string
	timeZone timeZone
	timeout  time.Duration
	maxBytes size
	every    time.Duration
}

func (c *collecting) register(flags *pflag.FlagSet) {
	flags.StringVar(&c.db, "db", defaultDB, "the data `file`; created when missing")
	flags.StringVar(&c.url, "provider-url", defaultURL, "`URL` of the provider's feed")
	flags.TextVar(&c.timeZone, "timezone", timeZone{time.UTC}, "time `zone` of the provider's local times, an IANA name")
	flags.DurationVar(&c.timeout, "timeout", 30*time.Second, "time limit of one fetch")
	flags.TextVar(&c.maxBytes, "max-bytes", size(1<<30), "`size` limit of one feed, after decompression")
	flags.DurationVar(&c.every, "every", time.Minute, "time from one fetch to the next")
}

// provider returns the one provider that the settings describe, or a usage error.
func (c *collecting) provider() (*provider.Provider, error) {
	if c.every < time.Second {
		return nil, usagef("--every must be at least 1s")
	}
	p, err := provider.New(defaultProvider, c.url, c.timeout, int64(c.maxBytes))
	if err != nil {
		return nil, &usageError{err}
	}
	return p, nil
}

// collector returns what runs that provider's jobs into the store.
func (c *collecting) collector(p *provider.Provider, st *store.Store, log *slog.Logger) *ingest.Collector {
	return &ingest.Collector{Provider: p.Name, Location: c.timeZone.Location, Fetch: p.Fetch, Store: st, Log: log}
}

// logging holds the settings of the log.
type logging struct {
	format string
	level  slog.Level
}

func (l *logging) register(flags *pflag.FlagSet) {
	flags.StringVar(&l.format, "log-format", "text", "`form` of the log on standard error: text or json")
	flags.TextVar(&l.level, "log-level", slog.LevelInfo, "`level` from which on to log: debug, info, warn or error")
}

func (l *logging) logger(w io.Writer) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: l.level}
	switch l.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, usagef("--log-format %q is neither text nor json", l.format)
}

// timeZone is a flag's value: a place of the IANA time zone database.
type timeZone struct{ *time.Location }

func (z timeZone) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

func (z *timeZone) UnmarshalText(text []byte) error {
	name := string(text)
	location, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" { // which would depend on the machine
		return errors.New("it is not an IANA time zone such as Europe/Madrid or UTC")
	}
	z.Location = location
	return nil
}

// size is a flag's value: a number of bytes, more than zero.
type size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}} // longest match first

func (s size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size in the largest unit that divides it.
func (s size) String() string {
	for _, unit := range sizeUnits {
		if int64(s)%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(s)/unit.bytes, unit.suffix)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func (s *size) UnmarshalText(text []byte) error {
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(string(text), unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n <= 0 || n > math.MaxInt64/unit.bytes {
			break
		}
		*s = size(n * unit.bytes)
		return nil
	}
	return errors.New("it is not a size such as 512MiB, 1GiB or 1048576")
}
