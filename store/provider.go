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
	Stream     Stream // of its feed of changes, if that brought the latest snapshot
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
	case len(p.Stream.Cursor) > MaxCursor || p.Stream.Generation == 0 && len(p.Stream.Cursor) > 0:
		return fmt.Errorf("a cursor of %d bytes of generation %d", len(p.Stream.Cursor), p.Stream.Generation)
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

// streamingFields is a [Provider] with a stream as it is encoded.
type streamingFields struct {
	_            struct{} `cbor:",toarray"`
	TimeZone     string
	ETag         cbor.ByteString
	LastModified cbor.ByteString
	Digest       [32]byte
	Source       string
	Generation   uint64
	Cursor       cbor.ByteString
}

// Encode returns what to store under the provider's name.
func (p *Provider) Encode(name []byte) ([]byte, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	v := &p.Validators
	if p.Stream.Generation == 0 {
		return Seal(name, &providerFields{
			TimeZone: p.TimeZone, ETag: cbor.ByteString(v.ETag), LastModified: cbor.ByteString(v.LastModified), Digest: v.Digest, Source: v.Source,
		})
	}
	return Seal(name, &streamingFields{
		TimeZone: p.TimeZone, ETag: cbor.ByteString(v.ETag), LastModified: cbor.ByteString(v.LastModified), Digest: v.Digest, Source: v.Source,
		Generation: p.Stream.Generation, Cursor: cbor.ByteString(p.Stream.Cursor),
	})
}

// streamingHead is the byte that streamingFields begin with: an array of seven elements.
const streamingHead = 0x87

// DecodeProvider is the inverse of [Provider.Encode], and accepts nothing that this does not
// return for a provider with a time zone.
func DecodeProvider(name, b []byte) (Provider, error) {
	var f streamingFields
	var err error
	if len(b) > 0 && b[0] == streamingHead {
		err = Unseal(name, b, &f)
	} else {
		var whole providerFields
		err = Unseal(name, b, &whole)
		f.TimeZone, f.ETag, f.LastModified, f.Digest, f.Source = whole.TimeZone, whole.ETag, whole.LastModified, whole.Digest, whole.Source
	}
	if err != nil {
		return Provider{}, err
	}
	p := Provider{
		TimeZone: f.TimeZone, Validators: feed.Validators{ETag: string(f.ETag), LastModified: string(f.LastModified), Digest: f.Digest, Source: f.Source},
		Stream: Stream{Generation: f.Generation},
	}
	if len(f.Cursor) > 0 {
		p.Stream.Cursor = []byte(f.Cursor)
	}
	again, err := p.Encode(name)
	if err == nil && (!bytes.Equal(again, b) || p.TimeZone == "") {
		err = errNotOurs
	}
	return p, err
}
