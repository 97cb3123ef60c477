package store

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"fever/provider/feed"

	"github.com/fxamacker/cbor/v2"
)

// A Provider is what a store keeps of a provider: what its latest snapshot says.
type Provider struct {
	TimeZone   string // IANA name
	Validators feed.Validators
}

// maxValidator bounds each text of Validators.
const maxValidator = 1 << 10

func (p *Provider) validate() error {
	v := &p.Validators
	switch {
	case len(v.ETag) > maxValidator:
		return fmt.Errorf("an entity tag of %d bytes", len(v.ETag))
	case len(v.LastModified) > maxValidator:
		return fmt.Errorf("a time of modification of %d bytes", len(v.LastModified))
	case len(v.Source) > maxValidator || !utf8.ValidString(v.Source):
		return fmt.Errorf("a source of %d bytes, or no text", len(v.Source))
	}
	return nil
}

// providerFields is a [Provider] as it is encoded.
type providerFields struct {
	_            struct{} `cbor:",toarray"`
	TimeZone     string
	ETag         cbor.ByteString // a header may hold bytes that are no text; so may the next
	LastModified cbor.ByteString
	Digest       [32]byte
	Source       string
}

// Encode returns what to store under the provider's name.
func (p *Provider) Encode(name []byte) ([]byte, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	v := &p.Validators
	return Seal(name, &providerFields{
		TimeZone:     p.TimeZone,
		ETag:         cbor.ByteString(v.ETag),
		LastModified: cbor.ByteString(v.LastModified),
		Digest:       v.Digest,
		Source:       v.Source,
	})
}

// DecodeProvider is the inverse of [Provider.Encode], and accepts nothing that this does not
// return for a provider with a time zone.
func DecodeProvider(name, b []byte) (Provider, error) {
	var f providerFields
	if err := Unseal(name, b, &f); err != nil {
		return Provider{}, err
	}
	p := Provider{TimeZone: f.TimeZone, Validators: feed.Validators{ETag: string(f.ETag), LastModified: string(f.LastModified), Digest: f.Digest, Source: f.Source}}
	again, err := p.Encode(name)
	if err == nil && (!bytes.Equal(again, b) || p.TimeZone == "") {
		err = errNotOurs
	}
	return p, err
}
