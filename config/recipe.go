package config

import (
	"encoding/json"
	"fmt"
	"time"

	"fever/event"
	"fever/provider"
	"fever/provider/feed"
	"fever/provider/feed/mapped"
	"fever/provider/xmlscan"
)

// A recipe is all of an entry on which it depends what a document says. The rest says how to get it.
type recipe struct {
	Name, URL, Format, TimeZone string

	Tolerate xmlscan.Tolerance
	Mapping  mapped.Mapping
	Pages    *provider.Pages
	Tables   []provider.Table
	Timeout  time.Duration
	MaxBytes int64
}

// recipeOf returns the recipe of an entry that a provider was made of.
func (e *entry) recipeOf(p *provider.Provider) recipe {
	return recipe{
		Name: p.Name, URL: p.URL, Format: p.Format.Name, TimeZone: p.Location.String(),
		Tolerate: e.tolerate, Mapping: e.mapping.Mapping, Pages: p.Pages, Tables: p.Tables, Timeout: p.Timeout, MaxBytes: p.MaxBytes,
	}
}

// Recipe returns what another process needs to know to decode the provider's documents: see
// [ReadRecipe]. Its URLs may have credentials. It has no headers and no keys.
func (p *Provider) Recipe() ([]byte, error) { return json.Marshal(&p.recipe) }

// ReadRecipe makes a provider of what [Provider.Recipe] returned. It is good to decode documents, and
// may not be able to get any.
func ReadRecipe(text []byte) (*provider.Provider, error) {
	var r recipe
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read how to decode: %w", err)
	}
	location, err := event.LoadLocation(r.TimeZone)
	if err != nil {
		return nil, err
	}
	e := &entry{tolerate: r.Tolerate, mapping: mapping{Mapping: r.Mapping}}
	e.Config = provider.Config{
		Name: r.Name, URL: r.URL, Pages: r.Pages, Tables: r.Tables, Timeout: r.Timeout, MaxBytes: r.MaxBytes, Location: location,
	}
	if e.Format, err = e.named(r.Format); err != nil {
		return nil, err
	}
	return provider.New(e.Config)
}

// named returns the format with a name of its own.
func (e *entry) named(name string) (feed.Format, error) {
	for _, f := range formats {
		if f.name == name {
			return f.make(e)
		}
	}
	return feed.Format{}, fmt.Errorf("no format has the name %.40q", name)
}
