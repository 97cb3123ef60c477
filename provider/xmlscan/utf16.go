package xmlscan

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// A utf16Decoder decodes UTF-16, and refuses invalid UTF-16. The decoder of
// golang.org/x/text replaces that by U+FFFD, which a title may really contain.
type utf16Decoder struct {
	transform.NopResetter
	order binary.ByteOrder
}

// Transform implements [transform.Transformer]. Its own errors are [*Error].
func (d utf16Decoder) Transform(dst, src []byte, atEOF bool) (written, read int, err error) {
	for read < len(src) {
		b := src[read:]
		size := 2
		if len(b) >= size && utf16.IsSurrogate(rune(d.order.Uint16(b))) {
			size = 4
		}
		if len(b) < size {
			if atEOF {
				return written, read, &Error{Text: "the document is cut short inside a character of UTF-16"}
			}
			return written, read, transform.ErrShortSrc
		}
		r := rune(d.order.Uint16(b))
		if size == 4 {
			if r = utf16.DecodeRune(r, rune(d.order.Uint16(b[2:]))); r == utf8.RuneError {
				return written, read, &Error{Text: "half of a surrogate pair of UTF-16 without the other"}
			}
		}
		if len(dst)-written < utf8.RuneLen(r) {
			return written, read, transform.ErrShortDst
		}
		written += utf8.EncodeRune(dst[written:], r)
		read += size
	}
	return written, read, nil
}

// utf16Of returns the byte order of a document in UTF-16 that begins with b, and the length
// of its byte order mark. The order is nil if it is not UTF-16. Without a mark the order is
// known because the first character of a document is ASCII.
func utf16Of(b []byte) (order binary.ByteOrder, mark int) {
	switch {
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return binary.BigEndian, 2
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return binary.LittleEndian, 2
	case len(b) < 2 || (b[0] == 0) == (b[1] == 0):
		return nil, 0
	case b[0] == 0:
		return binary.BigEndian, 0
	}
	return binary.LittleEndian, 0
}

// isUTF32 reports whether a document that begins with b is in UTF-32.
func isUTF32(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\x00\x00\xfe\xff")) || bytes.HasPrefix(b, []byte("\xff\xfe\x00\x00")) ||
		bytes.HasPrefix(b, []byte("\x00\x00\x00<")) || bytes.HasPrefix(b, []byte("<\x00\x00\x00"))
}
