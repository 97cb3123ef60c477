package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"fever/store"
	"fever/store/bolt/boltfile"
)

// formatVersion is the version of the file's format that this package reads and
// writes. A change of any kind in what the file holds raises it.
const formatVersion = 5

// application says whose file it is.
const application = "fever"

var (
	metaBucket      = []byte("meta")      // applicationKey and formatKey
	eventsBucket    = []byte("events")    // event.Key.Bytes -> store.Value
	currentBucket   = []byte("current")   // event.Key.Bytes -> a mark: see markOf
	providersBucket = []byte("providers") // name -> store.Provider
	jobsBucket      = []byte("jobs")      // store.JobKey -> store.Job; its sequence is the last id
	revisionsBucket = []byte("revisions") // headKey -> head; revisionKey -> nothing. Format 1 has none
	itemsBucket     = []byte("items")     // store.ItemKey -> store.StoredItem. Formats 1 to 3 have none; so is the next
	namesBucket     = []byte("names")     // store.StoredItem.ItemNames -> nothing
	historyBucket   = []byte("history")   // store.UndoKey -> store.Undo. Formats 1 to 4 have none

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

// firstBuckets are those of format 1.
var firstBuckets = [][]byte{metaBucket, eventsBucket, currentBucket, providersBucket, jobsBucket}

// bucketsOf returns the names of the buckets of a format.
func bucketsOf(format uint64) [][]byte {
	names := slices.Clone(firstBuckets)
	if format >= 2 {
		names = append(names, revisionsBucket)
	}
	if format >= 4 {
		names = append(names, itemsBucket, namesBucket)
	}
	if format >= 5 {
		names = append(names, historyBucket)
	}
	return names
}

// identify looks for fever's buckets, and returns the format: 0 is that of a file without any
// buckets. That is how bbolt leaves it when the process ends before [create] is done.
func identify(path string, tx *bbolt.Tx) (format uint64, err error) {
	if first, _ := tx.Cursor().First(); first == nil {
		return 0, nil
	}
	var app string
	meta := tx.Bucket(metaBucket)
	if meta == nil || store.Unmarshal(meta.Get(applicationKey), &app) != nil || app != application {
		return 0, foreign(path, "another program's bbolt file")
	}
	if err := store.Unmarshal(meta.Get(formatKey), &format); err != nil {
		return 0, damaged(path, "format: "+err.Error())
	}
	if format > formatVersion {
		return 0, newer(path, format)
	}
	if format == 0 {
		return 0, damaged(path, "format 0")
	}
	for _, name := range bucketsOf(format) {
		if tx.Bucket(name) == nil {
			return 0, damaged(path, fmt.Sprintf("no bucket %s", name))
		}
	}
	return format, nil
}

// create makes fever's buckets in an empty file.
func create(tx *bbolt.Tx) error {
	for _, name := range bucketsOf(formatVersion) {
		if _, err := tx.CreateBucket(name); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	app, err := store.Marshal(application)
	return errors.Join(err, tx.Bucket(metaBucket).Put(applicationKey, app), new(head).write(tx), putFormat(tx))
}

// convert makes a file of an older format one of this format. It rewrites no event. Those of
// format 1 have no revision, and count as changed by the first. All of formats 2 to 4 is as this
// format has it.
func convert(tx *bbolt.Tx) error {
	first := tx.Bucket(revisionsBucket) == nil
	for _, name := range bucketsOf(formatVersion) {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	if first {
		h := converted
		if err := h.write(tx); err != nil {
			return err
		}
	}
	return putFormat(tx)
}

func putFormat(tx *bbolt.Tx) error {
	format, err := store.Marshal(uint64(formatVersion))
	return errors.Join(err, tx.Bucket(metaBucket).Put(formatKey, format))
}
