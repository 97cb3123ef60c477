package xmlscan

import (
	"errors"
	"strings"
	"testing"
)

func TestTolerance(t *testing.T) {
	t.Parallel()
	const blanks, controls = "leading-blanks", "control-characters"
	document := func(title string) string {
		return `<?xml version="1.0" encoding="iso-8859-1"?><r><a title="` + title + `"></a></r>`
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
		"a control in text":            {strings.Replace(document("\xf1"), "</a", "\x1b&#x1b;</a", 1), controls, "ñ"},
		"a control in a comment":       {strings.Replace(document("\xf1"), "<r>", "<r><!--\x01-->", 1), controls, "ñ"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, other := range []string{"", strings.Trim(strings.Replace(blanks+","+controls, test.tolerate, "", 1), ",")} {
				_, err := scan(strings.NewReader(test.doc), "", tolerance(t, other))
				if wrong, ok := errors.AsType[*Error](err); !ok || wrong.Encoding || !strings.Contains(err.Error(), "tolerate: "+test.tolerate) {
					t.Errorf("with %q: %v, want one that names %s", other, err, test.tolerate)
				}
			}
			for _, names := range []string{test.tolerate, blanks + ", " + controls} {
				for _, size := range []int{1, 7, 64 << 10} {
					tokens, err := scanBuffered([]byte(test.doc), size, "", tolerance(t, names))
					if err != nil || tokens != `<r><a title="`+test.title+`"></></>` {
						t.Errorf("with %q and a buffer of %d: %q, %v", names, size, tokens, err)
					}
				}
			}
		})
	}
}

func tolerance(t *testing.T, names string) (tolerate Tolerance) {
	t.Helper()
	if err := tolerate.UnmarshalText([]byte(names)); err != nil {
		t.Fatal(err)
	}
	return tolerate
}

// What else is wrong stays wrong.
func TestToleranceHasAnEnd(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		"text <?xml version='1.0'?><planList/>", "<!-- --><?xml version='1.0'?><planList/>", "\n<?xml?><planList/>", "<planList>\uffff</planList>",
		"<planList>&#xFFFE;</planList>", "<planList>&#xD800;</planList>", "<planList>\xff</planList>", "<planList>&#;</planList>", "<planList>&#-1;</planList>", "\n\n",
	} {
		tokens, err := scan(strings.NewReader(doc), "", LeadingBlanks|ControlCharacters)
		if wrong, ok := errors.AsType[*Error](err); !ok || wrong.Encoding {
			t.Errorf("%q: %q, %v", doc, tokens, err)
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
