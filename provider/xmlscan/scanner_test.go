package xmlscan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"fever/internal/feedtest"
	"fever/provider/spool"
)

// scan returns the tags of a document as they mean: <name attr="value"> and </>.
func scan(r io.Reader, charset string, tolerate Tolerance) (string, error) {
	return tags(New(r, charset, tolerate))
}

// scanBuffered is scan with a buffer that has the given size at first, so that it ends at
// other places.
func scanBuffered(doc []byte, size int, charset string, tolerate Tolerance) (string, error) {
	s := New(bytes.NewReader(doc), charset, tolerate)
	s.buf = make([]byte, size)
	return tags(s)
}

func tags(s *Scanner) (string, error) {
	var b strings.Builder
	for {
		token, err := s.Next()
		switch {
		case err != nil:
			_ = s.Close() // there is an error already
			return "", err
		case token == EndDocument:
			return b.String(), s.Close()
		case token == EndTag:
			b.WriteString("</>")
			continue
		}
		b.WriteString("<" + string(s.Name))
		for _, a := range s.Attrs {
			fmt.Fprintf(&b, " %s=%s", a.Name, `"`+string(a.Value)+`"`)
		}
		b.WriteString(">")
	}
}

// fixtures returns the feeds of the repository by their name.
func fixtures(tb testing.TB) map[string][]byte {
	tb.Helper()
	return feedtest.Documents(tb, 14, "../../testdata/feeds/*.xml")
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", maxName+1)
	deep := strings.Repeat("<a>", MaxDepth)
	var attrs strings.Builder
	for i := range maxAttrs + 1 {
		fmt.Fprintf(&attrs, ` a%d=""`, i)
	}
	tests := map[string]struct {
		doc      string
		encoding bool
		text     string // in the message
	}{
		"nothing":                     {"", false, "line 1 (byte 0): the document is cut short"},
		"white space":                 {" \n\n ", false, "line 3 (byte 4): the document is cut short"},
		"byte order mark alone":       {"\xef\xbb\xbf", false, "cut short"},
		"text":                        {"Service Unavailable", false, "text outside"},
		"JSON":                        {`{"data":{"events":[]}}`, false, "text outside"},
		"a comment alone":             {"<!-- nothing -->", false, "cut short"},
		"a second root":               {"<planList/><planList/>", false, "second root"},
		"text behind the root":        {"<planList/>\n.", false, "text outside"},
		"a reference behind the root": {"<planList/>&#32;", false, "text outside"},
		"CDATA behind the root":       {"<planList/><![CDATA[]]>", false, "declaration"},
		"CDATA before the root":       {"<![CDATA[]]><planList/>", false, "declaration"},
		"an end tag behind the root":  {"<planList/></planList>", false, "nothing is open"},
		"an end tag before the root":  {"</planList>", false, "nothing is open"},
		"not closed":                  {"<planList>", false, "cut short"},
		"not closed inside":           {"<planList><a></planList>", false, "does not close <a>"},
		"crossed":                     {"<planList><a><b></a></b></planList>", false, "does not close <b>"},
		"a longer end tag":            {"<planList></planLists>", false, "does not close"},
		"a shorter end tag":           {"<planList></planLis>\n ", false, "does not close"},
		"an end tag with attributes":  {`<planList></planList a="">`, false, "inside an end tag"},
		"space before a name":         {"<planList>< a/></planList>", false, "name is expected"},
		"space before a closing name": {"<planList></ planList>", false, "does not close"},
		"a digit before a name":       {"<planList><1/></planList>", false, "name is expected"},
		"a hyphen before a name":      {"<planList><-a/></planList>", false, "name is expected"},
		"a slash in a tag":            {"<planList><a / b=''/></planList>", false, "slash"},
		"a tag in a tag":              {"<planList><a <b/></planList>", false, "name is expected"},
		"a colon first":               {"<planList><:a/></planList>", false, "colon"},
		"a colon last":                {"<planList><a:/></planList>", false, "colon"},
		"two colons":                  {"<planList><a:b:c/></planList>", false, "colon"},
		"a digit behind a colon":      {"<planList><a:1/></planList>", false, "colon"},
		"a name with a multiply sign": {"<planList><a×/></planList>", false, "white space"},
		"a name of half a character":  {"<planList><a\xc3/></planList>", false, "name is expected"},
		"a long name":                 {"<planList><" + long + "/></planList>", false, "longer than 1 KiB"},
		"a long attribute name":       {"<planList " + long + "=''/>", false, "longer than 1 KiB"},
		"an attribute without value":  {"<planList a/>", false, "has no value"},
		"an attribute without quotes": {"<planList a=1/>", false, "not in quotes"},
		"an attribute of mixed quote": {`<planList a="1'/>`, false, "cut short"},
		"an attribute twice":          {`<planList a="1" b="" a="1"/>`, false, "the attribute a is there twice"},
		"attributes without space":    {`<planList a="1"b="2"/>`, false, "white space"},
		"too many attributes":         {"<planList" + attrs.String() + "/>", false, "more than 256 attributes"},
		"too deep":                    {"<planList>" + deep, false, "more than 64 deep"},
		"a tag too long":              {`<planList a="` + strings.Repeat(" ", maxTag) + `"/>`, false, "more than 1 MiB"},
		"a tag too long, not ended":   {`<planList ` + strings.Repeat(" ", 3*maxTag), false, "more than 1 MiB"},
		"< in a value":                {`<planList a="<"/>`, false, "a < inside"},
		"a bare & in a value":         {`<planList a="b & c"/>`, false, "bare &"},
		"a bare & in text":            {"<planList>b & c</planList>", false, "bare &"},
		"an unknown entity":           {"<planList>&nbsp;</planList>", false, "not known"},
		"an empty reference":          {"<planList>&#;</planList>", false, "not known"},
		"an empty hex reference":      {"<planList>&#x;</planList>", false, "not known"},
		"a signed reference":          {"<planList>&#+65;</planList>", false, "not known"},
		"a reference to zero":         {`<planList a="&#0;"/>`, false, "does not allow"},
		"a reference to a control":    {`<planList a="&#x1F;"/>`, false, "does not allow"},
		"a reference to a surrogate":  {`<planList a="&#xD800;"/>`, false, "not known"},
		"a reference to U+FFFE":       {`<planList a="&#xFFFE;"/>`, false, "not known"},
		"a reference out of Unicode":  {`<planList a="&#x110000;"/>`, false, "not known"},
		"a reference too long":        {"<planList>&#" + strings.Repeat("0", maxReference) + "65;</planList>", false, "not known"},
		"a reference in upper case":   {"<planList>&#X41;</planList>", false, "not known"},
		"]]> in text":                 {"<planList>a]]]>b</planList>", false, "]]> in text"},
		"-- in a comment":             {"<planList><!-- a -- b --></planList>", false, "comment"},
		"--- ending a comment":        {"<planList><!-- a ---></planList>", false, "comment"},
		"an endless comment":          {"<planList><!-- a ->", false, "cut short inside a comment"},
		"an endless CDATA section":    {"<planList><![CDATA[ ]]", false, "cut short inside a CDATA"},
		"an endless instruction":      {"<planList><?a ?", false, "cut short inside a processing"},
		"an instruction named xml":    {"<planList><?xml version='1.0'?></planList>", false, "XML declaration"},
		"an instruction named XML":    {"<?XML version='1.0'?><planList/>", false, "XML declaration"},
		"an instruction without name": {"<planList><? a?></planList>", false, "name is expected"},
		"an instruction run together": {"<planList><?a+b?></planList>", false, "white space"},
		"a declaration behind space":  {" <?xml version='1.0'?><planList/>", false, "XML declaration"},
		"a declaration, no version":   {"<?xml encoding='utf-8'?><planList/>", false, "not right"},
		"a declaration, version 2":    {"<?xml version='2.0'?><planList/>", false, "not right"},
		"a declaration, other order":  {"<?xml encoding='utf-8' version='1.0'?><planList/>", false, "not right"},
		"a declaration, mixed quotes": {`<?xml version="1.0'?><planList/>`, false, "not right"},
		"a declaration, cut":          {"<?xml version='1.0'", false, "cut short"},
		"a declaration, too long":     {"<?xml version='1.0'" + strings.Repeat(" ", maxDeclaration) + "?><planList/>", false, "more than 1 KiB"},
		"an internal subset":          {`<!DOCTYPE planList [<!ENTITY a "b">]><planList/>`, false, "internal subset"},
		"one behind an external id":   {`<!DOCTYPE planList SYSTEM "a" [ ]><planList/>`, false, "internal subset"},
		"a doctype twice":             {"<!DOCTYPE planList><!DOCTYPE planList><planList/>", false, "declaration"},
		"a doctype inside":            {"<planList><!DOCTYPE planList></planList>", false, "declaration"},
		"a doctype without name":      {"<!DOCTYPE><planList/>", false, "DOCTYPE"},
		"a doctype run together":      {"<!DOCTYPEplanList><planList/>", false, "DOCTYPE"},
		"a doctype in lower case":     {"<!doctype planList><planList/>", false, "declaration"},
		"a doctype with rubbish":      {"<!DOCTYPE planList rubbish><planList/>", false, "DOCTYPE"},
		"a public id alone":           {`<!DOCTYPE planList PUBLIC "a"><planList/>`, false, "DOCTYPE"},
		"a public id with a brace":    {`<!DOCTYPE planList PUBLIC "{" "b"><planList/>`, false, "DOCTYPE"},
		"a doctype, cut":              {`<!DOCTYPE planList SYSTEM "a`, false, "cut short inside a DOCTYPE"},
		"an element declaration":      {"<planList><!ELEMENT a ANY></planList>", false, "declaration"},
		"a zero byte":                 {"<planList>\x00</planList>", false, "not allow"},
		"a control character":         {"<planList>\n\n\x0b</planList>", false, "line 3 (byte 12)"},
		"a control in a value":        {"<planList a=\"\n\x1b\"/>", false, "line 2 (byte 14): the character 0x1b"},
		"a control in a comment":      {"<planList><!-- \x01 --></planList>", false, "not allow"},
		"a control in CDATA":          {"<planList><![CDATA[\x01]]></planList>", false, "not allow"},
		"a control in an instruction": {"<planList><?a \x01?></planList>", false, "not allow"},
		"U+FFFF in text":              {"<planList>\uffff</planList>", false, "not allow"},
		"U+FFFE in a value":           {"<planList a='é\ufffe'/>", false, "line 1 (byte 15): invalid UTF-8"},
		"invalid UTF-8 in text":       {"<planList>caf\xe9</planList>", false, "invalid UTF-8"},
		"invalid UTF-8 in a value":    {"<planList a='caf\xe9 '/>", false, "invalid UTF-8"},
		"invalid UTF-8 in a comment":  {"<planList><!--\xc0\x80--></planList>", false, "invalid UTF-8"},
		"a surrogate in UTF-8":        {"<planList>\xed\xa0\x80</planList>", false, "invalid UTF-8"},
		"half a character at the end": {"<planList>\xe2\x82", false, "cut short inside a character"},
		"an unknown encoding":         {"<?xml version='1.0' encoding='EBCDIC-CP-ES'?><planList/>", true, `the encoding "EBCDIC-CP-ES" is not known: UTF-8,`},
		"UTF-16, cut":                 {"\xff\xfe<\x00p\x00", false, "cut short inside a start tag"},
		"UTF-16, cut in a unit":       {inUTF16(true, "\ufeff<planList/>") + "\n", false, "cut short inside a character of UTF-16"},
		"UTF-16, cut in a pair":       {inUTF16(true, "<planList><!--") + "\x3d\xd8", false, "cut short inside a character of UTF-16"},
		"UTF-16, half a pair":         {inUTF16(false, "<planList><!--") + "\xd8\x3d\x00-" + inUTF16(false, "-></planList>"), false, "half of a surrogate pair"},
		"UTF-16, the wrong half":      {inUTF16(false, "<planList><!--") + "\xdc\x00\xd8\x00" + inUTF16(false, "--></planList>"), false, "half of a surrogate pair"},
		"UTF-16, a zero byte":         {inUTF16(true, "<planList>\x00</planList>"), false, "the character 0x0"},
		"UTF-32":                      {"\xff\xfe\x00\x00<\x00\x00\x00", true, `"UTF-32"`},
		"UTF-32, big, no mark":        {"\x00\x00\x00<\x00\x00\x00p", true, `"UTF-32"`},
		"no UTF-16, nor UTF-8":        {"<?xml version='1.0' encoding='utf-16'?><planList>\xe9</planList>", false, "invalid UTF-8"},
		"mostly UTF-8, not declared":  {"<?xml version='1.0' encoding='iso-8859-1'?>\n<planList>éé\xe9</planList>", true, `line 1 (byte 43): the encoding is in doubt: HTTP says "" and the XML declaration "iso-8859-1", and 2 characters beyond ASCII are UTF-8 while 1 bytes are not`},
		"bytes that it does not have": {"<?xml version='1.0' encoding='iso-8859-7'?><planList>\xff\xe1</planList>", true, "the encoding is in doubt"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens, err := scan(strings.NewReader(test.doc), "", 0)
			wrong, ok := err.(*Error) //nolint:errorlint // exactly this type is promised
			if !ok || wrong.Encoding != test.encoding || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%q, %v, want %q", tokens, err, test.text)
			}
		})
	}
}

func TestAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"white space in tags":         "<planList\n\ta = \"1\"\r\n><a /><b\n></b\t></planList\n>",
		"> in a value":                `<planList a="b>c" b='d"e' c="f'g"/>`,
		"references":                  `<planList a="&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;&#00000065;">&lt;&#9;&#xD;</planList>`,
		"]] in text":                  "<planList>a]]b]]&gt;c] ]></planList>",
		"]]> in a value":              `<planList a="]]>"/>`,
		"a comment like markup":       "<planList><!-- <a> & ]]> &b; - > --></planList>",
		"an empty comment":            "<planList><!----></planList>",
		"CDATA like markup":           "<planList><![CDATA[<a> & -- ]] > ]]]]></planList>",
		"instructions":                "<?a?><?xml-stylesheet href='a'?><planList><?b ? > ??></planList><?c \n?>",
		"a doctype":                   "<!DOCTYPE planList><planList/>",
		"a doctype with a system id":  "<!DOCTYPE planList SYSTEM 'a\"[>' ><planList/>",
		"a doctype with a public id":  `<!DOCTYPE planList PUBLIC "-//A'B//EN" "http://example.com/a.dtd"><planList/>`,
		"version 1.1":                 "<?xml version='1.1'?><planList/>",
		"all of a declaration":        "<?xml\tversion = \"1.0\"  encoding='UTF-8'\nstandalone=\"no\" ?><planList/>",
		"names beyond ASCII":          "<planList><año ñ='1' _.-·='2'/><x:𐀀/><日本‿語/></planList>",
		"text beyond ASCII":           "<planList>ñ€😀\u0085\u2028</planList>",
		"64 deep":                     "<planList>" + strings.Repeat("<a>", MaxDepth-1) + strings.Repeat("</a>", MaxDepth-1) + "</planList>",
		"a name of 1 KiB":             "<planList><" + strings.Repeat("n", maxName) + "/></planList>",
		"a tag of 1 MiB":              `<planList a="` + strings.Repeat(" ", maxTag-16) + `"/>`,
		"a long comment":              "<planList><!--" + strings.Repeat("ñ", 1<<20) + "--></planList>",
		"long text":                   "<planList>" + strings.Repeat("ñ ", 1<<20) + "</planList>",
		"a feed in a root with a URI": `<planList xmlns="urn:a">` + "</planList>",
	}
	for name, doc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := scan(strings.NewReader(doc), "", 0); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	doc := func(declaration, title string) string {
		return declaration + `<a title="` + title + `"/>`
	}
	declared := func(label string) string { return `<?xml version="1.0" encoding="` + label + `"?>` }
	const mark = "\xef\xbb\xbf"
	tests := map[string]struct {
		doc, charset, title string
	}{
		"nothing":                        {doc("", "caña €"), "", "caña €"},
		"mark":                           {doc(mark, "caña €"), "", "caña €"},
		"mark against all":               {doc(mark+declared("iso-8859-1"), "caña €"), "iso-8859-15", "caña €"},
		"declaration":                    {doc(declared("iso-8859-15"), "ca\xf1a \xa4"), "", "caña €"},
		"UTF-8, the header lies":         {doc(declared("UTF-8"), "caña €"), "iso-8859-1", "caña €"},
		"UTF-8, only the header lies":    {doc("", "caña €"), "windows-1252", "caña €"},
		"UTF-8, the declaration lies":    {doc(declared("iso-8859-1"), "caña €"), "utf-8", "caña €"},
		"UTF-8, only that lies":          {doc(declared("iso-8859-15"), "caña €"), "", "caña €"},
		"UTF-8, both lie":                {doc(declared("iso-8859-15"), "caña €"), "windows-1252", "caña €"},
		"UTF-8, declared as UTF-16":      {doc(declared("utf-16"), "caña €"), "", "caña €"},
		"UTF-8, sent as UTF-16":          {doc(declared("utf-8"), "caña €"), "UTF-16LE", "caña €"},
		"latin1, the header lies":        {doc(declared("iso-8859-1"), "ca\xf1a"), "utf-8", "caña"},
		"latin1, sent as ASCII":          {doc(declared("iso-8859-1"), "ca\xf1a"), "us-ascii", "caña"},
		"latin1, the declaration lies":   {doc(declared("utf-8"), "ca\xf1a"), "iso-8859-1", "caña"},
		"latin1, a pair like UTF-8":      {doc(declared("iso-8859-1"), "\xabCAF\xc9\xbb"), "utf-8", "«CAFÉ»"},
		"latin1, declared as unknown":    {doc(declared("klingon"), "ca\xf1a"), "iso-8859-1", "caña"},
		"UTF-8, declared as unknown":     {doc(declared("klingon"), "caña"), "utf-8", "caña"},
		"latin1 and latin9, no matter":   {doc(declared("iso-8859-15"), "ca\xf1a"), "iso-8859-1", "caña"},
		"latin1, behind 64 KiB of ASCII": {doc(declared("iso-8859-1"), "ca\xf1a"+strings.Repeat(" ", 100<<10)+"\xe9"), "utf-8", ""},
		"UTF-16, small end first":        {inUTF16(true, doc("\ufeff"+declared("utf-16"), "caña € 😀")), "", "caña € 😀"},
		"UTF-16, big end first":          {inUTF16(false, doc("\ufeff", "caña € 😀")), "", "caña € 😀"},
		"UTF-16 without a mark":          {inUTF16(true, doc(declared("UTF-16"), "caña € 😀")), "", "caña € 😀"},
		"UTF-16 without anything, big":   {inUTF16(false, doc("", "caña € 😀")), "", "caña € 😀"},
		"UTF-16 as the header says":      {inUTF16(false, doc("", "caña € 😀")), "utf-16be", "caña € 😀"},
		"UTF-16, both lie":               {inUTF16(false, doc("\ufeff"+declared("iso-8859-1"), "caña € 😀")), "utf-16le", "caña € 😀"},
		"header":                         {doc("", "ca\xf1a"), "ISO-8859-1", "caña"},
		"header, no encoding declared":   {doc(`<?xml version="1.0"?>`, "ca\xf1a"), "latin1", "caña"},
		"iso-8859-1 as windows-1252":     {doc(declared("iso-8859-1"), "\x8010"), "", "€10"},
		"windows-1252":                   {doc(declared("Windows-1252"), "\x93ca\xf1a\x94"), "", "“caña”"},
		"cp1252":                         {doc(declared("cp1252"), "\x8010"), "", "€10"},
		"iso-8859-2":                     {doc(declared("ISO-8859-2"), "\xa3\xf3d\xbc"), "", "Łódź"},
		"windows-1251":                   {doc(declared("windows-1251"), "\xcc\xee\xf1\xea\xe2\xe0"), "", "Москва"},
		"us-ascii":                       {doc(declared("US-ASCII"), "cana"), "", "cana"},
		"long, latin1":                   {doc(declared("latin1")+strings.Repeat(" ", 200<<10), "ca\xf1a"), "", "caña"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens, err := scan(strings.NewReader(test.doc), test.charset, 0)
			if err != nil || test.title != "" && tokens != `<a title="`+test.title+`"></>` {
				t.Errorf("%q, %v, want %q", tokens, err, test.title)
			}
		})
	}
}

