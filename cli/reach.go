package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"fever/config"
	"fever/ops/control"
	"fever/store"
)

// settling is how long a fever serve may hold its data file without answering: it does so
// while it starts and stops. It is longer than the store waits for the file.
const settling = 2 * time.Second

// openOrReach opens a store. While a fever serve holds the data file, it returns a client of
// that instead. Exactly one result is not nil.
func openOrReach(ctx context.Context, db config.Place, open func() (store.Store, error)) (store.Store, *control.Client, error) {
	for started := time.Now(); ; {
		st, err := open() // waits a moment for the lock
		if !errors.Is(err, store.ErrLocked) {
			return st, nil, err
		}
		client, err := reach(ctx, db, err)
		if !errors.Is(err, store.ErrLocked) || time.Since(started) > settling {
			return nil, client, err
		}
	}
}

// readOrReach is openOrReach for reading. It does not create a file.
func readOrReach(ctx context.Context, db config.Place) (store.Store, *control.Client, error) {
	st, client, err := openOrReach(ctx, db, func() (store.Store, error) { return readStore(ctx, db) })
	return st, client, noFile(err)
}

// noFile extends the error that a data file does not exist by how to create one.
func noFile(err error) error {
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w; fever serve and fever sync make it, and --db names another", err)
	}
	return err
}

// reach returns a client of the fever serve that holds the data file. If it cannot be reached,
// the error wraps locked, the error of opening the file.
func reach(ctx context.Context, db config.Place, locked error) (*control.Client, error) {
	client := control.NewClient(string(db))
	err := client.Reach(ctx)
	switch {
	case err == nil:
		return client, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w (it cannot be asked: %w)", locked, err)
}
