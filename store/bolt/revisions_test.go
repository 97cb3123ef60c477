package bolt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"

	"go.etcd.io/bbolt"

	"fever/store"
)

// TestWaitBroken has bbolt fail while others wait.
func TestWaitBroken(t *testing.T) {
	t.Parallel()
	s, err := Open(filepath.Join(t.TempDir(), "fever.db"), keep)
	if err != nil {
		t.Fatal(err)
	}
	defer s.db.Close()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		go func() { ended <- s.Wait(t.Context(), 0) }()
		synctest.Wait()
		err := s.view(func(tx *bbolt.Tx) error { return tx.Bucket(nil).ForEach(nil) })
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("error %v", err)
		}
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, store.ErrDamaged) {
				t.Errorf("it ended with %v", err)
			}
		default:
			t.Fatal("it still waits")
		}
	})
}

// convertVariable names the file that a process started by TestKilledConverting converts.
const convertVariable = "FEVER_TEST_CONVERT"

// convertAgain converts a file, and makes it one of format 1 again, until it is killed.
func convertAgain(path string) error {
	for n := 1; ; n++ {
		s, err := Open(path, keep)
		if err != nil {
			return err
		}
		if err := errors.Join(s.db.Update(unconvert), s.Close()); err != nil {
			return err
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
}

// unconvert makes a file one of format 1 if no event has a revision.
func unconvert(tx *bbolt.Tx) error {
	return errors.Join(tx.DeleteBucket(revisionsBucket), tx.DeleteBucket(itemsBucket), tx.DeleteBucket(namesBucket), tx.DeleteBucket(historyBucket), tx.Bucket(metaBucket).Put(formatKey, must(store.Marshal(uint64(1)))))
}

// withoutRevisions makes a file one of format 1.
func withoutRevisions(tx *bbolt.Tx) error {
	events := tx.Bucket(eventsBucket)
	old := make(map[string][]byte)
	err := events.ForEach(func(k, b []byte) error {
		v, err := store.DecodeValue(k, b)
		v.Revision = 0
		old[string(k)] = must(v.Encode(k))
		return err
	})
	for k, b := range old {
		err = errors.Join(err, events.Put([]byte(k), b))
	}
	return errors.Join(err, unconvert(tx))
}

// TestKilledConverting kills a process that converts a file, at any moment, again and again.
// Each time the file must be wholly of one format, and hold what it held.
func TestKilledConverting(t *testing.T) {
	random := rand.New(rand.NewPCG(rand.Uint64(), 0))
	path := filepath.Join(t.TempDir(), "fever.db")
	s, err := Open(path, keep)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, snapshot("a", 1, many(1000)...))
	want, wantJobs := records(t, s, everything), jobs(t, s, store.JobFilter{})
	err = s.db.Update(withoutRevisions)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	file := read(t, path)
	formats := make(map[uint64]int)
	for range 10 {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		runAndKill(t, convertVariable+"="+path, random)
		checkFile(t, path)
		r, err := OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		formats[formatOf(t, r)]++
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		s, err := Open(path, keep)
		if err != nil {
			t.Fatal(err)
		}
		if format := formatOf(t, s); format != formatVersion {
			t.Errorf("format %d", format)
		}
		if got := records(t, s, everything); !reflect.DeepEqual(got, want) {
			t.Fatalf("%d records, not the %d from before", len(got), len(want))
		}
		if got := jobs(t, s, store.JobFilter{}); !reflect.DeepEqual(got, wantJobs) {
			t.Errorf("jobs %+v", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("of each format: %v", formats)
}
