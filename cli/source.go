package cli

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"fever/event"
	"fever/ingest"
	"fever/provider"
)

// The provider that is collected from when nothing else is said.
const (
	defaultProvider = "feverup"
	defaultURL      = "https://provider.code-challenge.feverup.com/api/events"
)

// A source holds the settings of one provider, and the provider made of them.
type source struct {
	name        string
	url         string
	format      string
	headers     http.Header
	headersAt   string // in the file
	timeZone    timeZone
	every       time.Duration
	cron        crontab // instead of every
	maxInterval time.Duration
	timeout     time.Duration
	maxBytes    size
	tolerate    provider.Tolerance

	ca, clientCert, clientKey string // files
	allowPrivateRedirects     bool
	suspect                   string

	*provider.Provider // made of the above by check
}

// register adds the flags of the one provider that there is without a list of them.
func (s *source) register(flags *pflag.FlagSet) {
	s.name = defaultProvider
	flags.StringVar(&s.url, "provider-url", defaultURL, "`URL` of the provider's feed")
	s.registerCommon(flags)
}

// registerEntry adds what an entry of the list of providers may hold.
func (s *source) registerEntry(flags *pflag.FlagSet) {
	flags.StringVar(&s.name, "name", "", "")
	flags.StringVar(&s.url, "url", "", "")
	flags.StringVar(&s.format, "format", "", "")
	flags.TextVar(&s.cron, "cron", crontab{}, "")
	flags.DurationVar(&s.maxInterval, "max-interval", 0, "")
	flags.StringVar(&s.ca, "ca", "", "")
	flags.StringVar(&s.clientCert, "client-cert", "", "")
	flags.StringVar(&s.clientKey, "client-key", "", "")
	flags.BoolVar(&s.allowPrivateRedirects, "allow-private-redirects", false, "")
	flags.StringVar(&s.suspect, "suspect", string(ingest.Warn), "")
	s.registerCommon(flags)
}

func (s *source) registerCommon(flags *pflag.FlagSet) {
	flags.TextVar(&s.timeZone, "timezone", timeZone{time.UTC}, "time `zone` of the provider's local times, an IANA name")
	flags.DurationVar(&s.timeout, "timeout", 30*time.Second, "time limit of one fetch")
	flags.TextVar(&s.maxBytes, "max-bytes", size(1<<30), "`size` limit of one feed, after decompression")
	flags.TextVar(&s.tolerate, "tolerate", provider.Tolerance(0), "`faults` of an XML feed to read over: leading-blanks, control-characters")
	flags.DurationVar(&s.every, "every", time.Minute, "time from one fetch to the next")
}

// sources returns the providers that the file lists, in order.
func (f *file) sources() ([]source, error) {
	var all []source
	lines := make(map[string]int)
	for i, entry := range f.providers {
		s, err := f.source(entry, fmt.Sprintf("providers[%d]", i))
		if err != nil {
			return nil, err
		}
		if line, ok := lines[s.name]; ok {
			return nil, f.errorf(entry, fmt.Sprintf("providers[%d].name", i), "%q is the name of the provider on line %d already", s.name, line)
		}
		lines[s.name] = entry.Line
		all = append(all, s)
	}
	return all, nil
}

// zones returns the time zones of the providers that the file lists, by name.
func (f *file) zones() (map[string]*time.Location, error) {
	zones := make(map[string]*time.Location)
	for i, entry := range f.providers {
		var s source
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		s.registerEntry(flags)
		fields, err := f.fields(entry, fmt.Sprintf("providers[%d]", i))
		if err != nil {
			return nil, err
		}
		for _, field := range fields {
			if field.key != "name" && field.key != "timezone" {
				continue
			}
			if err := field.set(flags.Lookup(field.key)); err != nil {
				return nil, err
			}
		}
		zones[s.name] = s.timeZone.Location
	}
	return zones, nil
}

// source reads one entry of the list of providers.
func (f *file) source(entry *yaml.Node, path string) (source, error) {
	var s source
	flags := pflag.NewFlagSet(path, pflag.ContinueOnError)
	s.registerEntry(flags)
	fields, err := f.fields(entry, path)
	if err != nil {
		return s, err
	}
	for _, field := range fields {
		flag := flags.Lookup(field.key)
		switch {
		case field.key == "headers":
			s.headers, err = f.headers(field)
			s.headersAt = field.where
		case flag == nil:
			err = unknownKey(field, append(names(flags), "headers"))
		default:
			err = field.set(flag)
		}
		if err != nil {
			return s, err
		}
	}
	for _, key := range []string{"name", "url"} {
		if !isSet(flags.Lookup(key)) {
			return s, f.errorf(entry, path, "it has no %s", key)
		}
	}
	if isSet(flags.Lookup("every")) && isSet(flags.Lookup("cron")) {
		return s, usagef("%s: the entry has every as well, and can have one of the two", origin(flags, "cron"))
	}
	if s.url, err = expandURL(s.url); err != nil {
		return s, usagef("%s: %w", origin(flags, "url"), err)
	}
	return s, s.check(flags, "url")
}

