package config

import (
	"fever/provider/feed"
	"fever/provider/feed/dump"
	"fever/provider/feed/feverup"
	"fever/provider/xmlscan"
)

// formats are the formats that a provider can have; the first is the default.
var formats = []struct {
	name, older string // the older name goes on working
	make        func(xmlscan.Tolerance) feed.Format
}{
	{"feverup", "xml", feverup.New},
	{"fever", "json", func(xmlscan.Tolerance) feed.Format { return dump.New() }},
}

// formatNamed returns the format with a name or older name. The empty name is the default.
func formatNamed(name string, tolerate xmlscan.Tolerance) (format feed.Format, ok bool) {
	for i, f := range formats {
		if name == f.name || name == f.older || name == "" && i == 0 {
			return f.make(tolerate), true
		}
	}
	return feed.Format{}, false
}

// formatNames returns the names of the formats, without the older ones.
func formatNames() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}
