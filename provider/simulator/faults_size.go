package simulator

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// huge is the size of bodies with an end, after decompression.
const huge = 300 << 20

// sizeFaults send more of something than anyone should read. They are made while they are
// sent.
func sizeFaults(doc []byte) []Fault {
	const large, limit = "too_large", "larger than its limit"
	long := strings.Repeat("secret ", 50)
	fault := func(name, kind, says string, step Step) Fault {
		return Fault{Name: name, Kind: kind, Status: 200, Says: says, Steps: []Step{step}}
	}
	attributes := []byte("<planList")
	for i := range 1_000 {
		attributes = fmt.Appendf(attributes, " a%d=''", i)
	}
	faults := []Fault{
		fault("a length of exabytes", large, limit, Claim(1<<60, doc)),
		fault("a body without an end", large, limit, endless("<planList>", "secret")),
		fault("a body without an end behind the document", large, limit, endless(string(doc), "\n")),
		fault("a body of rubbish without an end", large, limit, endless("", "\x00")),
		fault("chunks without an end", large, limit, chunks("<planList>", strings.Repeat("<a/>", 1<<10))),
		fault("a body without an end that is said to be gzip", large, limit, endless("", "\x00", "Content-Encoding: gzip")),
		fault("gzip of nothing without an end", large, limit, endless("", string(compress(nil)), "Content-Encoding: gzip")),
		fault("a gzip bomb in gzip", large, limit, Body(compress(compress(append([]byte("<planList>"), bytes.Repeat([]byte(" "), 2*MaxBytes)...))))),
		fault("gzip of nothing many times", "malformed", "cut short", Body(bytes.Repeat(compress(nil), 10_000), "Content-Encoding: gzip")),
		fault("a thousand attributes", "malformed", "attributes", Body(attributes)),
		fault("a million elements inside each other", "malformed", "nested more than",
			Body(append([]byte("<planList>"), strings.Repeat("<a>", 1_000_000)...))),
	}
	for _, bomb := range []struct{ name, kind, says, begin, repeat string }{
		{"elements inside each other", "malformed", "nested more than", "<planList>", "<a>"},
		{"a start tag", "malformed", "start tag of more than", "<planList", "\n"},
		{"an attribute", "malformed", "start tag of more than", `<planList><base_plan title="`, "secret"},
		{"a reference", "malformed", "reference", "<planList>&#x", "0"},
		{"a name", "malformed", "name is longer", "<planList><", "secret"},
		{"the name of an attribute", "malformed", "name is longer", "<planList ", "secret"},
		{"the name of an instruction", "malformed", "name is longer", "<planList><?", "secret"},
		{"an XML declaration", "malformed", "XML declaration", `<?xml version="1.0"`, " "},
		{"a text", large, limit, "<planList>", "secret"},
		{"a text of references", large, limit, "<planList>", "&#x10FFFF;"},
		{"a comment", large, limit, "<planList><!--", "secret"},
		{"a CDATA section", large, limit, "<planList><![CDATA[", "]]"},
		{"an instruction", large, limit, "<planList><?a ", "?"},
		{"a DOCTYPE", "malformed", "DOCTYPE", "<!DOCTYPE planList", " "},
		{"a public identifier", "malformed", "DOCTYPE", "<!DOCTYPE planList PUBLIC '", "-"},
		{"an end tag", large, limit, "<planList></planList", " "},
		{"white space before the root", large, limit, "", "\n"},
		{"white space behind the root", large, limit, string(doc), "\n"},
		{"text in another encoding", large, limit, `<?xml version="1.0" encoding="ISO-8859-1"?><planList>`, "el ni\xf1o secret "},
		{"elements", large, limit, "<planList>", "<a b='" + long + "'/>"},
		{"rows to ignore", large, limit, "<planList>", "<base_plan sell_mode='offline'><plan title='" + long + "'/></base_plan>"},
		{"rows to reject", large, limit, "<planList>", "<base_plan sell_mode='online' title='" + long + "'><plan/></base_plan>"},
		{
			"the same row", large, limit, "<planList><base_plan base_plan_id='1' sell_mode='online' title='t'>",
			"<plan plan_id='1' plan_start_date='2026-01-01'><zone zone_id='1' price='1' name='" + long + "'/></plan>",
		},
		{"zones of one row", large, limit, "<planList><base_plan base_plan_id='1' sell_mode='online' title='t'>" +
			"<plan plan_id='1' plan_start_date='2026-01-01'>", "<zone zone_id='1' price='1' name='" + long + "'/>"},
	} {
		name := fmt.Sprintf("a gzip bomb: %s of %d MiB", bomb.name, huge>>20)
		faults = append(faults, fault(name, bomb.kind, bomb.says, explode(bomb.begin, bomb.repeat)))
	}
	return faults
}

// endless answers with begin, and then with repeat again and again.
func endless(begin, repeat string, header ...string) Step {
	return Stream(forever(begin, repeat), header...)
}

// chunks does the same as endless, in the chunked transfer coding.
func chunks(begin, repeat string) Step {
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	return Raw(forever("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(begin), chunk(repeat)))
}

// explode answers with begin, and then with repeat up to a huge length, as a gzip file of many
// members. All members but the first are the same, so that little has to be compressed.
func explode(begin, repeat string) Step {
	const size = 256 << 10 // of a member, roughly
	piece := sync.OnceValue(func() string {
		return string(compress(bytes.Repeat([]byte(repeat), size/len(repeat))))
	})
	return Stream(func() io.Reader {
		return io.MultiReader(
			bytes.NewReader(compress([]byte(begin))),
			io.LimitReader(newRepeated(piece()), huge/size*int64(len(piece()))),
		)
	}, "Content-Encoding: gzip")
}

// forever opens readers of begin, and then of repeat again and again.
func forever(begin, repeat string) func() io.Reader {
	return func() io.Reader { return io.MultiReader(strings.NewReader(begin), newRepeated(repeat)) }
}

// repeated reads its text again and again, without an end.
type repeated struct {
	text string
	at   int
}

func newRepeated(text string) *repeated {
	const enough = 64 << 10 // to copy large pieces
	return &repeated{text: strings.Repeat(text, 1+enough/len(text))}
}

func (r *repeated) Read(b []byte) (int, error) {
	n := copy(b, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}
