package provider

import (
	"strings"
	"testing"

	"fever/provider/feed"
)

func TestTolerance(t *testing.T) {
	t.Parallel()
	const blanks, controls = "leading-blanks", "control-characters"
	document := func(title string) string {
		return `<?xml version="1.0" encoding="iso-8859-1"?>` + strings.Replace(inFeed(`<event event_id="1" event_date="2026-01-01"/>`), `title="t"`, `title="`+title+`"`, 1)
	}
	for name, test := range map[string]struct {
		doc      string
		tolerate string // what it takes
		title    string
	}{
		"a blank line":                 {"\n" + document("ca\xf1a"), blanks, "caña"},
		"many blanks":                  {strings.Repeat(" \r\n\t", 50<<10) + document("ca\xf1a"), blanks, "caña"},
		"a blank behind a mark":        {"\xef\xbb\xbf\n" + document("caña"), blanks, "caña"},
		"a blank in UTF-16":            {inUTF16(true, "\ufeff\n"+document("caña")), blanks, "caña"},
		"a blank in UTF-16, no mark":   {inUTF16(false, "\n"+document("caña")), blanks, "caña"},
		"a control in a value":         {document("a\x0bb\xf1"), controls, "a bñ"},
		"a zero byte in a value":       {document("a\x00b\xf1"), controls, "a bñ"},
		"a control in a reference":     {document("a&#11;b&#x1f;c&#0;\xf1"), controls, "a b c ñ"},
		"a control in a value, UTF-16": {inUTF16(true, "\ufeff"+document("a\x0bbñ")), controls, "a bñ"},
		"a control in text":            {strings.Replace(document("\xf1"), "</event", "\x1b&#x1b;</event", 1), controls, "ñ"},
		"a control in a comment":       {strings.Replace(document("\xf1"), "<output>", "<output><!--\x01-->", 1), controls, "ñ"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, other := range []string{"", strings.Trim(strings.Replace(blanks+","+controls, test.tolerate, "", 1), ",")} {
				how := plainly
				if err := how.tolerate.UnmarshalText([]byte(other)); err != nil {
					t.Fatal(err)
				}
				_, err := decodeXML(strings.NewReader(test.doc), how)
				if kindAt(err) != feed.KindMalformed || !strings.Contains(err.Error(), "tolerate: "+test.tolerate) {
					t.Errorf("with %q: %v, want one that names %s", other, err, test.tolerate)
				}
			}
			for _, names := range []string{test.tolerate, blanks + ", " + controls} {
				how := plainly
				if err := how.tolerate.UnmarshalText([]byte(names)); err != nil {
					t.Fatal(err)
				}
				for _, size := range []int{1, 7, 64 << 10} {
					snapshot, err := decodeBuffered([]byte(test.doc), size, how)
					if err != nil || len(snapshot.Events) != 1 || snapshot.Events[0].Title != test.title {
						t.Errorf("with %q and a buffer of %d: %+v, %v", names, size, snapshot, err)
					}
				}
			}
		})
	}
}

// What else is wrong stays wrong.
func TestToleranceHasAnEnd(t *testing.T) {
	t.Parallel()
	how := plainly
	how.tolerate = LeadingBlanks | ControlCharacters
	for _, doc := range []string{
		"text <?xml version='1.0'?><planList/>", "<!-- --><?xml version='1.0'?><planList/>", "\n<?xml?><planList/>", "<planList>\uffff</planList>",
		"<planList>&#xFFFE;</planList>", "<planList>&#xD800;</planList>", "<planList>\xff</planList>", "<planList>&#;</planList>", "<planList>&#-1;</planList>", "\n\n",
	} {
		if snapshot, err := decodeXML(strings.NewReader(doc), how); kindAt(err) != feed.KindMalformed {
			t.Errorf("%q: %+v, %v", doc, snapshot, err)
		}
	}
}

func TestToleranceText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                      "",
		"leading-blanks":                        "leading-blanks",
		" control-characters ,leading-blanks,,": "leading-blanks,control-characters",
		"control-characters,control-characters": "control-characters",
		"leading-blanks,Control-Characters":     "error",
		"all":                                   "error",
		"leading-blanks control-characters":     "error",
		"leading-blanks;" + strings.Repeat("x", 99): "error",
	} {
		var got Tolerance
		err := got.UnmarshalText([]byte(text))
		names, _ := got.MarshalText()
		if want == "error" {
			if err == nil || len(err.Error()) > 120 || got != 0 {
				t.Errorf("%q: %q, %v", text, names, err)
			}
		} else if err != nil || string(names) != want {
			t.Errorf("%q: %q, %v", text, names, err)
		}
	}
}

// A feed that has not changed is read again when more of it is tolerated.
func TestToleranceIsPartOfTheSource(t *testing.T) {
	t.Parallel()
	c := Config{Name: "a", URL: "http://a", Timeout: plenty, MaxBytes: 1}
	strict := sourceOf(&c)
	c.Tolerate = LeadingBlanks
	if sourceOf(&c) == strict {
		t.Error("the source is the same")
	}
}
