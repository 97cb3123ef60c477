package provider

import (
	"io"
	"maps"
	"slices"
)

// A format is how a feed is written.
type format struct {
	accept string // value of the Accept header
	// decode reads the document in r as a feed of the named provider. The encoding
	// charset, which may be empty, is what HTTP says that the document is in. It is a
	// pure function of the bytes of r, but for the progress that it tells of, which may
	// be nil; r has to return an error again when it is
	// asked again; such an error comes out wrapped, and all others are a *fault.
	decode func(r io.Reader, provider, charset string, progress *Progress) (*Feed, error)
}

var formats = map[string]format{
	"json": {"application/x-ndjson, application/json, */*;q=0.1", decodeJSON},
	"xml":  {"application/xml, text/xml, */*;q=0.1", decodeXML},
}

// Formats returns the names of the formats that a [Config] can name, sorted.
func Formats() []string { return slices.Sorted(maps.Keys(formats)) }
