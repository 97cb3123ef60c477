package bolt

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"fever/store"
)

// The value of a current event is a mark: nothing, the id of the item of a feed of changes that
// lists the event, or the digest of the event behind a zero byte, which no id has. Nothing means
// that the digest is not known: the event was marked in an older format, or moved.

// markOf returns the mark of an event with a digest.
func markOf(d store.Digest) []byte { return append([]byte{0}, d[:]...) }

// isDigest reports whether a mark has this digest.
func isDigest(mark []byte, d store.Digest) bool {
	return hasDigest(mark) && bytes.Equal(mark[1:], d[:])
}

func hasDigest(mark []byte) bool { return len(mark) == 1+len(store.Digest{}) && mark[0] == 0 }

// ownerOf returns the id of an item, or "".
func ownerOf(mark []byte) string {
	if hasDigest(mark) {
		return ""
	}
	return string(mark)
}

// verifyMark compares the digest in a mark, if there is one, with the stored event.
func verifyMark(key, mark, stored []byte) error {
	if !hasDigest(mark) {
		return nil
	}
	v, err := store.DecodeValue(key, stored)
	if err == nil && !isDigest(mark, store.DigestOf(v.Event)) {
		err = fmt.Errorf("current has the digest of other values")
	}
	return err
}

// Digests returns those of the events in the provider's latest snapshot. They hold until a job
// of the provider brings another one, or the provider is forgotten or renamed.
func (s *Store) Digests(ctx context.Context, provider string) (*store.Digests, error) {
	digests := new(store.Digests)
	err := s.view(func(tx *bbolt.Tx) error {
		for key, mark := range under(tx.Bucket(currentBucket), provider) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !hasDigest(mark) {
				continue
			}
			if err := digests.Add(key, store.Digest(mark[1:])); err != nil {
				return damaged(s.path, fmt.Sprintf("current: %v", err))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the digests of %s: %w", provider, err)
	}
	return digests, nil
}
