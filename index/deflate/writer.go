package deflate

import (
	"encoding/binary"
	"slices"
)

// A Writer appends symbols, or parts of a member, to a buffer. The zero value appends to nil.
type Writer struct {
	out  []byte // whole bytes
	acc  uint64 // the bits after these, the first one lowest; zero from the n-th on
	n    uint   // how many these are, below 8 between calls
	base int    // 8*len(out)-base is the number of bits in out since Reset, plus those taken

	window []byte // of Link, to use its memory again
}

// Reset begins anew. The Writer appends to dst, which grows as needed; it may overwrite dst
// up to its capacity.
func (w *Writer) Reset(dst []byte) {
	w.out, w.acc, w.n, w.base = dst, 0, 0, 8*len(dst)
}

// Bits returns the number of bits written since Reset, with those that Take has returned and
// those that Bytes and Tail have added to end a byte.
func (w *Writer) Bits() int { return 8*len(w.out) - w.base + int(w.n) }

// Bytes fills the last byte with zeros and returns the buffer. The next bit begins a new
// byte.
func (w *Writer) Bytes() []byte {
	w.pad()
	return w.out
}

// Take returns the whole bytes in the buffer, for example to send them. The next write begins
// at the start of the buffer and overwrites them.
func (w *Writer) Take() []byte {
	taken := w.out
	w.base -= 8 * len(taken)
	w.out = taken[:0]
	return taken
}

// Literals writes text without pointers, in [LiteralBits] bits.
func (w *Writer) Literals(text []byte) {
	out, acc, n := w.out, w.acc, w.n
	for ; len(text) >= 4; text = text[4:] {
		// Two pairs: a step waits for the one before twice, not four times.
		a, b, c, d := literals[text[0]], literals[text[1]], literals[text[2]], literals[text[3]]
		acc |= (a.bits() | b.bits()<<a.size()) << (n & 63)
		n += a.size() + b.size()
		acc |= (c.bits() | d.bits()<<c.size()) << (n & 63)
		n += c.size() + d.size()
		out, acc, n = flush(out, acc, n)
	}
	for _, b := range text {
		acc |= literals[b].bits() << (n & 63)
		n += literals[b].size()
		out, acc, n = flush(out, acc, n)
	}
	w.out, w.acc, w.n = out, acc, n
}

// LiteralBits returns how many bits [Writer.Literals] takes for text.
func LiteralBits(text []byte) int {
	var sum uint
	for _, b := range text {
		sum += literals[b].size()
	}
	return int(sum)
}

// Copy writes the bits [from,to) of src, where bit 0 is the lowest one of the first byte.
func (w *Writer) Copy(src []byte, from, to int) {
	// First fill the unfinished byte, so that whole bytes can follow.
	from += w.copyBits(src, from, min(int(-w.n&7), to-from))
	if whole := (to - from) / 8; whole > 0 {
		w.copyBytes(src[from/8:(to+7)/8], uint(from%8), whole)
		from += 8 * whole
	}
	w.copyBits(src, from, to-from)
}

// copyBits writes the next bits of src, up to 7, and returns how many.
func (w *Writer) copyBits(src []byte, from, size int) int {
	if size > 0 {
		i, shift := from/8, from%8
		x := uint32(src[i]) >> shift
		if shift+size > 8 {
			x |= uint32(src[i+1]) << (8 - shift)
		}
		w.put(newSymbol(x&(1<<size-1), uint(size)))
	}
	return size
}

// copyBytes appends count bytes, which begin at bit shift of src.
func (w *Writer) copyBytes(src []byte, shift uint, count int) {
	if shift == 0 {
		w.out = append(w.out, src[:count]...)
		return
	}
	left, right := (64-shift)&63, shift&63
	start := len(w.out)
	w.out = slices.Grow(w.out, count)[:start+count]
	dst := w.out[start:]
	for len(dst) >= 32 && len(src) >= 33 {
		a, b := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
		c, d := binary.LittleEndian.Uint64(src[16:]), binary.LittleEndian.Uint64(src[24:])
		binary.LittleEndian.PutUint64(dst, a>>right|b<<left)
		binary.LittleEndian.PutUint64(dst[8:], b>>right|c<<left)
		binary.LittleEndian.PutUint64(dst[16:], c>>right|d<<left)
		binary.LittleEndian.PutUint64(dst[24:], d>>right|uint64(src[32])<<left)
		dst, src = dst[32:], src[32:]
	}
	for len(dst) >= 8 && len(src) >= 9 {
		x := binary.LittleEndian.Uint64(src)
		binary.LittleEndian.PutUint64(dst, x>>right|uint64(src[8])<<left)
		dst, src = dst[8:], src[8:]
	}
	for i := range dst {
		dst[i] = src[i]>>shift | src[i+1]<<(8-shift)
	}
}

// put writes one symbol.
func (w *Writer) put(s symbol) {
	w.acc |= s.bits() << (w.n & 63)
	w.n += s.size()
	w.out, w.acc, w.n = flush(w.out, w.acc, w.n)
}

// pad fills the last byte with zeros.
func (w *Writer) pad() {
	w.n = (w.n + 7) &^ 7
	w.out, w.acc, w.n = flush(w.out, w.acc, w.n)
}

// flush moves the whole bytes of acc to out. acc has n bits, where n is below 64. Callers keep
// all three in registers. It grows out only by what it must append.
func flush(out []byte, acc uint64, n uint) ([]byte, uint64, uint) {
	whole := n / 8
	if end := len(out); cap(out)-end >= 8 {
		binary.LittleEndian.PutUint64(out[end:end+8], acc)
		out = out[:end+int(whole)]
	} else {
		out = appendSlowly(out, acc, whole)
	}
	return out, acc >> (8 * whole & 63), n % 8
}

func appendSlowly(out []byte, acc uint64, whole uint) []byte {
	for ; whole > 0; whole-- {
		out = append(out, byte(acc))
		acc >>= 8
	}
	return out
}
