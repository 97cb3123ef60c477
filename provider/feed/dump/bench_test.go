package dump

import (
	"bytes"
	"testing"

	"fever/internal/feedtest"
)

// BenchmarkDecode is for the events of [feedtest.Big], as they are dumped.
func BenchmarkDecode(b *testing.B) {
	snapshot, err := readXML(bytes.NewReader(feedtest.Big()))
	if err != nil {
		b.Fatal(err)
	}
	doc, _ := dumped(b, snapshot.Events)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		snapshot, err := read(bytes.NewReader(doc))
		if err != nil {
			b.Fatal(err)
		}
		feedtest.CheckBig(b, snapshot.Events)
	}
}
