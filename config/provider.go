package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"fever/event"
	"fever/provider"
	"fever/provider/xmlscan"
)

// The only provider, unless the settings say otherwise.
const (
	defaultProvider = "feverup"
	defaultURL      = "https://provider.code-challenge.feverup.com/api/events"
)

// A Provider says how to collect from one provider.
type Provider struct {
	*provider.Provider
	Every       time.Duration             // from one fetch to the next; without effect if Next is set
	Next        func(time.Time) time.Time // the next time at which its cron expression is due, or the zero time; nil: it has none
	MaxInterval time.Duration             // the longest time between two fetches while it fails
	Suspect     string                    // what to do with a suspect feed: warn, refuse or off
	Refresh     time.Duration             // after which a feed of changes is read from its beginning again

	recipe recipe
}

// An entry holds the settings of one provider, from flags or from an entry of the list.
type entry struct {
	provider.Config
	format      string
	follow      string // of the pages: it is a key beside them
	tolerate    xmlscan.Tolerance
	mapping     mapping
	at          map[string]string // where keys are in the file that are no flags: "headers", "pages.size"
	timeZone    timeZone
	every       time.Duration
	cron        crontab // instead of every
	maxInterval time.Duration
	suspect     string
	refresh     time.Duration
}

// register adds the flags of the only provider.
func (e *entry) register(flags *pflag.FlagSet) {
	e.registerFeed(flags)
	e.registerEvery(flags)
}

// registerFeed adds those flags of the only provider that say where its feed is and how to
// read it.
func (e *entry) registerFeed(flags *pflag.FlagSet) {
	e.Name, e.suspect = defaultProvider, policies[0]
	flags.StringVar(&e.URL, "provider-url", defaultURL, "`URL` of the provider's feed")
	e.registerCommon(flags)
}

func (e *entry) registerEvery(flags *pflag.FlagSet) {
	flags.DurationVar(&e.every, "every", time.Minute, "time from one fetch to the next")
}

// registerEntry adds the keys of an entry of the list of providers.
func (e *entry) registerEntry(flags *pflag.FlagSet) {
	flags.StringVar(&e.Name, "name", "", "")
	flags.StringVar(&e.URL, "url", "", "")
	flags.StringVar(&e.format, "format", "", "")
	flags.StringVar(&e.follow, "follow", "", "")
	flags.TextVar(&e.cron, "cron", crontab{}, "")
	flags.DurationVar(&e.maxInterval, "max-interval", 0, "")
	flags.StringVar(&e.CA, "ca", "", "")
	flags.StringVar(&e.ClientCert, "client-cert", "", "")
	flags.StringVar(&e.ClientKey, "client-key", "", "")
	flags.BoolVar(&e.AllowPrivateRedirects, "allow-private-redirects", false, "")
	flags.StringVar(&e.suspect, "suspect", policies[0], "")
	flags.DurationVar(&e.refresh, "refresh", 7*24*time.Hour, "")
	e.registerCommon(flags)
	e.registerEvery(flags)
}

func (e *entry) registerCommon(flags *pflag.FlagSet) {
	flags.TextVar(&e.timeZone, "timezone", timeZone{time.UTC}, "time `zone` of the provider's local times, an IANA name")
	flags.DurationVar(&e.Timeout, "timeout", 30*time.Second, "time limit of one fetch, or of one page of a feed")
	flags.TextVar((*size)(&e.MaxBytes), "max-bytes", size(1<<30), "`size` limit of one feed, after decompression")
	flags.Lookup("max-bytes").DefValue = "1GiB" // as people write it
	flags.TextVar(&e.tolerate, "tolerate", xmlscan.Tolerance(0), "`faults` of an XML feed to ignore: leading-blanks, control-characters")
}

