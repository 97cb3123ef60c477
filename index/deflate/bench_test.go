package deflate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
)

func BenchmarkLink(b *testing.B) {
	texts := corpus(5, 4096)
	var w Writer
	buf := make([]byte, 0, 1<<10)
	var in, out int
	for i, text := range texts[1:] {
		w.Reset(buf)
		w.Link(text, texts[i][1:])
		in, out = in+len(text), out+len(w.Bytes())
	}
	b.SetBytes(int64(in / len(texts)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Reset(buf)
		w.Link(texts[i%4095+1], texts[i%4095][1:])
	}
	b.ReportMetric(float64(out)/float64(len(texts)), "compressed-B")
}

func BenchmarkLiterals(b *testing.B) {
	texts := corpus(5, 4096)
	var w Writer
	buf := make([]byte, 0, 1<<10)
	b.SetBytes(int64(len(bytes.Join(texts, nil)) / len(texts)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Reset(buf)
		w.Literals(texts[i%4096])
	}
	if w.Bits() == 0 {
		b.Fatal("nothing written")
	}
}

func BenchmarkCopy(b *testing.B) {
	src := make([]byte, 1<<20)
	for i := range src {
		src[i] = byte(rand.Uint32())
	}
	for _, size := range []int{60, 2_000, 16_000, 300_000} {
		for _, at := range []int{0, 3} {
			b.Run(fmt.Sprintf("bytes=%d/from=5/at=%d", size, (at+5)%8), func(b *testing.B) {
				var w Writer
				buf := make([]byte, 0, size+16)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					w.Reset(buf)
					w.Copy(src, 0, (at+5)%8)
					w.Copy(src, 5, 5+8*size)
				}
				if w.Bits() != 8*size+(at+5)%8 {
					b.Fatalf("%d bits", w.Bits())
				}
			})
		}
	}
}

func BenchmarkHead(b *testing.B) {
	var w Writer
	buf := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		w.Reset(buf)
		w.Head()
	}
	if w.Bits() != HeadBits {
		b.Fatalf("%d bits", w.Bits())
	}
}

func BenchmarkCombine(b *testing.B) {
	op, crc := Shift(200), uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		crc = op.Combine(crc, 1)
	}
	if crc == 0 {
		b.Fatal("no CRC")
	}
}

func BenchmarkShift(b *testing.B) {
	for _, n := range []int{200, 6_999, 999_999} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if Shift(n) == 0 {
					b.Fatal("no operator")
				}
			}
		})
	}
}

// BenchmarkAnswer compares answers from ready symbols with what compressors make.
func BenchmarkAnswer(b *testing.B) {
	l := newList(corpus(6, 5_000))
	for _, events := range []int{32, 137, 5_000} {
		var ready Writer
		text := l.answer(&ready, 0, events)
		head, first, tail, crc := []byte(`{"data":[`), l.texts[0][1:], []byte(`]}`), crc32.ChecksumIEEE(text)
		pack := map[string]func(dst []byte) []byte{
			"ready": func(dst []byte) []byte {
				var w Writer
				w.Reset(dst)
				w.Head()
				w.Literals(head)
				w.Literals(first)
				w.Copy(l.symbols, l.ends[0], l.ends[events-1])
				w.Literals(tail)
				w.Tail(crc, uint32(len(text)))
				return w.Bytes()
			},
			"klauspost-1": compressor(b, text, func(w io.Writer) (resetter, error) { return kgzip.NewWriterLevel(w, 1) }),
			"stdlib-6":    compressor(b, text, func(w io.Writer) (resetter, error) { return gzip.NewWriterLevel(w, 6) }),
		}
		for _, name := range []string{"ready", "klauspost-1", "stdlib-6"} {
			b.Run(fmt.Sprintf("events=%d/%s", events, name), func(b *testing.B) {
				dst := pack[name](nil)
				if r, err := gzip.NewReader(bytes.NewReader(dst)); err != nil {
					b.Fatal(err)
				} else if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
					b.Fatalf("not the answer: %v", err)
				}
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					dst = pack[name](dst[:0])
				}
				b.ReportMetric(float64(len(text))/float64(len(dst)), "ratio")
			})
		}
	}
}

type resetter interface {
	io.WriteCloser
	Reset(io.Writer)
}

func compressor(b *testing.B, text []byte, open func(io.Writer) (resetter, error)) func([]byte) []byte {
	b.Helper()
	w, err := open(io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	return func(dst []byte) []byte {
		buf := bytes.NewBuffer(dst)
		w.Reset(buf)
		if _, err := w.Write(text); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		return buf.Bytes()
	}
}
