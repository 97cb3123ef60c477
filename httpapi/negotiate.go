package httpapi

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// minGzip is the size in bytes from which compression pays. A smaller answer is about one
// packet in any case, and compression would double its cost (by some 15 us, measured with 5
// events).
const minGzip = 1400

// wantsGzip reports whether to compress an answer of so many bytes, given the lines of
// Accept-Encoding (RFC 9110 section 12.5.3). Ties go to gzip. When the client accepts nothing
// that we have, the answer is not compressed, as section 12.1 allows.
func wantsGzip(lines []string, size int) bool {
	const absent = -1
	zip, identity, other := absent, absent, absent
	for _, line := range lines {
		for line != "" {
			var element string
			element, line, _ = strings.Cut(line, ",")
			coding, params, weighted := strings.Cut(element, ";")
			q := 1000
			if weighted {
				var ok bool
				if q, ok = weight(params); !ok {
					continue
				}
			}
			switch coding = trim(coding); {
			case strings.EqualFold(coding, "gzip"), strings.EqualFold(coding, "x-gzip"):
				zip = q
			case strings.EqualFold(coding, "identity"):
				identity = q
			case coding == "*":
				other = q
			}
		}
	}
	if zip == absent {
		zip = other
	}
	if identity == absent {
		identity = other
	}
	if zip <= 0 || zip < identity {
		return false
	}
	return size >= minGzip || identity == 0
}

// weight reads "q=0.5" as thousandths (RFC 9110 section 12.4.2).
func weight(s string) (q int, ok bool) {
	s = trim(s)
	if len(s) < 3 || len(s) > len("q=0.000") || s[0]|' ' != 'q' || s[1] != '=' || s[2] > '1' || s[2] < '0' {
		return 0, false
	}
	q = int(s[2]-'0') * 1000
	if len(s) > 3 && s[3] != '.' {
		return 0, false
	}
	for i, unit := 4, 100; i < len(s); i, unit = i+1, unit/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		q += int(s[i]-'0') * unit
	}
	return q, q <= 1000
}

// trim removes optional whitespace (RFC 9110 section 5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }

// entityTag returns the tag of a body with the given digest. It depends on the body's bytes
// alone, so it survives a restart, and queries with equal answers share it. It is weak when
// the body is compressed: that depends on the segments, which have a history, so equal
// answers may differ in their bytes (RFC 9110 section 8.8.1).
//
// Whoever can forge a collision of the digest writes the events anyway.
func entityTag(digest uint64, packed bool) string {
	b := append(make([]byte, 0, len(`W/"0123456789abcdef"`)), `W/"`...)
	b = hex.AppendEncode(b, binary.BigEndian.AppendUint64(nil, digest))
	b = append(b, '"')
	if !packed {
		b = b[len("W/"):]
	}
	return string(b)
}

// matches reports whether the lines of If-None-Match have the entity tag, by the weak
// comparison of this field (RFC 9110 section 13.1.2). Anything malformed ends the list: then
// the whole answer is sent, which is never wrong.
func matches(lines []string, tag string) bool {
	if len(lines) == 1 && trim(lines[0]) == "*" {
		return true
	}
	opaque := strings.TrimPrefix(tag, "W/")
	for _, line := range lines {
		for {
			line = strings.TrimLeft(line, " \t,") // a list may have empty elements
			line = strings.TrimPrefix(line, "W/")
			if line == "" || line[0] != '"' {
				break
			}
			end := strings.IndexByte(line[1:], '"') + 2
			if end < 2 {
				break
			}
			if line[:end] == opaque {
				return true
			}
			if line = strings.TrimLeft(line[end:], " \t"); line != "" && line[0] != ',' {
				break
			}
		}
	}
	return false
}
