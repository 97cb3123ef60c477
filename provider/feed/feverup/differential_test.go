package feverup

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"fever/internal/feedtest"
	"fever/provider/feed"
)

// compare decodes doc with decode and with its oracle, and reports where they differ.
func compare(tb testing.TB, doc []byte, charset string) {
	tb.Helper()
	snapshot, err := feedtest.Read(New(0), bytes.NewReader(doc), charset)
	want, naiveErr := naiveDecode(doc, charset)
	if (err == nil) != (naiveErr == nil) {
		tb.Fatalf("%v, and naively %v\n%q", err, naiveErr, doc)
	}
	if err != nil {
		if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindMalformed && failure.Kind != feed.KindDecode {
			tb.Fatalf("an error of the reader, which has none: %v\n%q", err, doc)
		}
		return
	}
	listed := min(snapshot.Rejected, feed.MaxRejections)
	if snapshot.Seen == 0 {
		listed = min(len(snapshot.Rejections), 1) // what stands in the place of rows
	}
	if snapshot.Seen != len(snapshot.Events)+snapshot.Ignored+snapshot.Rejected || len(snapshot.Rejections) != listed {
		tb.Fatalf("the counts do not add up: %+v\n%q", snapshot, doc)
	}
	got := &naiveFeed{Events: snapshot.Events, Seen: snapshot.Seen, Ignored: snapshot.Ignored, Rejected: snapshot.Rejected}
	if a, b := feedtest.JSON(tb, got), feedtest.JSON(tb, want); a != b {
		tb.Fatalf("decoded\n%s\nwant\n%s\nof %q", a, b, doc)
	}
}

// TestMutants holds decode against its oracle on damaged feeds.
func TestMutants(t *testing.T) {
	t.Parallel()
	docs := fixtures(t)
	for _, name := range feedtest.Names(docs) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(1, uint64(len(name)))) // the same mutants each time
			charsets := []string{"", "", "", "utf-8", "iso-8859-1"}
			for range 500 {
				compare(t, feedtest.Mutate(rnd, docs[name]), charsets[rnd.IntN(len(charsets))])
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, doc := range fixtures(f) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) { compare(t, doc, "") })
}
