package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"time"

	"fever/provider/feed"
)

// entityTag is the entity-tag of RFC 9110 section 8.8.3.
var entityTag = regexp.MustCompile(`^(W/)?"[^\x00-\x20"\x7f]*"$`)

// maxValidator bounds an entity tag and a Last-Modified date, in bytes.
const maxValidator = 1 << 10

// sourceOf returns the Source of the validators of a provider's documents.
func sourceOf(c *Config) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q", c.URL, c.Format.Name, c.Format.Revision)
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		fmt.Fprintf(h, " %q %q", name, c.Header[name])
	}
	if c.ClientCert != "" { // servers may tell clients apart by it
		fmt.Fprintf(h, " %q", c.ClientCert)
	}
	if c.Pages != nil {
		_ = json.NewEncoder(h).Encode(c.Pages) // neither fails
	}
	for _, table := range c.Tables {
		fmt.Fprintf(h, " %q", table)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sourceAt returns the source of documents that are got at a time.
func (p *Provider) sourceAt(t time.Time) string {
	if p.Format.Monthly {
		return p.Source + t.UTC().Format(" 2006-01")
	}
	return p.Source
}

// renewed returns the validators with those that a response brings. A 304 replaces only the
// ones that it has (RFC 9111 section 3.2).
func renewed(v feed.Validators, header http.Header) feed.Validators {
	if tag := header.Get("ETag"); len(tag) <= maxValidator && entityTag.MatchString(tag) {
		v.ETag = tag
	}
	if date := header.Get("Last-Modified"); len(date) <= maxValidator && fieldValue.MatchString(date) {
		v.LastModified = date
	}
	return v
}

// setConditions makes a request conditional. A server that supports entity tags ignores the
// date (RFC 9110 section 13.1.3).
func setConditions(header http.Header, v *feed.Validators) {
	if v.ETag != "" {
		header.Set("If-None-Match", v.ETag)
	}
	if v.LastModified != "" {
		header.Set("If-Modified-Since", v.LastModified)
	}
}
