package xmlscan

import (
	"errors"
	"unicode/utf8"
)

// maxName bounds a name, in bytes.
const maxName = 1 << 10

// errShort says that a name or a tag goes on behind the bytes that are in the buffer.
var errShort = errors.New("more bytes are needed")

var (
	errName     = errors.New("a name is expected here")
	errLongName = errors.New("a name is longer than 1 KiB")
	errColon    = errors.New("a name has a colon in the wrong place")
)

// name returns the length of the name at the start of b. It is a QName of Namespaces in
// XML 1.0: a Name of XML 1.0 with at most one colon, which separates two names.
func name(b []byte) (int, error) {
	i := 0
	for i < len(b) && class[b[i]]&isNameChar != 0 {
		i++
	}
	if i > 0 && i <= maxName && i < len(b) && b[i] < utf8.RuneSelf && b[i] != ':' && class[b[0]]&isNameStart != 0 {
		return i, nil
	}
	return anyName(b)
}

// anyName is name without the short cut for ASCII.
func anyName(b []byte) (int, error) {
	begin, colons := true, 0 // begin: at the start of the name, or of its part after the colon
	for i := 0; ; {
		if i > maxName {
			return 0, errLongName
		}
		if i == len(b) || !utf8.FullRune(b[i:]) {
			return 0, errShort
		}
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == ':':
			colons++
			if begin || colons > 1 {
				return 0, errColon
			}
			begin = true
		case begin && isNameStartRune(r), !begin && isNameRune(r):
			if r == utf8.RuneError && size == 1 {
				return 0, errName
			}
			begin = false
		case i == 0:
			return 0, errName
		case begin:
			return 0, errColon
		default:
			return i, nil
		}
		i += size
	}
}
