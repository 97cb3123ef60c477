package cli

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"fever/ingest"
	"fever/provider"
)

const defaultDB = "fever.db"

// configHelp stands in the help of the commands that collect.
const configHelp = `With --config, the settings come from a YAML file where neither a flag nor the
environment has them. Its keys are the flags of fever serve, and a list of providers
in the place of the flags that describe the only one:

  db: /var/lib/fever/fever.db
  providers:
    - name: feverup
      url: https://provider.example.com/events
      format: xml                # or json
      timezone: Europe/Madrid
      every: 1m                  # or cron: "*/5 8-23 * * *" by the provider's clocks
      max-interval: 15m          # while it fails; default 15 times every, 1h at most
      timeout: 30s
      max-bytes: 1GiB
      tolerate: leading-blanks, control-characters   # in XML that is not quite right
      suspect: warn              # or refuse, or off: see the manual
      headers:
        Authorization: Bearer ${env:TOKEN}
      client-cert: /etc/fever/cert.pem   # for a provider that wants one, with its key
      client-key: /etc/fever/key.pem
      ca: /etc/fever/ca.pem              # to trust in place of the system's authorities
      allow-private-redirects: true      # see the manual

Headers, URLs and ops-token take secrets from the environment, as shown. In a URL the
value is encoded for its place, whatever it holds.`

// A config is what the commands that collect run with: flags, environment, file and
// defaults, in this order, put together by complete.
type config struct {
	logging
	path      string // of the file, or ""
	db        string
	workers   int
	keepJobs  int
	only      source   // what the flags say of it
	providers []source // the file's, or the only one
	variables []string // of the environment, that the file refers to
}

func (c *config) register(flags *pflag.FlagSet) {
	flags.StringVar(&c.path, "config", "", "YAML `file` with settings, and providers (see above)")
	flags.StringVar(&c.db, "db", defaultDB, "the data `file`; created when missing")
	flags.IntVar(&c.workers, "workers", 8, "`number` of providers to collect from at once")
	flags.IntVar(&c.keepJobs, "keep-jobs", 100, "`number` of job outcomes to keep for each provider")
	c.only.register(flags)
	c.logging.register(flags)
}

// complete takes from the file what neither flags nor environment say, and refuses
// what makes no sense.
func (c *config) complete(flags *pflag.FlagSet) error {
	f, err := readConfig(c.path)
	if err != nil {
		return err
	}
	if err := f.apply(flags); err != nil {
		return err
	}
	if err := provider.CheckProxies(); err != nil {
		return usagef("%w", err)
	}
	c.variables = f.variables
	switch {
	case c.db == "":
		return usagef("%s names no file", origin(flags, "db"))
	case c.workers < 1:
		return usagef("%s must be at least 1", origin(flags, "workers"))
	case c.keepJobs < 1:
		return usagef("%s must be at least 1", origin(flags, "keep-jobs"))
	case c.format != "text" && c.format != "json":
		return usagef("%s %.40q is neither text nor json", origin(flags, "log-format"), c.format)
	}
	if len(f.providers) == 0 {
		if err := expandSetting(flags, "provider-url", expandURL); err != nil {
			return err
		}
		if err := c.only.check(flags, "provider-url"); err != nil {
			return err
		}
		c.providers = []source{c.only}
		return nil
	}
	only := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(source).register(only)
	only.VisitAll(func(flag *pflag.Flag) {
		if err == nil && isSet(flags.Lookup(flag.Name)) {
			err = onlyProviders(flags, flag.Name, c.path)
		}
	})
	if err != nil {
		return err
	}
	c.providers, err = f.sources()
	return err
}

// onlyProviders is what is wrong with a flag that is set beside a list of providers.
func onlyProviders(flags *pflag.FlagSet, flag, path string) error {
	return usagef("%s is for the only provider, but %s lists providers: say it there, for each", origin(flags, flag), path)
}

// collected returns the settings of the providers' jobs.
func (c *config) collected() []ingest.Provider {
	var all []ingest.Provider
	instance := c.instance()
	for i := range c.providers {
		all = append(all, c.providers[i].collected(instance))
	}
	return all
}

// instance tells replicas from each other, and is the same after a restart: the machine
// and the data file. What is not known of them makes no difference then.
func (c *config) instance() string {
	host, _ := os.Hostname()
	db, err := filepath.Abs(c.db)
	if err != nil {
		db = c.db
	}
	return host + " " + db
}

// readers returns the providers as those who read documents of theirs.
func (c *config) readers() []*provider.Provider {
	var all []*provider.Provider
	for i := range c.providers {
		all = append(all, c.providers[i].Provider)
	}
	return all
}

// logging holds the settings of the log.
type logging struct {
	format string
	level  slog.Level
}

func (l *logging) register(flags *pflag.FlagSet) {
	flags.StringVar(&l.format, "log-format", "text", "`form` of the log on standard error: text or json")
	flags.TextVar(&l.level, "log-level", slog.LevelInfo, "`level` from which on to log: debug, info, warn or error")
	flags.Lookup("log-level").DefValue = "info" // as people write it
}

func (l *logging) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.level}
	if l.format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
