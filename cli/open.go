package cli

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"fever/archive"
	"fever/config"
	"fever/ingest"
	"fever/store"
	"fever/store/bolt"
	"fever/store/postgres"
)

// openStore opens what is at a place, and makes it if nothing is there. It keeps so many outcomes
// of jobs of each provider, and for so long what events were before they changed.
func openStore(ctx context.Context, db config.Place, keep int, history time.Duration) (store.Store, error) {
	if db.Database() {
		st, err := postgres.Open(ctx, string(db), keep)
		if err != nil {
			return nil, err
		}
		st.History = history
		return st, nil
	}
	st, err := bolt.Open(string(db), keep)
	if err != nil {
		return nil, err
	}
	st.History = history
	return st, nil
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

// keepDocuments has the jobs of g keep the documents that they get, and returns what ends that. If the
// archive cannot be used, for another reason than a process that writes to it, jobs do without it.
func keepDocuments(g *ingest.Ingester, c *config.Archive, log *slog.Logger) (func(), error) {
	if c.Dir == "" {
		return func() {}, nil
	}
	a, err := archive.Open(c.Dir, c.Keep, c.Size)
	switch {
	case errors.Is(err, archive.ErrLocked):
		return nil, err
	case err != nil:
		g.Unarchived.Add(1)
		log.Error("no documents will be kept", "error", err)
		return func() {}, nil
	}
	g.Archive = a
	return func() {
		if err := a.Close(); err != nil {
			log.Error("the archive was not closed", "error", err)
		}
	}, nil
}

// editArchive changes the archive in a folder, unless there is none.
func editArchive(dir string, change func(*archive.Archive) error) error {
	if _, err := os.Stat(dir); dir == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	a, err := archive.Open(dir, 0, 0)
	if err != nil {
		return err
	}
	return errors.Join(change(a), a.Close())
}
