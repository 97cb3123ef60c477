package xmlscan

import (
	"bytes"
	"testing"

	"fever/internal/feedtest"
)

// BenchmarkScan is the part of the scanner in what decoding a feed costs.
func BenchmarkScan(b *testing.B) {
	doc := feedtest.Big()
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		s := New(bytes.NewReader(doc), "", 0)
		starts := 0
		for token := StartTag; token != EndDocument; {
			var err error
			if token, err = s.Next(); err != nil {
				b.Fatal(err)
			}
			if token == StartTag {
				starts++
			}
		}
		if want := 2 + 2000*(1+2*(1+300)); starts != want {
			b.Fatalf("%d elements, want %d", starts, want)
		}
	}
}
