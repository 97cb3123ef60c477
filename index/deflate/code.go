package deflate

import "math/bits"

// maxBits is the length of the longest code. Four of these fit into the accumulator of a
// [Writer]; the format would allow 15.
const maxBits = 13

const (
	endOfBlock  = 256
	firstLength = 257 // the symbol of the shortest match
	minMatch    = 3
	maxMatch    = 258
)

// A symbol is a string of up to 27 bits: a code, and perhaps its extra bits. The first bit is
// the lowest; the number of bits is above the 27th.
type symbol uint32

func newSymbol(bits uint32, size uint) symbol { return symbol(bits | uint32(size)<<27) }

func (s symbol) bits() uint64 { return uint64(s) & (1<<27 - 1) }
func (s symbol) size() uint   { return uint(s >> 27) }

// then returns s followed by extra bits.
func (s symbol) then(extra uint32, size uint) symbol {
	return newSymbol(uint32(s.bits())|extra<<s.size(), s.size()+size)
}

var (
	literals  = [286]symbol(codes(literalLengths[:])) // by byte, and endOfBlock
	distances = [30]symbol(codes(distanceLengths[:])) // without extra bits
	matches   = lengthSymbols()                       // by length of the match
)

// codes returns the prefix code with the given lengths: RFC 1951 section 3.2.2.
func codes(lengths []byte) []symbol {
	var next [maxBits + 1]uint32
	for l := 1; l <= maxBits; l++ {
		for _, m := range lengths {
			if m != 0 && int(m) == l-1 {
				next[l]++
			}
		}
		next[l] = (next[l] + next[l-1]) << 1
	}
	symbols := make([]symbol, len(lengths))
	for i, l := range lengths {
		symbols[i] = newSymbol(bits.Reverse32(next[l])>>(32-l), uint(l))
		next[l]++
	}
	return symbols
}

// lengthSymbols returns the symbol of every length of a match, with its extra bits.
func lengthSymbols() (m [maxMatch + 1]symbol) {
	for length := minMatch; length < maxMatch; length++ {
		i, extra, size := split(uint32(length-minMatch), 3)
		m[length] = literals[firstLength+i].then(extra, size)
	}
	m[maxMatch] = literals[len(literals)-1]
	return m
}

// distanceSymbol returns the symbol of a distance from 1 to maxDistance.
func distanceSymbol(distance int) symbol {
	i, extra, size := split(uint32(distance-1), 2)
	return distances[i].then(extra, size)
}

// split returns the number of the code for x, and its extra bits, where each power of two
// from 1<<k on has 1<<(k-1) codes: RFC 1951 section 3.2.5.
func split(x uint32, k int) (code, extra uint32, size uint) {
	size = uint(max(0, bits.Len32(x)-k))
	return uint32(size)<<(k-1) + x>>size, x & (1<<size - 1), size
}
