// Package deflate joins ready pieces of compressed text to one gzip member.
//
// An answer is a part of a long sorted list of similar texts. Each text is compressed ahead,
// and only once, as a string of DEFLATE symbols that point back no further than to the text
// directly before it. All strings use the one code of this package, so an answer needs no
// compressor, only a copy of bits:
//
//	gzip header     10 bytes, no name, no time                   RFC 1952 section 2.3
//	block header    BFINAL=1, BTYPE=10, the code's lengths       RFC 1951 section 3.2.7
//	literals        what comes before the list, and its first    RFC 1951 section 3.2.3
//	                text, as the text before that is not there
//	linked texts    bits [from,to) of what was written ahead,    RFC 1951 section 3.2.5
//	                shifted to any position in a byte
//	literals        what comes after the list
//	end of block    symbol 256, and zeros up to a whole byte     RFC 1951 section 3.2.3
//	gzip trailer    CRC-32 and length of the text                RFC 1952 section 2.3.1
//
// The CRC-32 is combined from those of the parts: see [Shift]. The length of a member is
// known before the member is made: see [MemberSize].
//
// The code (table.go) fits summaries of events, which it makes a quarter of their size. It
// can encode any other text, if not as small.
package deflate

import "encoding/binary"

// trailer is the size of the gzip trailer in bytes.
const trailer = 8

// MemberSize returns the size in bytes of a gzip member that has the given number of
// bits between [Writer.Head] and [Writer.Tail].
func MemberSize(bits int) int {
	return (HeadBits+bits+endBits+7)/8 + trailer
}

// Head begins a member with the gzip header and the header of its only block, together
// [HeadBits] long. It must come first, at the start of a byte.
func (w *Writer) Head() {
	w.Copy(head[:], 0, HeadBits)
}

// Tail ends a member whose text has the given CRC-32 (IEEE) and size, modulo 1<<32.
func (w *Writer) Tail(crc, size uint32) {
	w.put(literals[endOfBlock])
	w.pad()
	w.out = binary.LittleEndian.AppendUint32(w.out, crc)
	w.out = binary.LittleEndian.AppendUint32(w.out, size)
}
