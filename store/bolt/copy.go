package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"go.etcd.io/bbolt"

	"fever/store"
)

// Parts implements [store.Copier]. It is one read transaction: see [Store.Backup].
func (s *Store) Parts(ctx context.Context, alone bool) iter.Seq2[store.Part, error] {
	return func(yield func(store.Part, error) bool) {
		if alone {
			s.writer.Lock()
			defer s.writer.Unlock()
		}
		err := s.view(func(tx *bbolt.Tx) error {
			return parts(ctx, tx, func(p store.Part) bool { return yield(p, nil) })
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(store.Part{}, fmt.Errorf("read all that is stored in %s: %w", s.path, err))
		}
	}
}

// errEnough is returned when nobody wants the other parts.
var errEnough = errors.New("enough")

// parts yields everything, and compares all checksums. The error is errEnough when yield returns
// false.
func parts(ctx context.Context, tx *bbolt.Tx, yield func(store.Part) bool) error {
	h, err := readHead(tx)
	if err != nil {
		return err
	}
	n := 0
	give := func(p store.Part) error {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !yield(p) {
			return errEnough
		}
		return nil
	}
	if err := give(store.Part{Kind: store.HeadPart, Revision: h.Revision, Rewritten: h.Rewritten}); err != nil {
		return err
	}
	sealed := func(kind store.Kind, bucket []byte) error {
		b := tx.Bucket(bucket)
		if b == nil { // in an older format
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			if err := store.Verify(k, v); err != nil {
				return damaged(tx.DB().Path(), fmt.Sprintf("%s %q: %v", bucket, k, err))
			}
			return give(store.Part{Kind: kind, Key: k, Value: v})
		})
	}
	if err := sealed(store.ProviderPart, providersBucket); err != nil {
		return err
	}
	if err := eventParts(tx, h, give); err != nil {
		return err
	}
	if err := sealed(store.ItemPart, itemsBucket); err != nil {
		return err
	}
	if err := sealed(store.JobPart, jobsBucket); err != nil {
		return err
	}
	return sealed(store.UndoPart, historyBucket)
}

// eventParts yields the events, with what is in the bucket of the current ones.
func eventParts(tx *bbolt.Tx, h head, give func(store.Part) error) error {
	cursor := tx.Bucket(currentBucket).Cursor()
	current, mark := cursor.First()
	lost := func() error {
		return damaged(tx.DB().Path(), fmt.Sprintf("current: %q: no such event", current))
	}
	err := tx.Bucket(eventsBucket).ForEach(func(k, v []byte) error {
		revision, err := store.VerifyValue(k, v)
		if err == nil && revision != 0 && revision <= h.Rewritten {
			v, err = withoutRevision(k, v)
		}
		p := store.Part{Kind: store.EventPart, Key: k, Value: v}
		switch order := bytes.Compare(current, k); {
		case err != nil:
			return damaged(tx.DB().Path(), fmt.Sprintf("event %q: %v", k, err))
		case current != nil && order < 0:
			return lost()
		case current != nil && order == 0:
			p.Current, p.Item = true, ownerOf(mark)
			current, mark = cursor.Next()
		}
		return give(p)
	})
	if err == nil && current != nil {
		err = lost()
	}
	return err
}

func withoutRevision(key, value []byte) ([]byte, error) {
	v, err := store.DecodeValue(key, value)
	if err != nil {
		return nil, err
	}
	v.Revision = 0
	return v.Encode(key)
}

// filledBytes is how much Fill writes in a transaction.
const filledBytes = 16 << 20

