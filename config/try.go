package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"fever/provider"
)

// A Try holds the settings of fever try, which needs one provider and no data file.
type Try struct {
	Provider  Provider // set by Complete
	Variables []string // environment variables that the file refers to; set by Complete

	file  string // the configuration file, or ""
	entry string // the file with one entry, or ""
	name  string // of the provider, or "" for the only one
	only  entry  // the only provider, as the flags describe it
}

// Register adds the settings to flags.
func (t *Try) Register(flags *pflag.FlagSet) {
	flags.StringVar(&t.file, "config", "", "the YAML `file` of fever serve, with the providers")
	flags.StringVar(&t.entry, "entry", "", "a YAML `file` with one entry of the list of providers and nothing else; name and url may be missing")
	flags.StringVar(&t.name, "provider", "", "the provider with this `name`; not needed if there is only one")
	t.only.registerFeed(flags)
	t.only.every = time.Minute // nothing is scheduled
}

// Complete takes the provider from the file or the flags, and validates its settings. Those
// of other providers are not read: their secrets may be missing in the environment.
func (t *Try) Complete(flags *pflag.FlagSet) (err error) {
	if t.entry != "" {
		return t.completeEntry(flags)
	}
	f, err := readFile(t.file)
	if err != nil {
		return err
	}
	t.Variables = f.variables
	if err := errors.Join(f.apply(flags), provider.CheckProxies()); err != nil {
		return err
	}
	if len(f.providers) == 0 {
		if err := expandSetting(flags, "provider-url", expandURL); err != nil {
			return err
		}
		if t.name != "" && t.name != t.only.Name {
			return fmt.Errorf("%s: there is only the provider %s: name a file with --config that lists others", Origin(flags, "provider"), t.only.Name)
		}
		t.Provider, err = t.only.provider(flags, "provider-url")
		return err
	}
	if err := refuseOnly(flags, t.file); err != nil {
		return err
	}
	node, path, err := t.choose(f, flags)
	if err != nil {
		return err
	}
	t.Provider, err = f.provider(node, path)
	return err
}

// choose returns the entry of the provider, with its path in the file.
func (t *Try) choose(f *file, flags *pflag.FlagSet) (node *yaml.Node, path string, err error) {
	var names []string
	for i, node := range f.providers {
		path := fmt.Sprintf("providers[%d]", i)
		e, _, err := f.entry(node, path, "name")
		if err != nil {
			return nil, "", err
		}
		if e.Name == t.name || t.name == "" && len(f.providers) == 1 {
			return node, path, nil
		}
		names = append(names, e.Name)
	}
	if t.name == "" {
		return nil, "", fmt.Errorf("%s lists %d providers: say with --provider which one: %s", t.file, len(names), strings.Join(names, ", "))
	}
	return nil, "", fmt.Errorf("%s %.40q is none of %s", Origin(flags, "provider"), t.name, strings.Join(names, ", "))
}

// unnamed is the name of a provider whose entry has none.
const unnamed = "try"

// noURL is the URL of a provider whose entry has none: nothing can be fetched from there
// (RFC 6761 section 6.4).
const noURL = "http://provider.invalid/"

// completeEntry takes the provider from the file of --entry.
func (t *Try) completeEntry(flags *pflag.FlagSet) error {
	if t.file != "" || t.name != "" {
		return fmt.Errorf("%s is all that is needed: leave out --config and --provider", Origin(flags, "entry"))
	}
	if err := errors.Join(refuseOnly(flags, t.entry), provider.CheckProxies()); err != nil {
		return err
	}
	text, err := readText(t.entry)
	if err != nil {
		return err
	}
	f := &file{path: t.entry}
	for _, match := range variable.FindAllSubmatch(text, -1) {
		t.Variables = append(t.Variables, string(match[1]))
	}
	t.Provider, err = f.single(text)
	return err
}

// HasURL reports whether the provider has a URL of its own to fetch from.
func (p *Provider) HasURL() bool { return p.URL != noURL }

// readingKeys are the keys of an entry that say how to read a document.
var readingKeys = []string{"format", "timezone", "tolerate", "map"}

// ParseEntry reads an entry of the list of providers that stands alone, for somebody who tries
// how a document of at most so many bytes is read. Of the keys only those count that say how to
// read it: no environment variable and no file is read. An unknown key is an error, as everywhere.
func ParseEntry(text []byte, most int64) (Provider, error) {
	p, err := (&file{path: "entry"}).single(text, readingKeys...)
	if err != nil {
		return p, err
	}
	c := p.Config
	c.MaxBytes = most
	p.Provider, err = provider.New(c)
	return p, err
}

// known returns an error if an entry has a key that there is not.
func (f *file) known(entry *yaml.Node, flags *pflag.FlagSet) error {
	fields, err := f.fields(entry, "")
	for _, of := range fields {
		if flags.Lookup(of.key) == nil && !slices.Contains(keysWithoutFlags, of.key) {
			return unknownKey(of, flags, keysWithoutFlags...)
		}
	}
	return err
}

// single reads an entry that stands alone, or only the given keys of it.
func (f *file) single(text []byte, only ...string) (Provider, error) {
	if len(text) > maxFileBytes {
		return Provider{}, fmt.Errorf("%s has more than 1 MiB", f.path)
	}
	f.lines = strings.Split(string(text), "\n")
	node, err := f.document(text)
	switch {
	case err != nil:
		return Provider{}, err
	case node == nil:
		return Provider{}, fmt.Errorf("%s is empty, where the keys of a provider are needed, such as format", f.path)
	case node.Kind == yaml.SequenceNode && len(node.Content) == 1: // as copied from a list
		node = node.Content[0]
	}
	e, flags, err := f.entry(node, "", only...)
	if err == nil {
		err = f.known(node, flags)
	}
	if err != nil {
		return Provider{}, err
	}
	for key, value := range map[string]string{"name": unnamed, "url": noURL} {
		if flag := flags.Lookup(key); !isSet(flag) {
			_ = flag.Value.Set(value) // a text takes any
		}
	}
	return e.listed(flags)
}
