package deflate

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// bitsOf returns bits [from,to) of b, one to a byte.
func bitsOf(b []byte, from, to int) (list []byte) {
	for i := from; i < to; i++ {
		list = append(list, b[i/8]>>(i%8)&1)
	}
	return list
}

// TestCopyAlignments copies from every bit of a byte to every other.
func TestCopyAlignments(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	src := make([]byte, 40)
	for i := range src {
		src[i] = byte(r.Uint32())
	}
	for at := range 8 {
		for from := range 24 {
			for to := from; to <= 8*len(src); to++ {
				var w Writer
				w.Copy(src, 0, at)
				w.Copy(src, from, to)
				want := slices.Concat(bitsOf(src, 0, at), bitsOf(src, from, to))
				if w.Bits() != len(want) {
					t.Fatalf("bits %d to %d after %d are %d bits", from, to, at, w.Bits())
				}
				got := w.Bytes()
				want = append(want, make([]byte, 8*len(got)-len(want))...)
				if !bytes.Equal(bitsOf(got, 0, 8*len(got)), want) {
					t.Fatalf("bits %d to %d after %d differ", from, to, at)
				}
			}
		}
	}
}

// TestTake reads an answer in parts, from a small buffer.
func TestTake(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(anyText, 0, 10).Draw(t, "parts")
		var whole, taking Writer
		taking.Reset(make([]byte, 3, 100))
		got := slices.Clone(taking.Take())
		for _, part := range parts {
			whole.Literals(part)
			taking.Literals(part)
			if rapid.Bool().Draw(t, "take") {
				got = append(got, taking.Take()...)
			}
		}
		if whole.Bits() != taking.Bits() {
			t.Fatalf("%d bits, want %d", taking.Bits(), whole.Bits())
		}
		got = append(got, taking.Bytes()...)
		if want := append(make([]byte, 3), whole.Bytes()...); !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

// TestTightBuffer makes an answer in a buffer of just its size.
func TestTightBuffer(t *testing.T) {
	t.Parallel()
	l := newList(samples)
	var w Writer
	l.answer(&w, 3, 30)
	want := w.Bytes()
	buf := make([]byte, 0, len(want))
	var tight Writer
	tight.Reset(buf)
	l.answer(&tight, 3, 30)
	if got := tight.Bytes(); !bytes.Equal(got, want) || &got[0] != &buf[:1][0] {
		t.Fatal("the buffer was not used, or not right")
	}
}