// list returns the providers in the file, in order.
func (f *file) list() ([]Provider, error) {
	var all []Provider
	lines := make(map[string]int)
	for i, node := range f.providers {
		p, err := f.provider(node, fmt.Sprintf("providers[%d]", i))
		if err != nil {
			return nil, err
		}
		if line, ok := lines[p.Name]; ok {
			return nil, fmt.Errorf("%s: %q is the name of the provider on line %d already", f.at(node, fmt.Sprintf("providers[%d].name", i)), p.Name, line)
		}
		lines[p.Name] = node.Line
		all = append(all, p)
	}
	return all, nil
}

// locations returns the time zones of the providers in the file, by name.
func (f *file) locations() (map[string]*time.Location, error) {
	locations := make(map[string]*time.Location)
	for i, node := range f.providers {
		e, _, err := f.entry(node, fmt.Sprintf("providers[%d]", i), "name", "timezone")
		if err != nil {
			return nil, err
		}
		locations[e.Name] = e.timeZone.Location
	}
	return locations, nil
}

// keysWithoutFlags are the keys of an entry whose values are more than one text.
var keysWithoutFlags = []string{"headers", "map", "pages", "tables"}

// entry reads an entry of the list of providers, or only the given keys of it, whatever the others are. It also
// returns the flags, which know the origins.
func (f *file) entry(node *yaml.Node, path string, only ...string) (*entry, *pflag.FlagSet, error) {
	e := entry{at: make(map[string]string)}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	e.registerEntry(flags)
	fields, err := f.fields(node, path)
	if err != nil {
		return nil, nil, err
	}
	for _, of := range fields {
		flag := flags.Lookup(of.key)
		switch {
		case len(only) > 0 && !slices.Contains(only, of.key):
		case of.key == "headers":
			e.Header, err = f.headers(of)
			e.at[of.key] = of.where
		case of.key == "map":
			e.mapping, err = f.mapping(of)
		case of.key == "pages":
			e.Pages, err = f.pages(of, e.at)
		case of.key == "tables":
			e.Tables, err = f.tables(of, e.at)
		case flag == nil:
			err = unknownKey(of, flags, keysWithoutFlags...)
		default:
			err = of.set(flag)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return &e, flags, nil
}

// provider reads an entry of the list and makes a provider of it.
func (f *file) provider(node *yaml.Node, path string) (Provider, error) {
	e, flags, err := f.entry(node, path)
	if err != nil {
		return Provider{}, err
	}
	for _, key := range []string{"name", "url"} {
		if !isSet(flags.Lookup(key)) {
			return Provider{}, fmt.Errorf("%s: it has no %s", f.at(node, path), key)
		}
	}
	return e.listed(flags)
}

// listed makes a provider of the settings of an entry.
func (e *entry) listed(flags *pflag.FlagSet) (_ Provider, err error) {
	if isSet(flags.Lookup("every")) && isSet(flags.Lookup("cron")) {
		return Provider{}, fmt.Errorf("%s: the entry has every as well, and can have one of the two", Origin(flags, "cron"))
	}
	if e.URL, err = expandURL(e.URL); err != nil {
		return Provider{}, fmt.Errorf("%s: %w", Origin(flags, "url"), err)
	}
	if isSet(flags.Lookup("follow")) {
		if e.follow == "" {
			return Provider{}, fmt.Errorf("%s: %q would be as if the key were not there", Origin(flags, "follow"), e.follow)
		}
		e.Pages = cmp.Or(e.Pages, new(provider.Pages))
		e.Pages.Follow = e.follow
	}
	return e.provider(flags, "url")
}

// headers reads the header fields of the requests to a provider. The values may be secrets.
func (f *file) headers(of field) (http.Header, error) {
	fields, err := f.fields(of.value, of.path)
	if err != nil {
		return nil, err
	}
	headers := make(http.Header)
	for _, header := range fields {
		if header.value.Kind != yaml.ScalarNode || header.value.ShortTag() != "!!str" {
			return nil, fmt.Errorf("%s: a value is %s, where text is needed", f.at(header.value, of.path), kindOf(header.value))
		}
		text, err := expand(header.value.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", header.where, err)
		}
		headers[header.key] = []string{text}
	}
	return headers, nil
}

// tables reads where the tables of a feed of changes are. It notes where each is, under
// "tables.NAME".
func (f *file) tables(of field, at map[string]string) (tables []provider.Table, err error) {
	fields, err := f.fields(of.value, of.path)
	if err != nil {
		return nil, err
	}
	at[of.key] = of.where
	for _, table := range fields {
		at["tables."+table.key] = table.where
		if table.value.Kind != yaml.ScalarNode || table.value.ShortTag() != "!!str" {
			return nil, fmt.Errorf("%s: it is %s, where a URL is needed", table.where, kindOf(table.value))
		}
		address, err := expandURL(table.value.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", table.where, err)
		}
		tables = append(tables, provider.Table{Name: table.key, URL: address})
	}
	return tables, nil
}

// policies are the values of suspect. The first is the default.
var policies = []string{"warn", "refuse", "off"}

// minRefresh is the shortest time after which a feed of changes is read from its beginning.
const minRefresh = time.Hour

// provider validates the settings and makes a provider of them. The flag of the URL has one
// name in the list and another one for the only provider.
func (e *entry) provider(flags *pflag.FlagSet, urlFlag string) (Provider, error) {
	if flag := flags.Lookup("max-interval"); flag == nil || !isSet(flag) {
		e.maxInterval = e.defaultMaxInterval()
	}
	p := Provider{Every: e.every, MaxInterval: e.maxInterval, Suspect: e.suspect, Refresh: e.refresh}
	switch {
	case event.ValidProvider(e.Name) != nil:
		return p, fmt.Errorf("%s: %w", Origin(flags, "name"), event.ValidProvider(e.Name))
	case !slices.Contains(policies, e.suspect):
		return p, fmt.Errorf("%s: %.40q is none of %s", Origin(flags, "suspect"), e.suspect, strings.Join(policies, ", "))
	case e.every < time.Second:
		return p, fmt.Errorf("%s must be at least 1s", Origin(flags, "every"))
	case e.Timeout <= 0:
		return p, fmt.Errorf("%s must be more than 0", Origin(flags, "timeout"))
	case e.maxInterval < e.every && e.cron.schedule == nil:
		return p, fmt.Errorf("%s must be at least the time from one fetch to the next, %s", Origin(flags, "max-interval"), e.every)
	case e.maxInterval < time.Second:
		return p, fmt.Errorf("%s must be at least 1s", Origin(flags, "max-interval"))
	}
	format, err := e.feedFormat(flags)
	if err != nil {
		return p, err
	}
	if flag := flags.Lookup("refresh"); flag != nil && isSet(flag) {
		switch {
		case !format.Changes:
			return p, fmt.Errorf("%s: it is for feeds of changes: format: rpde, or map with mode: changes", Origin(flags, "refresh"))
		case e.refresh < minRefresh:
			return p, fmt.Errorf("%s must be at least 1h", Origin(flags, "refresh"))
		}
	}
	if e.cron.schedule != nil {
		p.Next = func(t time.Time) time.Time { return e.cron.after(t, e.timeZone.Location) }
	}
	c := e.Config
	c.Format, c.Location = format, e.timeZone.Location
	if p.Provider, err = provider.New(c); err != nil {
		field := urlFlag
		if refused, ok := errors.AsType[*provider.FieldError](err); ok && refused.Field != "url" {
			field = refused.Field
		}
		return p, fmt.Errorf("%s: %w", cmp.Or(e.at[field], Origin(flags, field)), err)
	}
	p.recipe = e.recipeOf(p.Provider)
	return p, nil
}

// defaultMaxInterval is long enough to spare a provider that is down, and short enough to
// notice soon that it is up again.
func (e *entry) defaultMaxInterval() time.Duration {
	if e.cron.schedule != nil {
		return time.Hour
	}
	return max(e.every, min(15*min(e.every, time.Hour), time.Hour))
}
