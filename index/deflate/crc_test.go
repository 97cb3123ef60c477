package deflate

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

func TestCombine(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	text := make([]byte, 3<<20)
	for i := range text {
		text[i] = byte(r.Uint32())
	}
	for _, b := range []int{0, 1, 2, 7, 8, 255, 4096, 65_537, 1<<20 + 1, 2 << 20, r.IntN(2 << 20), r.IntN(2 << 20)} {
		for _, a := range []int{0, 1, 100, r.IntN(1 << 20)} {
			whole, op := text[:a+b], Shift(b)
			want := crc32.ChecksumIEEE(whole)
			if got := op.Combine(crc32.ChecksumIEEE(whole[:a]), crc32.ChecksumIEEE(whole[a:])); got != want {
				t.Errorf("%d and %d bytes: %08x, want %08x", a, b, got, want)
			}
		}
	}
}

// TestShiftFar checks lengths of more bits than a CRC has.
func TestShiftFar(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1 << 28, 1<<29 + 5, 1 << 32, 1<<40 + 12_345, 1<<62 + 1} {
		want := multiply(uint32(Shift(n/2)), uint32(Shift(n-n/2)))
		if got := uint32(Shift(n)); got != want {
			t.Errorf("%d bytes: %08x, want %08x", n, got, want)
		}
	}
}
