package httpapi

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"strconv"
	"unsafe"
)

// A connection is what the searches of one connection share, to leave no garbage. HTTP/1
// has them answered one after the other: net/http has sent the header of each before it
// reads the next. There is one search for each request, and nothing of it goes on when its
// handler returns.
type connection struct {
	conn        *lazyConn // nil when a server other than [Serve]'s has it
	response    response
	sender      sender
	tag, length [1]string // values of header fields, which point into text
	text        [64]byte
}

type connectionKey struct{}

// withConnection is for [http.Server.ConnContext].
func withConnection(ctx context.Context, c net.Conn) context.Context {
	lazy, _ := c.(*lazyConn)
	return context.WithValue(ctx, connectionKey{}, &connection{conn: lazy})
}

// connectionOf returns that of a request, or a new one when a server other than [Serve]'s
// has it.
func connectionOf(r *http.Request) *connection {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		return c
	}
	return new(connection)
}

// spares is [crowd.spares], and false where there is no crowd.
func (c *connection) spares(searches, limit int64) bool {
	return c.conn != nil && c.conn.crowd.spares(searches, limit)
}

// entityTag returns the field for an answer with the given digest. The tag depends on
// the body's bytes alone, so it survives a restart and is shared by queries with equal
// answers. It is weak where the body is packed: that depends on the segments too, which have
// their history, so equal answers may differ in their bytes (RFC 9110 section 8.8.1).
//
// Somebody who can forge a collision of the digest writes the events anyway.
func (c *connection) entityTag(digest uint64, packed bool) []string {
	b := append(c.text[:0], `W/"`...)
	for shift := 56; shift >= 0; shift -= 8 {
		b = hex.AppendEncode(b, []byte{byte(digest >> shift)})
	}
	b = append(b, '"')
	if !packed {
		b = b[len("W/"):]
	}
	c.tag[0] = view(b)
	return c.tag[:]
}

// contentLength returns the field for a body of so many bytes.
func (c *connection) contentLength(size int) []string {
	c.length[0] = view(strconv.AppendInt(c.text[32:32], int64(size), 10))
	return c.length[:]
}

// view returns b as a string that must not be used once b is written to again.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // see connection: nobody reads it later
