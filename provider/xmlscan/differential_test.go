package xmlscan

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"fever/internal/feedtest"
)

// stricter holds what is in the messages about documents that encoding/xml accepts
// and scan refuses on purpose.
var stricter = []string{
	// One root, and nothing else beside it.
	"before its root element", "text outside of the root element", "a second root element",
	"a declaration that is not known, or not in its place", "where nothing is open",
	// Syntax that encoding/xml does not look at.
	"the attribute", "white space is missing", "a colon in the wrong place", "a name is expected",
	"a character that XML does not allow", "which XML does not allow",
	"the XML declaration is not right", "an XML declaration that", "a DOCTYPE is not right", "a DOCTYPE without a name", "inside a DOCTYPE", "inside an end tag",
	// Dangers.
	"an internal subset",
	// Bounds.
	"longer than 1 KiB", "more than 1 KiB", "more than 1 MiB", "deep", "more than 256 attributes", "a reference that is not known",
	// Not syntax at all.
	"the encoding",
}

// charsets are what HTTP may say of a document, rightly or not.
var charsets = []string{"", "", "", "utf-8", "iso-8859-1", "iso-8859-15", "us-ascii", "utf-16", "klingon"}

// compare scans doc in every way and reports where they differ.
func compare(tb testing.TB, doc []byte, charset string) {
	tb.Helper()
	got, err := scan(bytes.NewReader(doc), charset, 0)
	want, naiveErr := naiveScan(doc, charset)
	if small, smallErr := scanBuffered(doc, 1+len(doc)%97, charset, 0); small != got || (smallErr == nil) != (err == nil) ||
		err != nil && smallErr.Error() != err.Error() {
		tb.Fatalf("a small buffer makes a difference: %v, not %v\n%q", smallErr, err, doc)
	}
	if err != nil {
		if _, ok := errors.AsType[*Error](err); !ok {
			tb.Fatalf("an error of the reader, which has none: %v\n%q", err, doc)
		}
		if naiveErr == nil && !slices.ContainsFunc(stricter, func(s string) bool { return strings.Contains(err.Error(), s) }) {
			tb.Fatalf("refused what encoding/xml accepts: %v\n%q", err, doc)
		}
		return
	}
	if naiveErr != nil {
		// encoding/xml knows the names of the fourth edition, which are fewer.
		if strings.Contains(naiveErr.Error(), "invalid XML name") && !isASCII(naiveErr.Error()) {
			return
		}
		tb.Fatalf("accepted what encoding/xml refuses: %v\n%q", naiveErr, doc)
	}
	if got != want {
		tb.Fatalf("scanned\n%q\nwant\n%q\nof %q", got, want, doc)
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// TestMutants holds scan against encoding/xml on damaged feeds.
func TestMutants(t *testing.T) {
	t.Parallel()
	docs := fixtures(t)
	for _, name := range feedtest.Names(docs) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(1, uint64(len(name)))) // the same mutants each time
			for range 500 {
				compare(t, feedtest.Mutate(rnd, docs[name]), charsets[rnd.IntN(len(charsets))])
			}
		})
	}
}

func FuzzScan(f *testing.F) {
	for _, doc := range fixtures(f) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) { compare(t, doc, charsets[len(doc)%len(charsets)]) })
}
