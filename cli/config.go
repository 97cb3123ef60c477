package cli

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"fever/config"
	"fever/ingest"
	"fever/provider"
	"fever/store"
	"fever/store/bolt"
)

// configHelp is the part of the help on --config of the commands that collect.
const configHelp = `With --config, a YAML file gives the settings that neither a flag nor the environment
gives. Its keys are the flags of fever serve, and a list of providers in place of the
flags that describe the only provider:

  db: /var/lib/fever/fever.db
  providers:
    - name: feverup
      url: https://provider.example.com/events
      format: feverup            # or fever, ical, schema-org, rpde or map: the manual
      timezone: Europe/Madrid
      every: 1m                  # or cron: "*/5 8-23 * * *" in the provider's time zone
      max-interval: 15m          # while it fails; default 15 times every, at most 1h
      timeout: 30s
      max-bytes: 1GiB
      follow: link               # to the pages of a listing's events: docs/pages.md
      refresh: 168h              # read a feed of changes from its beginning
      tables:                    # of a feed in rpde: docs/formats.md
        superEvent: https://provider.example.com/series
      tolerate: leading-blanks, control-characters   # in XML with such faults
      suspect: warn              # or refuse, or off: see the manual
      headers:
        Authorization: Bearer ${env:TOKEN}
      client-cert: /etc/fever/cert.pem   # for a provider that wants one, with its key
      client-key: /etc/fever/key.pem
      ca: /etc/fever/ca.pem              # to trust in place of the system's authorities
      allow-private-redirects: true      # see the manual

Headers, URLs and ops-token take secrets from the environment, as shown. In a URL each
value is encoded for its position.`

// newIngester returns what runs the jobs of the providers, which are those that are configured. From now on local times
// in a data file count in the locations that are configured.
func newIngester(c *config.Config, st store.Store, log *slog.Logger, all []ingest.Provider) *ingest.Ingester {
	zones := make(map[string]*time.Location)
	for _, p := range all {
		zones[p.Name] = p.Location
	}
	if file, ok := st.(*bolt.Store); ok { // those who share a database must agree
		file.Zones = zones
	}
	return ingest.New(st, log, c.Workers, all...)
}

// collected returns the settings of the providers' jobs.
func collected(c *config.Config) []ingest.Provider {
	var all []ingest.Provider
	instance := instanceOf(c.DB)
	for i := range c.Providers {
		p := &c.Providers[i]
		var tables []string
		for _, table := range p.Tables {
			tables = append(tables, table.Name)
		}
		all = append(all, ingest.Provider{
			Name: p.Name, Instance: instance, Location: p.Location, Every: p.Every, Next: p.Next,
			MaxInterval: p.MaxInterval, Suspect: ingest.Policy(p.Suspect), Get: p.Get, GetPage: p.GetPage, Decode: p.Decode,
			Paged: p.Pages != nil, FirstPageTells: p.Pages != nil && p.Pages.FirstPageTells,
			Changes: p.Format.Changes, Tables: tables, Source: p.Source, Begin: p.Begin, Resume: p.Resume, Again: p.DecodeAgain,
			Refresh: p.Refresh, JobTime: provider.FeedTime * p.Timeout, JobBytes: p.MaxBytes,
		})
	}
	return all
}

// instanceOf returns a text that differs between replicas, each with a data file, and stays the
// same after a restart: the machine's name and the path of the file. One that is unknown is left
// out. Those who share a database share their turns: it is empty then.
func instanceOf(db config.Place) string {
	if db.Database() {
		return ""
	}
	host, _ := os.Hostname()
	path, err := filepath.Abs(string(db))
	if err != nil {
		path = string(db)
	}
	return host + " " + path
}

// newLog returns a log to w as the settings describe it.
func newLog(c *config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
