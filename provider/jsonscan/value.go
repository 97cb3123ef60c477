package jsonscan

import "unicode/utf8"

// The classes of bytes. Those from 0x80 on are in no class.
const (
	isSpace = 1 << iota // ws, RFC 8259 section 2
	isPlain             // stands for itself in a string, and needs no check
	isDigit
	isWord // a number or a literal cannot end before it
)

var class = func() (table [256]uint8) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		if c != '"' && c != '\\' {
			table[c] |= isPlain
		}
		switch {
		case c >= '0' && c <= '9':
			table[c] |= isDigit | isWord
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '+', c == '-', c == '.':
			table[c] |= isWord
		}
	}
	for _, c := range " \t\n\r" {
		table[c] |= isSpace
	}
	return table
}()

// kinds has the kind of the value that begins with a byte.
var kinds = func() (table [256]Kind) {
	for c := range "0123456789" {
		table['0'+c] = Number
	}
	table['-'], table['"'], table['{'], table['['] = Number, String, Object, Array
	table['t'], table['f'], table['n'] = True, False, Null
	return table
}()

// peek skips white space, and returns the next byte. It returns zero at the end.
func (s *Scanner) peek() byte {
	for {
		c := s.buf[s.pos]
		switch {
		case class[c]&isSpace != 0:
			s.pos++
		case c != 0 || s.pos < s.end || !s.more():
			return c
		}
	}
}

// Kind returns the kind of the next value, and does not read it. It returns End at the end of
// the document. Inside of an object or an array there must be a value: [Scanner.Member]
// or [Scanner.Element] has reported one.
func (s *Scanner) Kind() Kind {
	kind := kinds[s.peek()]
	if kind == End && (s.depth > 0 || s.pos < s.end || !s.eof) {
		s.unexpected("a value")
	}
	return kind
}

// Enter enters the object or the array that is the next value.
func (s *Scanner) Enter() {
	switch kind := s.Kind(); {
	case kind != Object && kind != Array:
		s.unexpected("an object or an array")
	case s.depth == MaxDepth:
		s.fail("arrays and objects are nested more than %d deep", MaxDepth)
	default:
		s.depth++
		s.pos++
		s.first = true
	}
}

// Member reads the name of the next member of an object into Name, and reports whether there
// is one. The member's value must then be read or skipped. Otherwise the object has ended, or
// there is an error.
func (s *Scanner) Member() bool { return s.next('}') && s.name() }

// name reads a name and the colon behind it.
func (s *Scanner) name() bool {
	if s.peek() != '"' {
		s.unexpected("a name")
		return false
	}
	s.Name = s.text()
	if s.buf[s.pos] != ':' {
		// Reading on would overwrite the name.
		s.scratch = append(s.scratch[:0], s.Name...)
		s.Name = s.scratch
	}
	if s.peek() != ':' {
		s.unexpected("a colon")
		return false
	}
	s.pos++
	return true
}

// Element reports whether an array has another element, which must then be read or skipped.
// Otherwise the array has ended, or there is an error.
func (s *Scanner) Element() bool { return s.next(']') }

// next reads the comma before the next member or element, or the bracket that closes all.
func (s *Scanner) next(closing byte) bool {
	c := s.buf[s.pos]
	if c != ',' && c != closing {
		c = s.peek()
	}
	switch {
	case c == closing && s.depth > 0:
		s.pos++
		s.depth--
		s.first = false
		return false
	case s.first:
		s.first = false
	case c == ',':
		s.pos++
	default:
		s.unexpected("a comma or " + string(closing))
	}
	return s.err == nil
}

// Scalar reads the next value, and skips it if it is an object or an array. It returns its kind,
// and the text of a string or a number: a string without its quotes and escapes, a number
// exactly as written. The text is valid until the next read.
func (s *Scanner) Scalar() (Kind, []byte) {
	kind := kinds[s.buf[s.pos]]
	if kind == End { // white space, or something else
		kind = s.Kind()
	}
	if kind == String { // in front of the switch, as most values are strings or numbers
		return kind, s.text()
	}
	if kind == Number {
		return kind, s.number()
	}
	switch kind {
	case True:
		s.literal("true")
	case False:
		s.literal("false")
	case Null:
		s.literal("null")
	default:
		s.Skip()
	}
	return kind, nil
}

// Skip reads the next value, and drops it.
func (s *Scanner) Skip() {
	switch s.Kind() {
	case Object:
		for s.Enter(); s.Member(); {
			s.Skip()
		}
	case Array:
		for s.Enter(); s.Element(); {
			s.Skip()
		}
	case End:
	default:
		s.Scalar()
	}
}

func (s *Scanner) literal(word string) {
	if end := s.pos + len(word); end < s.end && string(s.buf[s.pos:end]) == word && class[s.buf[end]]&isWord == 0 {
		s.pos = end
		return
	}
	for s.end-s.pos <= len(word) && s.more() { // the byte behind it, too
	}
	for i := range len(word) {
		if s.buf[s.pos] != word[i] {
			s.unexpected(word)
			return
		}
		s.pos++
	}
	s.delimited()
}

// delimited fails if the number or literal just read goes on.
func (s *Scanner) delimited() {
	if class[s.buf[s.pos]]&isWord != 0 || s.pos == s.end && !s.eof {
		s.unexpected("the end of a value")
	}
}

// number reads a number (RFC 8259 section 6).
func (s *Scanner) number() []byte {
	// The short cut is for what is sure to be a number: digits that do not begin with a zero,
	// with a fraction or without, and no end of the buffer.
	buf, begin := s.buf, s.pos
	i := begin
	if buf[i] != '0' {
		for class[buf[i]]&isDigit != 0 {
			i++
		}
		if i > begin && buf[i] == '.' && class[buf[i+1]]&isDigit != 0 {
			for i++; class[buf[i]]&isDigit != 0; {
				i++
			}
		}
	}
	if i == begin || i == s.end || class[buf[i]]&isWord != 0 || i-begin > MaxString {
		return s.anyNumber()
	}
	s.pos = i
	return buf[begin:i]
}

// anyNumber is number without the short cut.
func (s *Scanner) anyNumber() []byte {
	for {
		n, ok := numberIn(s.buf[s.pos : s.end+1])
		switch {
		case n > MaxString:
			s.fail("a number of more than %d MiB", MaxString>>20)
			return nil
		case s.pos+n == s.end && s.more(): // it may go on
			continue
		case s.err != nil:
			return nil
		}
		text := s.buf[s.pos : s.pos+n]
		s.pos += n
		if !ok {
			s.unexpected("a digit")
			return nil
		}
		s.delimited()
		return text
	}
}

// numberIn returns the length of the number at the start of b, which ends with a zero byte. If
// there is none, the length is that up to the byte that is wrong.
func numberIn(b []byte) (n int, ok bool) {
	digits := func() bool {
		from := n
		for class[b[n]]&isDigit != 0 {
			n++
		}
		return n > from
	}
	if b[0] == '-' {
		n++
	}
	if b[n] == '0' {
		n++
	} else if !digits() {
		return n, false
	}
	if b[n] == '.' {
		n++
		if !digits() {
			return n, false
		}
	}
	if b[n]|0x20 == 'e' {
		n++
		if b[n] == '+' || b[n] == '-' {
			n++
		}
		if !digits() {
			return n, false
		}
	}
	return n, true
}
