package xmlscan

import (
	"bytes"
	"regexp"
)

// doctype is doctypedecl, production 28, up to its end or to an internal subset. Its group
// is the name.
var doctype = regexp.MustCompile(`^<!DOCTYPE[ \t\r\n]+([^ \t\r\n\[>]+)` +
	`(?:[ \t\r\n]+(?:SYSTEM|PUBLIC[ \t\r\n]+(?:"[-'` + pubid + `]*"|'[-` + pubid + `]*'))[ \t\r\n]+(?:"[^"]*"|'[^']*'))?` +
	`[ \t\r\n]*[\[>]`)

// pubid is PubidChar, production 13, without the hyphen and the apostrophe.
const pubid = ` \r\na-zA-Z0-9()+,./:=?;!*#@$_%`

// skipDoctype skips a document type declaration. It refuses an internal subset, which can
// define entities, and so make a small document a huge one.
func (s *Scanner) skipDoctype() error {
	s.doctype = true
	parts, err := s.match(doctype, ">", "a DOCTYPE")
	if err != nil {
		return err
	}
	all, named := parts[0], parts[1]
	if n, err := name(append(bytes.Clone(named), '>')); err != nil || n < len(named) {
		return s.malformed(0, "a DOCTYPE without a name")
	}
	if n := legal(all); n < len(all) {
		return s.illegal(n)
	}
	if all[len(all)-1] == '[' {
		return s.malformed(len(all)-1, "a DOCTYPE with an internal subset, which is refused since it can define entities")
	}
	s.pos += len(all)
	return nil
}
