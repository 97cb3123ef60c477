package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
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
func inZones(ctx context.Context, st store.Store, d *config.DataFile) error {
	file, ok := st.(*bolt.Store)
	if !ok {
		return nil
	}
	known, _, err := st.Locations(ctx)
	if err != nil {
		return err
	}
	file.Zones, err = d.Zones(slices.Sorted(maps.Keys(known)))
	if err != nil {
		return &usageError{err}
	}
	return nil
}

// archiveAt returns the place of the archive, which is nil if there is none, and what ends its use.
func archiveAt(ctx context.Context, c *config.Archive) (place archive.Place, done func(), err error) {
	if c.At == "" {
		return nil, func() {}, nil
	}
	if place, err = archive.At(ctx, c.At); err != nil {
		return nil, nil, err
	}
	return place, func() { _ = place.Close() }, nil // it was read
}

// archived returns the names of the providers of which an archive has documents.
func archived(ctx context.Context, place archive.Place) ([]string, error) {
	names, err := place.Providers(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no archive in the folder %s: name with --archive the one of the data file that the jobs were for", place)
	}
	return names, err
}

// keepDocuments has the jobs of g keep the documents that they get, and returns what ends that. If the
// archive cannot be used, for another reason than a process that writes to it, jobs do without it.
func keepDocuments(g *ingest.Ingester, place archive.Place, c *config.Archive, log *slog.Logger) (func(), error) {
	if place == nil {
		return func() {}, nil
	}
	a, err := archive.Open(place, c.Keep, c.Size)
	switch {
	case errors.Is(err, archive.ErrLocked):
		return nil, err
	case err != nil:
		g.Unarchived.Add(1)
		log.Error("no documents will be kept", "error", err)
		return func() {}, nil
	}
	a.Failed = func(err error) {
		g.Unarchived.Add(1)
		log.Error("the archive has a fault; jobs go on", "error", err)
	}
	g.Archive = a
	return func() {
		if err := a.Close(); err != nil {
			log.Error("the archive was not closed", "error", err)
		}
	}, nil
}

// editArchive changes the archive, unless there is none, and reports whether it had anything of a
// provider.
func editArchive(ctx context.Context, c *config.Archive, provider string, change func(*archive.Archive) error) (had bool, err error) {
	place, done, err := archiveAt(ctx, c)
	if err != nil {
		return false, err
	}
	defer done()
	if folder, ok := place.(archive.Folder); ok {
		if _, err := os.Stat(string(folder)); errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
	}
	if place == nil {
		return false, nil
	}
	names, err := place.Providers(ctx)
	if err != nil {
		return false, err
	}
	a, err := archive.Open(place, 0, 0)
	if err != nil {
		return false, err
	}
	return slices.Contains(names, provider), errors.Join(change(a), a.Close())
}
