package simulator

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A Step answers one request. The functions that make steps take more lines of the header,
// such as "Retry-After: 120". Each answer is the last one on its connection.
type Step struct {
	play   func(*exchange) error
	refuse bool
}

// Body answers 200 with a document.
func Body(doc []byte, header ...string) Step {
	return Claim(int64(len(doc)), doc, header...)
}

// Gzip answers 200 with a compressed document, whatever the request accepts.
func Gzip(doc []byte, header ...string) Step {
	return Body(compress(doc), append([]string{"Content-Encoding: gzip"}, header...)...)
}

// Conditional answers 200 with a document and its validators, or 304 if the request has one of
// these. Either may be empty. If-Modified-Since counts only without If-None-Match (RFC 9110
// section 13.1.3), and only if it is the same text.
func Conditional(doc []byte, etag, lastModified string) Step {
	var header []string
	if etag != "" {
		header = append(header, "ETag: "+etag)
	}
	if lastModified != "" {
		header = append(header, "Last-Modified: "+lastModified)
	}
	return Step{play: func(x *exchange) error {
		has := etag != "" && x.request.Header.Get("If-None-Match") == etag
		if _, asked := x.request.Header["If-None-Match"]; !asked {
			has = lastModified != "" && x.request.Header.Get("If-Modified-Since") == lastModified
		}
		if has {
			return x.head(http.StatusNotModified, -1, header)
		}
		return x.send(int64(len(doc)), doc, header)
	}}
}

// Status answers with a status, and with a short page if the status allows a body.
func Status(status int, header ...string) Step {
	page := []byte(fmt.Sprintf("<html><title>%d</title><p>%s<br></html>\n", status, http.StatusText(status)))
	return Step{play: func(x *exchange) error {
		if status < http.StatusOK || status == http.StatusNoContent || status == http.StatusNotModified {
			return x.head(status, -1, header)
		}
		if err := x.head(status, int64(len(page)), header); err != nil {
			return err
		}
		_, err := x.conn.Write(page)
		return err
	}}
}

// Redirect answers 302. The target may be relative: "/" makes a loop.
func Redirect(to string) Step {
	return Status(http.StatusFound, "Location: "+to)
}

// Untrusted redirects the client to https on the same server, whose certificate is signed by
// itself.
func Untrusted() Step {
	return Step{play: func(x *exchange) error {
		return x.head(http.StatusFound, 0, []string{"Location: https://" + x.server.address + "/"})
	}}
}

// Stream answers 200 with the content of a new reader for each request, without a length. It
// may be endless, because nothing is held.
func Stream(open func() io.Reader, header ...string) Step {
	return Step{play: func(x *exchange) error {
		if err := x.head(http.StatusOK, -1, header); err != nil {
			return err
		}
		_, err := io.Copy(x.conn, open())
		return err
	}}
}

// Raw sends the content of a new reader for each request, and nothing else. That need not be
// HTTP.
func Raw(open func() io.Reader) Step {
	return Step{play: func(x *exchange) error {
		_, err := io.Copy(x.conn, open())
		return err
	}}
}

// Claim answers 200 with a body, and with a Content-Length that may be wrong.
func Claim(length int64, body []byte, header ...string) Step {
	return Step{play: func(x *exchange) error { return x.send(length, body, header) }}
}

// Hang never answers.
func Hang() Step {
	return Step{play: (*exchange).hang}
}

// HangAfter answers 200 with n bytes of a document, and never sends the rest.
func HangAfter(n int, doc []byte, header ...string) Step {
	return after(n, doc, header, (*exchange).hang)
}

// Trickle answers 200 with a document, one byte after another with a pause before each.
func Trickle(doc []byte, pause time.Duration, header ...string) Step {
	return Step{play: func(x *exchange) error {
		if err := x.head(http.StatusOK, int64(len(doc)), header); err != nil {
			return err
		}
		return x.trickle(bytes.NewReader(doc), pause)
	}}
}

// TrickleHeader sends a header without an end, one byte after another with a pause before
// each.
func TrickleHeader(pause time.Duration) Step {
	return Step{play: func(x *exchange) error {
		return x.trickle(bufio.NewReader(forever("HTTP/1.1 200 OK\r\n", "X-Trickle: drop\r\n")()), pause)
	}}
}

// Drop closes the connection without an answer.
func Drop() Step {
	return Step{play: func(*exchange) error { return nil }}
}

// Reset resets the connection without an answer, as a crash would.
func Reset() Step {
	return Step{play: (*exchange).reset}
}

// ResetAfter answers 200 with n bytes of a document, and then resets the connection. The
// client may lose bytes that it has not read.
func ResetAfter(n int, doc []byte, header ...string) Step {
	return after(n, doc, header, (*exchange).reset)
}

func after(n int, doc []byte, header []string, then func(*exchange) error) Step {
	return Step{play: func(x *exchange) error {
		if err := x.send(int64(len(doc)), doc[:n], header); err != nil {
			return err
		}
		return then(x)
	}}
}

// Refuse has the system refuse connections, from before the last answer until [Server.Play] is
// called. Steps after it are not reached.
func Refuse() Step {
	return Step{play: (*exchange).reset, refuse: true}
}

// compress returns doc as a gzip file.
func compress(doc []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(doc) // a Buffer takes everything
	_ = z.Close()
	return b.Bytes()
}
