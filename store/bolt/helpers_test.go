package bolt

import (
	"path/filepath"
	"testing"
	"time"

	"fever/store"
	"fever/store/storetest"
)

// keep is the number of finished jobs that the tests' stores keep of each provider.
const keep = storetest.Keep

// newStore opens a store in a folder of its own. When the test ends the store is
// closed, opened again, and checked.
func newStore(t *testing.T) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fever.db")
	s, err := Open(path, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checkFile(t, path)
	})
	return s
}

// checkFile checks the file of a closed store.
func checkFile(t *testing.T, path string) {
	t.Helper()
	s, err := OpenReadOnly(path)
	if err != nil {
		t.Error(err)
		return
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// metaBytes is the length of what bbolt writes of a meta page.
const metaBytes = 80

// What the suite of all stores makes and reads.
var (
	noon       = storetest.Noon
	everything = storetest.Everything
	sample     = storetest.Sample
	with       = storetest.With
	snapshot   = storetest.Snapshot
	past       = storetest.Past
	finish     = storetest.Fail
	begin      = storetest.Begin
	run        = storetest.Collect
	apply      = storetest.Apply
	records    = storetest.Records
	jobs       = storetest.Jobs
	local      = storetest.Local
	price      = storetest.Price
	dateOf     = storetest.DateOf

	utc = time.UTC
)

// TestStore runs the suite. Disks do not fail in it, so nothing waits for them.
func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Place {
		path := filepath.Join(t.TempDir(), "fever.db")
		return func(keep int, history time.Duration) (store.Store, error) {
			s, err := Open(path, keep)
			if err != nil {
				return nil, err
			}
			s.db.NoSync, s.History = true, history
			return s, nil
		}
	})
}

func pointer[V any](v V) *V { return &v }

// must is for values that are constants.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}
