package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"

	"fever/store"
	"fever/store/bolt/boltfile"
)

// formatVersion is the version of the file's format that this package reads and
// writes. A change of any kind in what the file holds raises it.
const formatVersion = 1

// application says whose file it is.
const application = "fever"

var (
	metaBucket      = []byte("meta")      // applicationKey and formatKey
	eventsBucket    = []byte("events")    // event.Key.Bytes -> value
	currentBucket   = []byte("current")   // event.Key.Bytes -> nothing
	providersBucket = []byte("providers") // name -> providerFields
	jobsBucket      = []byte("jobs")      // provider, id -> jobFields; its sequence is the last id

	applicationKey = []byte("application")
	formatKey      = []byte("format")
)

// inspect finds out whether bbolt may open the file. It reports apart whether the file has
// begun to be one: without a byte, or cut off while it was created, it has not.
func inspect(path string, info fs.FileInfo) (begun bool, err error) {
	switch {
	case info.IsDir():
		return false, foreign(path, "it is a directory")
	case !info.Mode().IsRegular():
		return false, foreign(path, "it is a device, a pipe or a socket")
	}
	f, err := os.Open(path)
	if err != nil {
		return false, unopened(err)
	}
	defer f.Close() // only read: nothing can be lost
	switch err := boltfile.Probe(f); {
	case errors.Is(err, boltfile.ErrUnfinished):
		return false, nil
	case errors.Is(err, boltfile.ErrForeign):
		return false, foreign(path, "another program wrote it")
	case errors.Is(err, boltfile.ErrBusy):
		return false, locked(path)
	case err != nil:
		return false, wrong(path, err)
	}
	return true, nil
}

// wrong says that the pages are not in order, unless they could not be read at all.
func wrong(path string, err error) error {
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return fmt.Errorf("read the store: %w", err)
	}
	return damaged(path, err.Error())
}

// identify looks for fever's buckets. An empty file has no buckets at all: that is
// how bbolt leaves it when the process ends before [create] is done.
func identify(path string, tx *bbolt.Tx) (empty bool, err error) {
	if first, _ := tx.Cursor().First(); first == nil {
		return true, nil
	}
	var app string
	meta := tx.Bucket(metaBucket)
	if meta == nil || store.Unmarshal(meta.Get(applicationKey), &app) != nil || app != application {
		return false, foreign(path, "another program's bbolt file")
	}
	var format uint64
	if err := store.Unmarshal(meta.Get(formatKey), &format); err != nil {
		return false, damaged(path, "format: "+err.Error())
	}
	if format > formatVersion {
		return false, newer(path, format)
	}
	if format != formatVersion {
		return false, damaged(path, fmt.Sprintf("format %d", format))
	}
	for _, name := range [][]byte{eventsBucket, currentBucket, providersBucket, jobsBucket} {
		if tx.Bucket(name) == nil {
			return false, damaged(path, fmt.Sprintf("no bucket %s", name))
		}
	}
	return false, nil
}

// create makes fever's buckets in an empty file.
func create(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, eventsBucket, currentBucket, providersBucket, jobsBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	app, err1 := store.Marshal(application)
	format, err2 := store.Marshal(uint64(formatVersion))
	meta := tx.Bucket(metaBucket)
	return errors.Join(err1, err2, meta.Put(applicationKey, app), meta.Put(formatKey, format))
}