// Two encodings of one byte a character, which mean different letters by a byte that is
// there: nobody can know.
func TestEncodingInDoubt(t *testing.T) {
	t.Parallel()
	doc := "<?xml version='1.0' encoding='ISO-8859-15'?><a><!-- \xa4 --></a>"
	for charset, want := range map[string]string{
		"latin1": `the encoding is in doubt: HTTP says "latin1" and the XML declaration "ISO-8859-15"`,
		// What HTTP says counts, also when it is not known: some server may have converted it.
		"klingon": `the encoding "klingon" is not known`,
	} {
		_, err := scan(strings.NewReader(doc), charset, 0)
		if wrong, ok := errors.AsType[*Error](err); !ok || !wrong.Encoding || !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
}

// Where a long document cannot be kept, all of it is looked at all the same: what is right
// is read, and what is not is refused at its end.
func TestEncodingWithoutRoom(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	long := strings.Repeat(" ", spool.MaxMemory+spool.MaxMemory/4)
	tests := map[string]struct {
		declared, charset, before, title string
		want                             string // empty when it is in doubt
	}{
		"latin1":                            {"iso-8859-1", "", "", "ca\xf1a", "caña"},
		"latin1, the header lies":           {"iso-8859-1", "utf-8", "", "ca\xf1a", "caña"},
		"latin1 and latin9, no matter":      {"iso-8859-15", "latin1", "", "ca\xf1a", "caña"},
		"latin1 and latin9, not known":      {"iso-8859-15", "latin1", "", "ca\xa4a", ""},
		"latin1, nothing beyond ASCII":      {"iso-8859-1", "", "", "cana", "cana"},
		"UTF-8, known from what was kept":   {"iso-8859-1", "", "<!-- ñ -->", "caña", "caña"},
		"UTF-8, only seen behind it":        {"iso-8859-1", "", "", "caña", ""},
		"latin1, like UTF-8 behind it":      {"iso-8859-1", "", "<!-- \xf1a -->", "ca\xc3\xb1\xc3\xb1a", ""},
		"latin1, more of it than like that": {"iso-8859-1", "", "<!-- \xf1a\xf1a -->", "\xabCAF\xc9\xbb", "«CAFÉ»"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			doc := `<?xml version="1.0" encoding="` + test.declared + `"?>` + test.before + "<r>" + long + `<a title="` + test.title + `"/></r>`
			tokens, err := scan(strings.NewReader(doc), test.charset, 0)
			switch {
			case test.want == "":
				if wrong, ok := errors.AsType[*Error](err); !ok || !wrong.Encoding || !strings.Contains(err.Error(), "in doubt") {
					t.Errorf("%q, %v", tokens, err)
				}
			case err != nil || tokens != `<r><a title="`+test.want+`"></></>`:
				t.Errorf("%q, %v, want %q", tokens, err, test.want)
			}
		})
	}
}