// headers reads the header fields that go with every request to a provider. The
// values may be secrets, and so may what stands in a name's place by mistake: neither
// is repeated.
func (f *file) headers(of field) (http.Header, error) {
	if of.value.Kind != yaml.MappingNode {
		return nil, usagef("%s: it is %s, where names with values are needed", of.where, kindOf(of.value))
	}
	headers := make(http.Header)
	for pair := range slices.Chunk(of.value.Content, 2) {
		name, value := pair[0], pair[1]
		if name.Kind != yaml.ScalarNode || strings.ContainsAny(name.Value, " :") || value.Kind != yaml.ScalarNode || value.ShortTag() != "!!str" {
			return nil, f.errorf(name, of.path, "this is not a header's name with a text as its value")
		}
		text, err := expand(value.Value)
		switch {
		case err != nil:
			return nil, usagef("%s.%s: %w", f.where(name, of.path), name.Value, err)
		case headers[name.Value] != nil:
			return nil, usagef("%s.%s: it is there twice", f.where(name, of.path), name.Value)
		}
		headers[name.Value] = []string{text}
	}
	return headers, nil
}

// policies are what can become of a suspect feed.
var policies = []string{string(ingest.Warn), string(ingest.Refuse), string(ingest.Off)}

// check refuses settings that make no sense, and makes the provider of the others.
// The flag that holds the URL goes by several names.
func (s *source) check(flags *pflag.FlagSet, urlFlag string) (err error) {
	if flag := flags.Lookup("max-interval"); flag == nil || !isSet(flag) {
		s.maxInterval = s.defaultMaxInterval()
	}
	switch {
	case event.ValidProvider(s.name) != nil:
		return usagef("%s: %w", origin(flags, "name"), event.ValidProvider(s.name))
	case s.format != "" && !slices.Contains(provider.Formats(), s.format):
		return usagef("%s: %.40q is none of %s", origin(flags, "format"), s.format, strings.Join(provider.Formats(), ", "))
	case flags.Lookup("suspect") != nil && !slices.Contains(policies, s.suspect):
		return usagef("%s: %.40q is none of %s", origin(flags, "suspect"), s.suspect, strings.Join(policies, ", "))
	case s.every < time.Second:
		return usagef("%s must be at least 1s", origin(flags, "every"))
	case s.timeout <= 0:
		return usagef("%s must be more than 0", origin(flags, "timeout"))
	case s.maxInterval < s.every && s.cron.schedule == nil:
		return usagef("%s must be at least the time from one fetch to the next, %s", origin(flags, "max-interval"), s.every)
	case s.maxInterval < time.Second:
		return usagef("%s must be at least 1s", origin(flags, "max-interval"))
	}
	c := provider.Config{
		Name: s.name, URL: s.url, Format: s.format, Timeout: s.timeout, MaxBytes: int64(s.maxBytes),
		AllowPrivateRedirects: s.allowPrivateRedirects,
		Location:              s.timeZone.Location, Tolerate: s.tolerate,
	}
	if s.Provider, err = provider.New(c); err != nil { // all but the URL is in order
		return usagef("%s: %w", origin(flags, urlFlag), err)
	}
	c.CA = s.ca
	if s.Provider, err = provider.New(c); err != nil {
		return usagef("%s: %w", origin(flags, "ca"), err)
	}
	c.ClientCert, c.ClientKey = s.clientCert, s.clientKey
	if s.Provider, err = provider.New(c); err != nil {
		key := "client-cert"
		if s.clientCert == "" {
			key = "client-key"
		}
		return usagef("%s: %w", origin(flags, key), err)
	}
	c.Header = s.headers
	if s.Provider, err = provider.New(c); err != nil {
		return usagef("%s: %w", s.headersAt, err)
	}
	return nil
}

// defaultMaxInterval is long enough to leave a provider in peace that is down, and
// short enough to find out soon that it is up again.
func (s *source) defaultMaxInterval() time.Duration {
	if s.cron.schedule != nil {
		return time.Hour
	}
	return max(s.every, min(15*min(s.every, time.Hour), time.Hour))
}

// collected returns the settings of the provider's jobs in this instance.
func (s *source) collected(instance string) ingest.Provider {
	p := ingest.Provider{
		Name:        s.name,
		Instance:    instance,
		Location:    s.timeZone.Location,
		Every:       s.every,
		MaxInterval: s.maxInterval,
		Suspect:     ingest.Policy(s.suspect),
		Fetch:       s.Fetch,
	}
	if s.cron.schedule != nil {
		p.Next = func(t time.Time) time.Time { return s.cron.after(t, s.timeZone.Location) }
	}
	return p
}
