package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
	"fever/store/storetest"
)

// TestCopiedBuckets fails when somebody adds a bucket and forgets the copies: each bucket has
// something in it, and is the same in the copy.
func TestCopiedBuckets(t *testing.T) {
	t.Parallel()
	from, to := newStore(t), newStore(t)
	from.History = storetest.History
	apply(t, from, snapshot("a", 1, sample("a", 1, 1), sample("a", 2, 1)))
	apply(t, from, snapshot("a", 2, sample("a", 1, 3)))
	page := snapshot("b", 3, sample("b", 1, 1), sample("b", 2, 1))
	page.Changes = &store.Changes{Stream: store.Stream{Generation: 2, Cursor: []byte("next")}, Items: []store.Item{
		{Item: feed.Item{ID: "x", Keys: []event.Key{page.Events[0].Key, page.Events[1].Key}, Parent: "p"}},
		{Table: "t", Item: feed.Item{ID: "p", Name: "n", Row: []byte("{}")}},
	}}
	apply(t, from, page)
	begin(t, from, "c")
	if err := to.Fill(t.Context(), from.Parts(t.Context(), true)); err != nil {
		t.Fatal(err)
	}
	want, got := content(t, from), content(t, to)
	for _, name := range bucketsOf(formatVersion) {
		switch bucket := string(name); {
		case len(want[bucket]) == 0:
			t.Errorf("the test has nothing in the bucket %s", bucket)
		case !reflect.DeepEqual(got[bucket], want[bucket]):
			t.Errorf("bucket %s has %q, not %q", bucket, got[bucket], want[bucket])
		}
	}
}

// content returns what is in each bucket, and its sequence. Digests of current events are left out,
// as copies leave them out.
func content(t *testing.T, s *Store) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			for k, v := range under(b, "") {
				if string(name) == "current" {
					v = []byte(ownerOf(v))
				}
				all[string(name)] = append(all[string(name)], fmt.Sprintf("%d %q %x", b.Sequence(), k, v))
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCopyOldFormats copies files of all older formats, which are open for reading only.
func TestCopyOldFormats(t *testing.T) {
	t.Parallel()
	for format := uint64(1); format < formatVersion; format++ {
		from, err := OpenReadOnly(filepath.Join("testdata", fmt.Sprintf("format-%d.bbolt", format)))
		if err != nil {
			t.Fatal(err)
		}
		to := newStore(t)
		if err := to.Fill(t.Context(), from.Parts(t.Context(), true)); err != nil {
			t.Error(err)
		}
		if got, want := records(t, to, everything), records(t, from, everything); len(want) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("format %d: %d records, not %d", format, len(got), len(want))
		}
		if err := from.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCopyDamaged copies a file that was changed by something else. Nothing damaged is copied.
func TestCopyDamaged(t *testing.T) {
	t.Parallel()
	for _, name := range bucketsOf(formatVersion) {
		if string(name) == "meta" || string(name) == "revisions" || string(name) == "names" {
			continue // what a copy has of these, it makes itself
		}
		from, err := Open(filepath.Join(t.TempDir(), "fever.db"), keep)
		if err != nil {
			t.Fatal(err)
		}
		apply(t, from, snapshot("a", 1, sample("a", 1, 1)))
		err = from.db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(name).Put(bytes.Repeat([]byte("a\x00b"), 2), []byte("what is this?"))
		})
		if err != nil {
			t.Fatal(err)
		}
		err = newStore(t).Fill(t.Context(), from.Parts(t.Context(), true))
		if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), from.path) {
			t.Errorf("%s: error %v", name, err)
		}
		if err := from.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFillRefuses fills files with parts that no store has.
func TestFillRefuses(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]store.Part{
		"kind":  {Kind: store.Kinds},
		"event": {Kind: store.EventPart, Key: []byte("a"), Value: []byte("no event")},
		"item":  {Kind: store.ItemPart, Key: []byte("a"), Value: []byte("no item")},
		"job":   {Kind: store.JobPart, Key: []byte("a"), Value: []byte("no job")},
		"undo":  {Kind: store.UndoPart, Key: []byte("a"), Value: []byte("no undo")},
	} {
		err := newStore(t).Fill(t.Context(), func(yield func(store.Part, error) bool) { yield(p, nil) })
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
