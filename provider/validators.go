package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// maxValidator bounds an entity tag and a date of change, in bytes.
const maxValidator = 1 << 10

// Validators are what an answer is recognised by the next time. The zero value
// recognises none.
type Validators struct {
	ETag         string   // of the answer, as received; empty when it had none that can be sent back
	LastModified string   // the same
	Digest       [32]byte // SHA-256 of its body as received and of what that is encoded with; zero when unknown
	Source       string   // a digest of what was asked of whom, and of the format: with another, these say nothing
}

// revision is to be raised when a decoder comes to read a document differently, so that
// feeds which have not changed since are read again.
const revision = 3

// sourceOf returns Validators.Source for the answers to a provider's requests.
func sourceOf(c *Config) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %q %d", revision, c.URL, c.Format, c.Tolerate)
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		fmt.Fprintf(h, " %q %q", name, c.Header[name])
	}
	if c.ClientCert != "" { // who asks
		fmt.Fprintf(h, " %q", c.ClientCert)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// validators returns those of an answer, but for its digest.
func (p *Provider) validators(header http.Header) Validators {
	return Validators{Source: p.source}.renewed(header)
}

// renewed returns the validators with those that an answer brings in their place: a 304
// replaces what it names and leaves the others, RFC 9111 section 3.2.
func (v Validators) renewed(header http.Header) Validators {
	if tag := header.Get("ETag"); len(tag) <= maxValidator && isEntityTag(tag) {
		v.ETag = tag
	}
	if date := header.Get("Last-Modified"); len(date) <= maxValidator && isFieldValue(date) {
		v.LastModified = date
	}
	return v
}

// isEntityTag reports whether s is an entity tag, RFC 9110 section 8.8.3.
func isEntityTag(s string) bool {
	s = strings.TrimPrefix(s, "W/")
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	for _, c := range []byte(s[1 : len(s)-1]) {
		if c <= ' ' || c == '"' || c == 0x7f {
			return false
		}
	}
	return true
}

// conditional reports whether ask sets any condition.
func (v *Validators) conditional() bool { return v.ETag != "" || v.LastModified != "" }

// ask sets the conditions under which the feed is wanted. A server that knows the
// tag does not look at the date (RFC 9110 section 13.1.3).
func (v *Validators) ask(header http.Header) {
	if v.ETag != "" {
		header.Set("If-None-Match", v.ETag)
	}
	if v.LastModified != "" {
		header.Set("If-Modified-Since", v.LastModified)
	}
}
