package deflate

import (
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"io"
	"slices"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"
)

// A list has texts ready for answers, as an index would keep them.
type list struct {
	texts   [][]byte
	symbols []byte // of all texts, each linked to the one before
	ends    []int  // in bits
}

// comma comes before every text except the first of an answer.
var comma = []byte(",")

func newList(texts [][]byte) *list {
	l := &list{texts: texts}
	var w Writer
	var before []byte
	for _, text := range texts {
		w.Link(text, before)
		before = text[min(1, len(text)):]
		l.ends = append(l.ends, w.Bits())
	}
	l.symbols = w.Bytes()
	return l
}

// answer writes a member with the texts [i,j) to w, and returns the text that a client should read.
func (l *list) answer(w *Writer, i, j int) (text []byte) {
	head, tail := []byte(`{"data":[`), []byte(`]}`)
	w.Head()
	w.Literals(head)
	text = append(text, head...)
	if i < j {
		first := l.texts[i][1:]
		w.Literals(first)
		w.Copy(l.symbols, l.ends[i], l.ends[j-1])
		text = append(append(text, first...), slices.Concat(l.texts[i+1:j]...)...)
	}
	w.Literals(tail)
	text = append(text, tail...)
	w.Tail(crc32.ChecksumIEEE(text), uint32(len(text)))
	return text
}

// unpack reads a member and insists that nothing follows.
func unpack(tb rapid.TB, member []byte) []byte {
	tb.Helper()
	rest := bytes.NewReader(member)
	r, err := gzip.NewReader(rest)
	if err != nil {
		tb.Fatal(err)
	}
	r.Multistream(false)
	text, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	if rest.Len() != 0 {
		tb.Fatalf("%d bytes after the member", rest.Len())
	}
	k, err := kgzip.NewReader(bytes.NewReader(member))
	if err != nil {
		tb.Fatal(err)
	}
	if other, err := io.ReadAll(k); err != nil || !bytes.Equal(other, text) {
		tb.Fatalf("two readers differ: %v", err)
	}
	return text
}

// anyText is a text after a comma: a summary, or anything else.
var anyText = rapid.Custom(func(t *rapid.T) []byte {
	var text []byte
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		text = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
	case 1:
		part := rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "part")
		text = bytes.Repeat(part, rapid.IntRange(1, 8192/len(part)).Draw(t, "times"))
	case 2:
		text = []byte(rapid.String().Draw(t, "string"))
	default:
		return rapid.SampledFrom(samples).Draw(t, "summary")
	}
	return append([]byte{','}, text...)
})

var samples = corpus(2, 50)

func TestAnswers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := newList(rapid.SliceOfN(anyText, 0, 12).Draw(t, "texts"))
		i := rapid.IntRange(0, len(l.texts)).Draw(t, "from")
		j := rapid.IntRange(i, len(l.texts)).Draw(t, "to")
		var w Writer
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "prefix")
		w.Reset(slices.Clone(prefix))
		want := l.answer(&w, i, j)
		if w.Bits() != 8*(len(w.Bytes())-len(prefix)) {
			t.Fatalf("%d bits, %d bytes", w.Bits(), len(w.Bytes()))
		}
		member, ok := bytes.CutPrefix(w.Bytes(), prefix)
		if !ok {
			t.Fatalf("%x does not begin with %x", w.Bytes(), prefix)
		}
		if got := unpack(t, member); !bytes.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
		size := LiteralBits([]byte(`{"data":[`)) + LiteralBits([]byte(`]}`))
		if i < j {
			size += LiteralBits(l.texts[i]) - LiteralBits(comma) + l.ends[j-1] - l.ends[i]
		}
		if MemberSize(size) != len(member) {
			t.Fatalf("a member of %d bytes, want %d", len(member), MemberSize(size))
		}
	})
}

// TestLongTexts links texts that are larger than a piece, and larger than the window of DEFLATE.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	random := slices.Concat(corpus(3, 600)...)
	for _, size := range []int{piece - 1, piece, piece + 1, 2*piece + 3, 5 * piece} {
		for _, text := range [][]byte{random[:size], make([]byte, size)} {
			l := newList([][]byte{text, text, text[:100], text})
			var w Writer
			want := l.answer(&w, 0, 4)
			if got := unpack(t, w.Bytes()); !bytes.Equal(got, want) {
				t.Fatalf("%d bytes come back as %d others", len(want), len(got))
			}
		}
	}
}

func TestRatio(t *testing.T) {
	t.Parallel()
	l := newList(corpus(4, 5_000))
	for _, test := range []struct {
		events int
		least  float64
	}{{32, 3.1}, {137, 3.4}, {5_000, 3.5}} {
		var w Writer
		text := l.answer(&w, 0, test.events)
		if got := float64(len(text)) / float64(len(w.Bytes())); got < test.least {
			t.Errorf("%d events become %.2f times smaller, want %.2f", test.events, got, test.least)
		}
	}
}

func FuzzLink(f *testing.F) {
	for i := range samples[1:4] {
		f.Add(samples[i+1], samples[i])
	}
	f.Fuzz(func(t *testing.T, text, before []byte) {
		var w Writer
		w.Head()
		w.Literals(before)
		w.Link(text, before)
		want := slices.Concat(before, text)
		w.Tail(crc32.ChecksumIEEE(want), uint32(len(want)))
		if got := unpack(t, w.Bytes()); !bytes.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}
