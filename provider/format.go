package provider

import (
	"io"
	"maps"
	"slices"
	"time"

	"fever/provider/feed"
)

// A format is how a feed is written.
type format struct {
	accept string // value of the Accept header
	// decode reads the document in r. It is a pure function of the bytes of r and of what
	// is said of how to read them, but for the progress that it tells of; r has to return
	// an error again when it is asked again; such an error comes out wrapped, and all others
	// are a *fault.
	decode func(r io.Reader, how decoding) (*feed.Feed, error)
}

// A decoding says how a document is to be read.
type decoding struct {
	provider string         // whose feed it is
	location *time.Location // in which its local times count
	charset  string         // what HTTP says that it is encoded in; may be empty
	tolerate Tolerance
	progress *feed.Progress // may be nil
}

var formats = map[string]format{
	"json": {"application/x-ndjson, application/json, */*;q=0.1", decodeJSON},
	"xml":  {"application/xml, text/xml, */*;q=0.1", decodeXML},
}

// Formats returns the names of the formats that a [Config] can name, sorted.
func Formats() []string { return slices.Sorted(maps.Keys(formats)) }
