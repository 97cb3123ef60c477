package store

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/bbolt"

	"fever/provider/feed"
)

// maxValidator bounds each text of validators.
const maxValidator = 1 << 10

func validate(v *feed.Validators) error {
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

// Validators returns what was stored with the provider's latest snapshot, or the zero
// value when there is none.
func (s *Store) Validators(ctx context.Context, provider string) (v feed.Validators, err error) {
	if err := ctx.Err(); err != nil {
		return v, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(providersBucket).Get([]byte(provider))
		if b == nil {
			return nil
		}
		p, err := decodeProvider([]byte(provider), b)
		if err != nil {
			return damaged(s.path, fmt.Sprintf("provider %q: %v", provider, err))
		}
		v = p.validators()
		return nil
	})
	if err != nil {
		return feed.Validators{}, fmt.Errorf("read the validators of %s: %w", provider, err)
	}
	return v, nil
}

// revalidate replaces the validators of the provider's latest snapshot by newer ones of
// the same body from the same source.
func (s *Store) revalidate(tx *bbolt.Tx, provider string, v feed.Validators) error {
	providers, key := tx.Bucket(providersBucket), []byte(provider)
	b := providers.Get(key)
	if b == nil {
		return nil // there is no snapshot
	}
	p, err := decodeProvider(key, b)
	if err != nil {
		return damaged(s.path, fmt.Sprintf("provider %q: %v", provider, err))
	}
	if old := p.validators(); v == old || v.Digest != old.Digest || v.Source != old.Source {
		return nil
	}
	b, err = encodeProvider(&Snapshot{Provider: provider, TimeZone: p.TimeZone, Validators: v})
	if err != nil {
		return err
	}
	return providers.Put(key, b)
}

// providerFields is what stands in the bucket of providers.
type providerFields struct {
	_            struct{}        `cbor:",toarray"`
	TimeZone     string          // IANA name
	ETag         cbor.ByteString // a header may hold bytes that are no text; so may the next
	LastModified cbor.ByteString
	Digest       [32]byte
	Source       string
}

func encodeProvider(snap *Snapshot) ([]byte, error) {
	v := &snap.Validators
	if err := validate(v); err != nil {
		return nil, err
	}
	return seal([]byte(snap.Provider), &providerFields{
		TimeZone:     snap.TimeZone,
		ETag:         cbor.ByteString(v.ETag),
		LastModified: cbor.ByteString(v.LastModified),
		Digest:       v.Digest,
		Source:       v.Source,
	})
}

func decodeProvider(name, b []byte) (p providerFields, err error) {
	err = unseal(name, b, &p)
	return p, err
}

func (p *providerFields) validators() feed.Validators {
	return feed.Validators{ETag: string(p.ETag), LastModified: string(p.LastModified), Digest: p.Digest, Source: p.Source}
}

// loadZone is [time.LoadLocation] without the names that mean something else on each
// machine.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("time zone %q is not the name of a place, such as Europe/Madrid, or UTC", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", name, err)
	}
	return loc, nil
}

// places returns the time zone of every provider with a snapshot.
func (s *Store) places(tx *bbolt.Tx) (map[string]*time.Location, error) {
	all := make(map[string]*time.Location)
	err := tx.Bucket(providersBucket).ForEach(func(name, v []byte) error {
		if loc := s.Zones[string(name)]; loc != nil {
			all[string(name)] = loc
			return nil
		}
		p, err := decodeProvider(name, v)
		if err != nil {
			return damaged(tx.DB().Path(), fmt.Sprintf("provider %q: %v", name, err))
		}
		loc, err := loadZone(p.TimeZone)
		if err != nil {
			return fmt.Errorf("provider %s: %w", name, err)
		}
		all[string(name)] = loc
		return nil
	})
	return all, err
}
