package simulator

import (
	"fmt"
	"strings"
)

// documentFaults answer 200 with something that is not a feed, or is not well-formed.
func documentFaults(doc []byte) []Fault {
	const malformed, decode = "malformed", "decode"
	whole := string(doc)
	wrap := func(in string) string { return "<planList><output>" + in + "</output></planList>" }
	utf16 := func(order ...byte) string {
		b := order
		for _, c := range []byte(`<?xml version="1.0" encoding="UTF-16"?><planList/>`) {
			if order[0] == 0xfe {
				b = append(b, 0, c)
			} else {
				b = append(b, c, 0)
			}
		}
		return string(b)
	}
	return []Fault{
		text("nothing", malformed, "cut short before its root element", ""),
		text("white space alone", malformed, "cut short before its root element", " \r\n\t\n"),
		text("words", malformed, "text outside of the root element", "Service temporarily unavailable\n"),
		text("JSON", malformed, "text outside of the root element", `{"events":[]}`),
		text("a page", decode, "not a feed", "<!DOCTYPE html>\n<html><head><title>Sorry</title><p>Back soon<br></html>\n"),
		text("another document", decode, "not a feed", `<?xml version="1.0"?><rss version="2.0"><channel/></rss>`),
		text("an error document", decode, "not a feed", `<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`),
		text("a root in the namespace of XML", decode, "not a feed", `<xml:planList/>`),
		text("zeros", malformed, "line 1", strings.Repeat("\x00", 1<<10)),
		text("a document twice", malformed, "XML declaration that is not at the start", whole+whole),
		text("a second root", malformed, "second root element", whole+"<planList/>"),
		text("text behind the root", malformed, "text outside of the root element", whole+"\nOK"),
		text("text before the root", malformed, "text outside of the root element", "OK\n"+whole),
		text("a warning before the document", malformed, "not at the start", "\n"+whole),
		text("an end tag too many", malformed, "end tag where nothing is open", whole+"</planList>"),
		text("crossed tags", malformed, "does not close", wrap("<a><b></a></b>")),
		text("an end tag in another case", malformed, "does not close", "<planList></PlanList>"),
		text("an attribute twice", malformed, "there twice", wrap(`<base_plan title="a" title="b"/>`)),
		text("an attribute without a value", malformed, "has no value", wrap(`<base_plan title/>`)),
		text("an attribute without quotes", malformed, "not in quotes", wrap(`<base_plan title=a/>`)),
		text("an attribute with a tag in it", malformed, "a < inside", wrap(`<base_plan title="<b>"/>`)),
		text("attributes without white space", malformed, "white space is missing", wrap(`<base_plan a="1"b="2"/>`)),
		text("a bare ampersand in text", malformed, "bare &", wrap("rock & roll")),
		text("a bare ampersand in an attribute", malformed, "bare &", wrap(`<base_plan title="R&B"/>`)),
		text("an entity of HTML", malformed, "reference that is not known", wrap("&nbsp;")),
		text("a reference to no character", malformed, "reference to a character that XML does not allow", wrap("&#0;")),
		text("a control character in text", malformed, "does not allow", wrap("a\x01b")),
		text("a control character in an attribute", malformed, "does not allow", wrap("<base_plan title=\"a\x1bb\"/>")),
		text("invalid UTF-8 in text", malformed, "invalid UTF-8", wrap("caf\xe9 ")),
		text("invalid UTF-8 in an attribute", malformed, "invalid UTF-8", wrap("<base_plan title=\"caf\xe9\"/>")),
		text("a surrogate in UTF-8", malformed, "invalid UTF-8", wrap("\xed\xa0\x80")),
		text("invalid UTF-8 in a name", malformed, "name is expected", wrap("<\xe9/>")),
		text("a name with a digit in front", malformed, "name is expected", wrap("<1/>")),
		text("two hyphens in a comment", malformed, "comment", wrap("<!-- a -- b -->")),
		text("a comment without an end", malformed, "cut short inside a comment", "<planList><!-- "),
		text("an unknown encoding", decode, "encoding", `<?xml version="1.0" encoding="klingon"?><planList/>`),
		text("EBCDIC", malformed, "line 1", "\x4c\x6f\xa7\x94\x93"),
		text("UTF-16 cut in half a unit", malformed, "cut short inside a character of UTF-16", utf16(0xfe, 0xff)+"\x00"),
		text("UTF-16 with half a pair", malformed, "half of a surrogate pair", utf16(0xff, 0xfe)+"\x00\xdc>\x00"),
		text("UTF-16 cut", malformed, "cut short", utf16(0xff, 0xfe)[:80]),
		text("UTF-32", decode, "UTF-32", "\x00\x00\xfe\xff\x00\x00\x00<"),
		text("an encoding in doubt", decode, "the encoding is in doubt", `<?xml version="1.0" encoding="ISO-8859-1"?><planList a="éé`+"\xe9"+`"/>`),
		text("an XML declaration that is none", malformed, "XML declaration", `<?xml encoding="UTF-8"?><planList/>`),
		text("a billion laughs", malformed, "DOCTYPE", laughs()),
		text("entities of a quadratic size", malformed, "DOCTYPE",
			`<!DOCTYPE planList [<!ENTITY a "`+strings.Repeat("a", 1<<16)+`">]><planList>`+strings.Repeat("&a;", 1<<16)+`</planList>`),
		text("an entity from a file", malformed, "DOCTYPE",
			`<!DOCTYPE planList [<!ENTITY a SYSTEM "file:///etc/passwd">]><planList>&a;</planList>`),
		text("parameter entities from elsewhere", malformed, "DOCTYPE",
			`<!DOCTYPE planList [<!ENTITY % a SYSTEM "http://127.0.0.1:1/a.dtd"> %a;]><planList/>`),
	}
}

// laughs returns a small document with an entity that stands for a billion words.
func laughs() string {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE planList [<!ENTITY a0 "ha">`)
	for i := range 9 {
		fmt.Fprintf(&b, `<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	b.WriteString("]><planList>&a9;</planList>")
	return b.String()
}

// cutFaults cut the document at each hundredth of its length.
func cutFaults(doc []byte) []Fault {
	var faults []Fault
	for percent := range 100 {
		cut := doc[:len(doc)*percent/100]
		faults = append(faults, Fault{
			Name: fmt.Sprintf("cut at %d %%", percent), Steps: []Step{Body(cut)}, Kind: "malformed", Status: 200, Says: "cut short",
		})
	}
	return faults
}

// text returns a fault of a document that is sent correctly.
func text(name, kind, says, doc string) Fault {
	return Fault{Name: name, Steps: []Step{Body([]byte(doc))}, Kind: kind, Status: 200, Says: says}
}