// inUTF16 encodes a text, with the small or the big end of each unit first.
func inUTF16(little bool, text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		if little {
			b = binary.LittleEndian.AppendUint16(b, unit)
		} else {
			b = binary.BigEndian.AppendUint16(b, unit)
		}
	}
	return string(b)
}

// A document that is cut short anywhere is refused, and an error of the reader at the
// same place is that error and no other.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, doc := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := bytes.LastIndexByte(bytes.TrimSuffix(doc, []byte("<!-- the end -->\n")), '>')
			step := 1
			if len(doc) > 3<<10 {
				step = 7 // which is in no phase with anything
			}
			for n := 0; n < end; n += step {
				_, err := scan(bytes.NewReader(doc[:n]), "", 0)
				if wrong, ok := errors.AsType[*Error](err); !ok || wrong.Encoding {
					t.Fatalf("cut at %d: %v", n, err)
				}
				if _, err = scan(io.MultiReader(bytes.NewReader(doc[:n]), iotest.ErrReader(broken)), "", 0); !errors.Is(err, broken) {
					t.Fatalf("broken at %d: %v", n, err)
				}
			}
		})
	}
}

// How the bytes arrive makes no difference, nor does where the buffer ends.
func TestReaders(t *testing.T) {
	t.Parallel()
	readers := map[string]func(io.Reader) io.Reader{
		"one byte": iotest.OneByteReader,
		"half":     iotest.HalfReader,
		"data+err": iotest.DataErrReader,
	}
	for name, doc := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := scan(bytes.NewReader(doc), "", 0)
			if err != nil {
				t.Fatal(err)
			}
			for kind, reader := range readers {
				if got, err := scan(reader(bytes.NewReader(doc)), "", 0); err != nil || got != want {
					t.Errorf("%s: %v", kind, err)
				}
			}
			for size := 1; size < 200; size++ {
				if got, err := scanBuffered(doc, size, "", 0); err != nil || got != want {
					t.Errorf("a buffer of %d: %v", size, err)
				}
			}
		})
	}
}

func TestNoProgress(t *testing.T) {
	t.Parallel()
	if _, err := scan(stuck{}, "", 0); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }
