package provider

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"fever/provider/feed"
)

// stricter holds what is in the messages about documents that encoding/xml accepts
// and decode refuses on purpose.
var stricter = []string{
	// One root, and nothing else beside it.
	"before its root element", "text outside of the root element", "a second root element",
	"a declaration that is not known, or not in its place", "where nothing is open",
	// Syntax that encoding/xml does not look at.
	"the attribute", "white space is missing", "a colon in the wrong place", "a name is expected",
	"a character that XML does not allow", "which XML does not allow",
	"an XML declaration that", "inside a DOCTYPE", "inside an end tag",
	// Dangers.
	"an internal subset",
	// Bounds.
	"longer than 1 KiB", "more than 1 KiB", "more than 1 MiB", "deep", "more than 256 attributes", "a reference that is not known",
	// Not syntax at all.
	"not a feed", "the encoding",
}

// charsets are what HTTP may say of a document, rightly or not.
var charsets = []string{"", "", "", "utf-8", "iso-8859-1", "iso-8859-15", "us-ascii", "utf-16", "klingon"}

// compare decodes doc in every way and reports where they differ.
func compare(tb testing.TB, doc []byte, charset string) {
	tb.Helper()
	how := plainly
	how.charset = charset
	snapshot, err := decodeXML(bytes.NewReader(doc), how)
	want, naiveErr := naiveDecode(doc, charset)
	if small, smallErr := decodeBuffered(doc, 1+len(doc)%97, how); (smallErr == nil) != (err == nil) ||
		err == nil && toJSON(tb, small) != toJSON(tb, snapshot) || err != nil && smallErr.Error() != err.Error() {
		tb.Fatalf("a small buffer makes a difference: %v, not %v\n%q", smallErr, err, doc)
	}
	if err != nil {
		if kindAt(err) == "" {
			tb.Fatalf("an error of the reader, which has none: %v\n%q", err, doc)
		}
		if naiveErr == nil && !slices.ContainsFunc(stricter, func(s string) bool { return strings.Contains(err.Error(), s) }) {
			tb.Fatalf("refused what encoding/xml accepts: %v\n%q", err, doc)
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
	if naiveErr != nil {
		// encoding/xml knows the names of the fourth edition, which are fewer.
		if strings.Contains(naiveErr.Error(), "invalid XML name") && !isASCII(naiveErr.Error()) {
			return
		}
		tb.Fatalf("accepted what encoding/xml refuses: %v\n%q", naiveErr, doc)
	}
	got := &naiveFeed{Events: snapshot.Events, Seen: snapshot.Seen, Ignored: snapshot.Ignored, Rejected: snapshot.Rejected}
	if a, b := toJSON(tb, got), toJSON(tb, want); a != b {
		tb.Fatalf("decoded\n%s\nwant\n%s\nof %q", a, b, doc)
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// morsels are what mutations insert.
var morsels = strings.Split("<|>|/>|</|</event>|<event>|<event |<zone/>|<!--|-->|--|<![CDATA[|]]>|]]|<?|?>|<?a b?>|<!|<!DOCTYPE a>|<!DOCTYPE a [|"+
	"&|&amp;|&lt;|&#65;|&#x41;|&#10;|&#13;|&#0;|&a;|;|#|\"|'|=|:| |\n|\r|\r\n|\t|\x00|\x0b|\x7f|\xff|\xc3|\xc3\xa9|\xef\xbb\xbf|\xef\xbf\xbe|\xed\xa0\x80|\u0085|\u00a0|é|😀|"+
	"-|1|0|x|.|,|e9| event_id=\"1\"| plan_id='2'| capacity=\"-1\"| price=\"\"| sell_mode=\"online\"|offline|2021-09-31|T25:00:00|<a:b/>|<output>|</output>|true|"+
	"ISO-8859-1|utf-16|1.1|standalone='no'|<planList/>|<eventList>|event_date|max_price", "|")

// mutate returns a copy of doc with a few random changes.
func mutate(rnd *rand.Rand, doc []byte) []byte {
	doc = bytes.Clone(doc)
	for range 1 + rnd.IntN(3) {
		at := rnd.IntN(len(doc) + 1)
		end := min(len(doc), at+rnd.IntN(40))
		switch rnd.IntN(7) {
		case 0: // change a byte
			if at < len(doc) {
				doc[at] ^= 1 << rnd.IntN(8)
			}
		case 1: // remove some
			doc = slices.Delete(doc, at, end)
		case 2: // repeat some, here or elsewhere
			doc = slices.Insert(doc, rnd.IntN(len(doc)+1), bytes.Clone(doc[at:end])...)
		case 3: // end early
			if rnd.IntN(8) == 0 {
				doc = doc[:at]
			}
		case 4: // put something in the place of some
			doc = slices.Replace(doc, at, min(end, at+3), []byte(morsels[rnd.IntN(len(morsels))])...)
		default: // insert something
			doc = slices.Insert(doc, at, []byte(morsels[rnd.IntN(len(morsels))])...)
		}
	}
	return doc
}

// TestDecodeMutants holds decode against encoding/xml on damaged feeds.
func TestDecodeMutants(t *testing.T) {
	t.Parallel()
	docs := fixtures(t)
	names := make([]string, 0, len(docs))
	for name := range docs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(1, uint64(len(name)))) // the same mutants each time
			for range 500 {
				compare(t, mutate(rnd, docs[name]), charsets[rnd.IntN(len(charsets))])
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, doc := range fixtures(f) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) { compare(t, doc, charsets[len(doc)%len(charsets)]) })
}
