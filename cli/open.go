package cli

import (
	"context"
	"time"

	"fever/config"
	"fever/store"
	"fever/store/bolt"
	"fever/store/postgres"
)

// openStore opens what is at a place, and makes it if nothing is there. It keeps so many outcomes
// of jobs of each provider.
func openStore(ctx context.Context, db config.Place, keep int) (store.Store, error) {
	if db.Database() {
		return opened(postgres.Open(ctx, string(db), keep))
	}
	return opened(bolt.Open(string(db), keep))
}

// readStore opens what is at a place for reading.
func readStore(ctx context.Context, db config.Place) (store.Store, error) {
	if db.Database() {
		return opened(postgres.OpenReadOnly(ctx, string(db)))
	}
	return opened(bolt.OpenReadOnly(string(db)))
}

// opened returns no store beside an error.
func opened[S store.Store](st S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return st, nil
}

// inZones has local times in a file count in the zones of the settings. Those who share a database
// must agree, so the zones there are those of the latest snapshots.
func inZones(st store.Store, zones map[string]*time.Location) {
	if file, ok := st.(*bolt.Store); ok {
		file.Zones = zones
	}
}
