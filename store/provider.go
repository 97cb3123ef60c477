package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// providerFields is what stands in the bucket of providers.
type providerFields struct {
	_        struct{} `cbor:",toarray"`
	TimeZone string   // IANA name
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

// places returns the time zone of every provider: the one in configured or, for a
// provider that is not, the one recorded with its latest snapshot.
func places(tx *bbolt.Tx, configured map[string]*time.Location) (map[string]*time.Location, error) {
	all := make(map[string]*time.Location)
	err := tx.Bucket(providersBucket).ForEach(func(name, v []byte) error {
		if loc := configured[string(name)]; loc != nil {
			all[string(name)] = loc
			return nil
		}
		var p providerFields
		if err := unseal(name, v, &p); err != nil {
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
