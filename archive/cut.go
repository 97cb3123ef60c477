package archive

import (
	"crypto/sha256"
	"encoding/binary"
)

// A document is cut into pieces where its content says so. The boundaries after a change are the
// same as before it, wherever the change has moved the rest. So most pieces of a new document are in
// the segment already.
const (
	minPiece  = 512
	maxPiece  = 16 << 10
	pieceBits = 11 // after minPiece bytes a boundary comes every 2 KiB or so
)

// gear has a random number for each byte. They are part of no format: with others, pieces of new
// documents are only not found among the old ones.
var gear = func() (table [256]uint64) {
	for i := range table {
		sum := sha256.Sum256([]byte{byte(i)})
		table[i] = binary.LittleEndian.Uint64(sum[:])
	}
	return table
}()

// cut returns the length of the first piece of b, or 0 if that depends on what follows b. At the end
// of a document all of b is a piece then.
//
// The hash at a byte is that of the 64 bytes up to it, since each step shifts the oldest one out.
// All of them take part in its upper bits.
func cut(b []byte) int {
	if len(b) < minPiece {
		return 0
	}
	const before = minPiece - 64
	var hash uint64
	for i, c := range b[before:min(len(b), maxPiece)] {
		hash = hash<<1 + gear[c]
		if hash>>(64-pieceBits) == 0 && i >= 63 {
			return before + i + 1
		}
	}
	if len(b) >= maxPiece {
		return maxPiece
	}
	return 0
}
