package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/bbolt"

	"fever/event"
)

// mostFaults bounds what one Check lists.
const mostFaults = 10

// Check reads everything: every page, by bbolt's own check too, every key and every
// value; that values are encoded as they would be now, hold valid events, and agree
// with what is derived from them; and that no bucket speaks of what another does not
// hold. It returns ErrDamaged (wrapped) with the first things that it found. Writers
// wait for it.
func (s *Store) Check() error {
	s.writer.Lock()
	defer s.writer.Unlock()
	err := s.contain(func() error {
		if err := s.followPages(); err != nil {
			return err
		}
		return s.db.View(func(tx *bbolt.Tx) error {
			f := faults{}
			for err := range tx.Check() { // to its end: it would wait for us for ever
				f.add(err)
			}
			if len(f) == 0 { // else the buckets cannot be relied on
				f.checkNames(tx)
				f.checkProviders(tx)
				f.checkEvents(tx)
				f.checkCurrent(tx)
			}
			if len(f) == 0 {
				return nil
			}
			return damaged(s.path, strings.Join(f, "; "))
		})
	})
	if err != nil {
		return fmt.Errorf("check the store: %w", err)
	}
	return nil
}

// faults is what a check has found so far.
type faults []string

func (f *faults) add(err error) {
	if err != nil && len(*f) < mostFaults {
		*f = append(*f, err.Error())
	}
}

// checkNames looks for what [identify] need not see: more than there should be.
func (f *faults) checkNames(tx *bbolt.Tx) {
	names := func(c *bbolt.Cursor) (all []string) {
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			all = append(all, string(k))
		}
		return all
	}
	if got := names(tx.Cursor()); !slices.Equal(got, []string{"current", "events", "meta", "providers"}) {
		f.add(fmt.Errorf("buckets %q", got))
	}
	if got := names(tx.Bucket(metaBucket).Cursor()); !slices.Equal(got, []string{"application", "format"}) {
		f.add(fmt.Errorf("meta holds %q", got))
	}
}

func (f *faults) checkProviders(tx *bbolt.Tx) {
	err := tx.Bucket(providersBucket).ForEach(func(name, v []byte) error {
		var p providerFields
		if err := errors.Join(event.ValidProvider(string(name)), unseal(name, v, &p)); err != nil {
			f.add(fmt.Errorf("provider %q: %w", name, err))
			return nil
		}
		if again, err := seal(name, &p); err != nil || !bytes.Equal(again, v) || p.TimeZone == "" {
			f.add(fmt.Errorf("provider %q: not as fever writes it", name))
		}
		return nil
	})
	f.add(err)
}

func (f *faults) checkEvents(tx *bbolt.Tx) {
	var enc encoder
	providers := tx.Bucket(providersBucket)
	err := tx.Bucket(eventsBucket).ForEach(func(k, v []byte) error {
		r, err := decodeRecord(k, v)
		if err == nil {
			err = r.Validate()
		}
		if err == nil && providers.Get([]byte(r.Provider)) == nil {
			err = errors.New("no such provider")
		}
		if err == nil {
			err = checkEncoding(&enc, k, v, &r)
		}
		if err != nil {
			f.add(fmt.Errorf("event %q: %w", k, err))
		}
		return nil
	})
	f.add(err)
}

// checkEncoding encodes r again. The same bytes mean that the encoding is the
// deterministic one, and that the price range is that of the zones.
func checkEncoding(enc *encoder, k, v []byte, r *event.Record) error {
	fields, err := enc.encode(&r.Event)
	if err != nil {
		return err
	}
	again, err := seal(k, &value[cbor.RawMessage]{FirstSeen: r.FirstSeen.UnixMilli(), LastChanged: r.LastChanged.UnixMilli(), Event: fields})
	if err == nil && !bytes.Equal(again, v) {
		err = errors.New("not as fever writes it")
	}
	return err
}

func (f *faults) checkCurrent(tx *bbolt.Tx) {
	events := tx.Bucket(eventsBucket)
	err := tx.Bucket(currentBucket).ForEach(func(k, v []byte) error {
		if len(v) != 0 || events.Get(k) == nil {
			f.add(fmt.Errorf("event %q: it is current, but not stored", k))
		}
		return nil
	})
	f.add(err)
}
