package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/url"
	"strconv"
	"strings"

	"fever/event"
	"fever/index"
)

// A cursor is the sort key of an event, with a checksum over it and over what was searched for.
// It needs no state here: any replica can go on with it. Whoever makes up a cursor gets a page
// that begins elsewhere.
const (
	cursorSize = 8 + 8 + 16 + 4 // start, end, id, checksum
	cursorText = cursorSize * 4 / 3
)

// cursorAfter returns the cursor of a search after the event with the sort key k.
func cursorAfter(q *index.Query, k *event.SortKey) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cursorSize), uint64(k.Start))
	b = binary.BigEndian.AppendUint64(b, uint64(k.End))
	b = append(b, k.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, cursorSum(q, b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor returns the sort key of a cursor that this search has given.
func parseCursor(q *index.Query, text string) (k *event.SortKey, ok bool) {
	if len(text) != cursorText {
		return nil, false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorSize { // it skips line breaks
		return nil, false
	}
	key, sum := b[:cursorSize-4], binary.BigEndian.Uint32(b[cursorSize-4:])
	k = &event.SortKey{Start: int64(binary.BigEndian.Uint64(key)), End: int64(binary.BigEndian.Uint64(key[8:]))}
	copy(k.ID[:], key[16:])
	return k, sum == cursorSum(q, key)
}

func cursorSum(q *index.Query, key []byte) uint32 {
	b := append(make([]byte, 0, cursorSize+16), key...)
	b = binary.BigEndian.AppendUint64(b, uint64(q.From))
	b = binary.BigEndian.AppendUint64(b, uint64(q.To))
	if q.Overlap {
		b = append(b, 1)
	}
	return crc32.ChecksumIEEE(b)
}

// nextLink returns the value of a Link field that leads to the events after k (RFC 8288). The
// link has a query alone, so that it holds whatever host and path the client knows the search by.
func (p *params) nextLink(q *index.Query, k *event.SortKey) string {
	var link strings.Builder
	link.WriteString("<?")
	for i := range p {
		if param := &p[i]; param.count > 0 && i != cursorParam {
			text, _ := url.QueryUnescape(param.raw) // it has been read before
			link.WriteString(param.name + "=" + url.QueryEscape(text) + "&")
		}
	}
	link.WriteString("cursor=" + cursorAfter(q, k) + `>; rel="next"`)
	return link.String()
}

// parseLimit reads a whole number from 1 to 2^31-1.
func parseLimit(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err == nil && n > 0
}
