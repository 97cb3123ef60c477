package xmlscan

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// texts returns the text before each tag of a document.
func texts(s *Scanner) (string, error) {
	s.KeepText = true
	var all []string
	for {
		token, err := s.Next()
		if err != nil {
			return "", err
		}
		if token == EndDocument {
			return strings.Join(all, "|"), s.Close()
		}
		all = append(all, string(s.Text))
		s.Text = s.Text[:0]
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		`<a>b</a>`:                               "|b",
		`<a> b&amp;&#x20ac;]é<c/>d</a> `:         "| b&€]é||d",
		"<a>x<![CDATA[<b>&amp;]]]]>y</a>":        "|x<b>&amp;]]y",
		"<a>x<!-- no -->y<?no no?>z</a>":         "|xyz",
		"<a>1\r\n2\r3\n4&#13;&#10;5\r<b/>\n</a>": "|1\n2\n3\n4\r\n5\n||\n",
		"<a>1<![CDATA[\r]]>\n</a>":               "|1\n\n",
	} {
		for size := range 9 {
			s := New(iotest.HalfReader(strings.NewReader(doc)), "", 0)
			s.buf = make([]byte, size+1)
			if got, err := texts(s); err != nil || got != want {
				t.Errorf("%q with a buffer of %d: %q, %v, want %q", doc, size+1, got, err, want)
			}
		}
	}
	for _, doc := range []string{
		"<a>" + strings.Repeat("x", maxText+1) + "</a>",
		"<a>" + strings.Repeat("é]", maxText/3+1) + "</a>",
		"<a><![CDATA[" + strings.Repeat("x", maxText+1) + "]]></a>",
		"<a>" + strings.Repeat("&amp;", maxText+1) + "</a>",
	} {
		if _, err := texts(New(strings.NewReader(doc), "", 0)); err == nil || !strings.Contains(err.Error(), "more than 1 MiB of text") {
			t.Errorf("%.20q: %v", doc, err)
		}
	}
}

func TestUTF8(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ doc, label, want string }{
		{"", "", ""},
		{"a", "", "a"},
		{"\xef\xbb\xbfé;b", "iso-8859-1", "é;b"},
		{"\xef\xbb\xbf", "", ""},
		{"\xff\xfea\x00\xe9\x00", "utf-8", "aé"},
		{"\xfe\xff\x00a", "", "a"},
		{"caf\xe9", "ISO-8859-1", "café"},
		{"\xe9", "latin1", "é"},
		{"\x80", "windows-1252", "€"},
		{"café", "utf-8", "café"},
		{"caf\xe9", "", "caf\xe9"}, // as it is
	} {
		r, _, err := UTF8(iotest.OneByteReader(strings.NewReader(test.doc)), test.label)
		if err != nil {
			t.Errorf("%q: %v", test.doc, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != test.want {
			t.Errorf("%q in %q: %q, %v, want %q", test.doc, test.label, got, err, test.want)
		}
	}
	if _, _, err := UTF8(bytes.NewReader(nil), "klingon"); err == nil || KnownEncoding("klingon") == nil || KnownEncoding("latin1") != nil || KnownEncoding("") != nil {
		t.Errorf("an unknown encoding: %v", err)
	}
	broken := errors.New("broken")
	if _, _, err := UTF8(iotest.ErrReader(broken), ""); !errors.Is(err, broken) {
		t.Errorf("a broken reader: %v", err)
	}
}
