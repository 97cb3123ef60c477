package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"iter"
)

// A Copier gives all that a store holds, and takes it.
type Copier interface {
	// Parts yields everything, as it is at one moment. An error ends it. A part is good until the
	// next one. If alone, nobody writes until the end, and the error is ErrBusy (wrapped) while a
	// job runs.
	Parts(ctx context.Context, alone bool) iter.Seq2[Part, error]

	// Fill replaces all that is stored by the parts of another store, reads it again, and compares
	// the two. An error of the parts is that of Fill.
	//
	// In a database it is one transaction, all of it or nothing; the error is ErrBusy (wrapped)
	// while a job runs. In a file it is many: fill one that nobody else knows, and remove it
	// after an error.
	Fill(ctx context.Context, parts iter.Seq2[Part, error]) error
}

// A Part is a piece of all that a store holds. The parts come in the order of their kinds, and
// then of their keys. They have all that can be known of a store, so equal parts are equal
// stores. Whatever follows from them is left to the store: indexes, counts, and who claims what.
type Part struct {
	_ struct{} `cbor:",toarray"`

	Kind  Kind
	Key   []byte // as in a file, and empty for the head
	Value []byte // likewise

	Current bool   // of an event: it is in its provider's latest snapshot
	Item    string // of a current event: the item that lists it in a feed of changes, if one does

	Revision  Revision // of the head: that of the store
	Rewritten Revision // of the head: what changed up to this one cannot be told as changes. Such events have revision 0
}

// A Kind says what a [Part] is.
type Kind int

// The kinds, in their order.
const (
	HeadPart     Kind = iota // how far the store is; the first part is one, and no other
	ProviderPart             // a [Provider] under its name
	EventPart                // a [Value] under the event's key
	ItemPart                 // a [StoredItem] under the key of [ItemKey]
	JobPart                  // a [Job] under the key of [JobKey]
	UndoPart                 // an [Undo] under the key of [UndoKey]
	Kinds                    // how many kinds there are
)

var errNotSame = errors.New("what was stored is not what was read: nothing of it is to be relied on")

// Compared returns the same parts, and a function to call after the last of them. It returns an
// error unless what was stored has the same parts.
func Compared(parts iter.Seq2[Part, error]) (same iter.Seq2[Part, error], compare func(stored iter.Seq2[Part, error]) error) {
	read := sha256.New()
	add := func(sum interface{ Write([]byte) (int, error) }, p *Part) error {
		b, err := encoding.Marshal(p)
		_, _ = sum.Write(b) // a hash takes everything
		return err
	}
	same = func(yield func(Part, error) bool) {
		for p, err := range parts {
			if err == nil {
				err = add(read, &p)
			}
			if !yield(p, err) {
				return
			}
		}
	}
	return same, func(stored iter.Seq2[Part, error]) error {
		again := sha256.New()
		for p, err := range stored {
			if err == nil {
				err = add(again, &p)
			}
			if err != nil {
				return err
			}
		}
		if !bytes.Equal(read.Sum(nil), again.Sum(nil)) {
			return errNotSame
		}
		return nil
	}
}