// Fill implements [store.Copier]. The file is on disk when it returns without error.
func (s *Store) Fill(ctx context.Context, parts iter.Seq2[store.Part, error]) error {
	if err := s.fill(ctx, parts); err != nil {
		return fmt.Errorf("fill the store %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) fill(ctx context.Context, parts iter.Seq2[store.Part, error]) error {
	defer func(was bool) { s.db.NoSync = was }(s.db.NoSync)
	s.db.NoSync = true // before the end the file is of no use
	parts, compare := store.Compared(parts)
	f := filling{late: make(map[string][][]byte)}
	if err := s.update(ctx, f.empty); err != nil {
		return err
	}
	next, stop := iter.Pull2(parts)
	defer stop()
	for more := true; more; {
		err := s.update(ctx, func(tx *bbolt.Tx) (err error) {
			more, err = f.some(tx, next)
			return err
		})
		if err != nil {
			return err
		}
	}
	for name, keys := range f.late {
		slices.SortFunc(keys, bytes.Compare)
		for some := range slices.Chunk(keys, filledBytes/256) {
			err := s.update(ctx, func(tx *bbolt.Tx) error { return putKeys(tx.Bucket([]byte(name)), some) })
			if err != nil {
				return err
			}
		}
	}
	if err := s.db.Sync(); err != nil {
		return err
	}
	if err := s.survey(); err != nil {
		return err
	}
	return compare(s.Parts(ctx, false))
}

// A filling writes parts. They come in the order of their keys.
type filling struct {
	late map[string][][]byte // by bucket: keys that come in another order
}

// empty makes the file an empty one.
func (f *filling) empty(tx *bbolt.Tx) error {
	for _, name := range bucketsOf(formatVersion) {
		if err := tx.DeleteBucket(name); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	return create(tx)
}

// some writes so many parts as a transaction should hold, and reports whether there may be more.
func (f *filling) some(tx *bbolt.Tx, next func() (store.Part, error, bool)) (more bool, err error) {
	for n := 0; n < filledBytes; {
		p, err, ok := next()
		if err != nil || !ok {
			return false, err
		}
		if err := f.put(tx, &p); err != nil {
			return false, fmt.Errorf("%q: %w", p.Key, err)
		}
		n += len(p.Key) + len(p.Value)
	}
	return true, nil
}

func (f *filling) put(tx *bbolt.Tx, p *store.Part) error {
	value := bytes.Clone(p.Value) // bbolt uses it until the end of the transaction
	put := func(bucket, value []byte) error {
		b := tx.Bucket(bucket)
		b.FillPercent = fillPercent
		return b.Put(p.Key, value)
	}
	later := func(bucket, key []byte) { f.late[string(bucket)] = append(f.late[string(bucket)], key) }
	switch p.Kind {
	case store.HeadPart:
		return (&head{Revision: p.Revision, Rewritten: p.Rewritten}).write(tx)
	case store.ProviderPart:
		return put(providersBucket, value)
	case store.EventPart:
		revision, err := store.VerifyValue(p.Key, value)
		if err != nil {
			return err
		}
		if revision != 0 {
			later(revisionsBucket, revisionKey(revision, p.Key))
		}
		if p.Current {
			err = put(currentBucket, []byte(p.Item))
		}
		return errors.Join(err, put(eventsBucket, value))
	case store.ItemPart:
		item, err := store.DecodeItem(p.Key, value)
		if err != nil {
			return err
		}
		for _, name := range item.ItemNames(p.Key) {
			later(namesBucket, name)
		}
		return put(itemsBucket, value)
	case store.JobPart:
		_, id, err := store.ParseJobKey(p.Key)
		jobs := tx.Bucket(jobsBucket)
		if id > jobs.Sequence() {
			err = errors.Join(err, jobs.SetSequence(id))
		}
		return errors.Join(err, put(jobsBucket, value))
	case store.UndoPart:
		_, err := store.DecodeUndo(p.Key, value)
		return errors.Join(err, put(historyBucket, value))
	}
	return fmt.Errorf("kind %d of a part", p.Kind)
}

// putKeys puts keys without values.
func putKeys(b *bbolt.Bucket, keys [][]byte) error {
	b.FillPercent = fillPercent
	for _, key := range keys {
		if err := b.Put(key, nil); err != nil {
			return err
		}
	}
	return nil
}
