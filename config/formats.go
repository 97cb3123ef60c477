package config

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"fever/provider/feed"
	"fever/provider/feed/dump"
	"fever/provider/feed/feverup"
	"fever/provider/feed/ical"
	"fever/provider/feed/rpde"
	"fever/provider/feed/schemaorg"
)

// formats are the formats that a provider can have; the first is the default.
var formats = []struct {
	name, older string // the older name goes on working
	make        func(*entry) (feed.Format, error)
}{
	{"feverup", "xml", func(e *entry) (feed.Format, error) { return feverup.New(e.tolerate), nil }},
	{"fever", "json", func(*entry) (feed.Format, error) { return dump.New(), nil }},
	{"ical", "", func(*entry) (feed.Format, error) { return ical.New(), nil }},
	{"schema-org", "", func(*entry) (feed.Format, error) { return schemaorg.New(), nil }},
	{"rpde", "", (*entry).rpde},
	{"map", "", (*entry).mapped},
}

// feedFormat returns the format of an entry. The empty name is the default. The error names
// its place in the settings.
func (e *entry) feedFormat(flags *pflag.FlagSet) (feed.Format, error) {
	var names []string
	for i, f := range formats {
		names = append(names, f.name)
		if e.format != f.name && (e.format == "" || e.format != f.older) && (e.format != "" || i > 0) {
			continue
		}
		switch isMap := f.name == "map"; {
		case isMap && e.mapping.where == "":
			return feed.Format{}, fmt.Errorf("%s: the entry needs a map, which says how to make events of rows", Origin(flags, "format"))
		case !isMap && e.mapping.where != "":
			return feed.Format{}, fmt.Errorf("%s: it is for format: map, and the format is %s", e.mapping.where, f.name)
		}
		return f.make(e)
	}
	return feed.Format{}, fmt.Errorf("%s: %.40q is none of %s", Origin(flags, "format"), e.format, strings.Join(names, ", "))
}

// rpde makes the format of an entry with its tables.
func (e *entry) rpde() (feed.Format, error) {
	var names []string
	for _, table := range e.Tables {
		names = append(names, table.Name)
	}
	return rpde.New(names), nil
}
