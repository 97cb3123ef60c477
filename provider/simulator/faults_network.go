package simulator

import (
	"io"
	"strings"
	"time"
)

// connectionFaults end a connection too early, or not at all.
func connectionFaults(doc []byte) []Fault {
	const (
		pause = 50 * time.Millisecond
		late  = "not done within"
		ended = "EOF"
		reset = "connection reset"
	)
	whole, half := len(doc), len(doc)/2
	claim := func(sent int) Step { return Claim(int64(whole), doc[:sent]) }
	return []Fault{
		{Name: "refuses", Steps: []Step{Refuse()}, Kind: "connection", Says: "connection refused"},
		{Name: "refuses behind a redirect", Steps: []Step{Redirect("/"), Refuse()}, Kind: "connection", Says: "connection refused"},
		{Name: "hangs before the header", Steps: []Step{Hang()}, Kind: "timeout", Says: late},
		{Name: "hangs before the body", Steps: []Step{HangAfter(0, doc)}, Kind: "timeout", Status: AnyStatus, Says: late},
		{Name: "hangs in the body", Steps: []Step{HangAfter(half, doc)}, Kind: "timeout", Status: AnyStatus, Says: late},
		{Name: "hangs before the last byte", Steps: []Step{HangAfter(whole-1, doc)}, Kind: "timeout", Status: AnyStatus, Says: late},
		{Name: "hangs behind a redirect", Steps: []Step{Redirect("/"), Hang()}, Kind: "timeout", Says: late},
		{Name: "trickles the header", Steps: []Step{TrickleHeader(pause)}, Kind: "timeout", Says: late},
		{Name: "trickles the body", Steps: []Step{Trickle(doc, pause)}, Kind: "timeout", Status: AnyStatus, Says: late},
		{Name: "resets", Steps: []Step{Reset()}, Kind: "connection", Says: reset},
		{Name: "resets in the body", Steps: []Step{ResetAfter(half, doc)}, Kind: "connection", Status: AnyStatus, Says: reset},
		{Name: "closes", Steps: []Step{Drop()}, Kind: "connection", Says: ended},
		{Name: "closes in the header", Steps: []Step{rawText("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n")}, Kind: "connection", Says: ended},
		{Name: "closes before the body", Steps: []Step{claim(0)}, Kind: "connection", Status: 200, Says: ended},
		{Name: "closes in the body", Steps: []Step{claim(half)}, Kind: "connection", Status: 200, Says: ended},
		{Name: "closes before the last byte", Steps: []Step{claim(whole - 1)}, Kind: "connection", Status: 200, Says: ended},
		{Name: "closes behind the document", Steps: []Step{Claim(int64(whole+1), doc)}, Kind: "connection", Status: 200, Says: ended},
		{Name: "is not trusted", Steps: []Step{Untrusted()}, Kind: "tls", Says: "certificate"},
	}
}

// protocolFaults answer with something that is not HTTP, or with HTTP that does harm.
func protocolFaults(doc []byte) []Fault {
	const ok, chunked = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	body := "\r\n" + string(doc)
	fault := func(name string, status int, says string, answer ...string) Fault {
		return Fault{Name: name, Kind: "connection", Status: status, Says: says, Steps: []Step{rawText(strings.Join(answer, ""))}}
	}
	endless := func(name string, status int, says, begin, repeat string) Fault {
		return Fault{Name: name, Kind: "connection", Status: status, Says: says, Steps: []Step{Raw(forever(begin, repeat))}}
	}
	return []Fault{
		fault("speaks no HTTP", 0, "malformed HTTP", "SSH-2.0-OpenSSH_9.9\r\n"),
		fault("speaks no HTTP at length", 0, "malformed HTTP", strings.Repeat("\x00\x1b[2J\xff", 5<<10), "\r\n"),
		fault("has no status", 0, "malformed HTTP", "HTTP/1.1 OK\r\n", body),
		fault("has a header that is none", 0, "malformed MIME header", ok, "<planList/>\r\n", body),
		fault("has a length that is no number", 0, "bad Content-Length", ok, "Content-Length: many\r\n", body),
		fault("has a length below zero", 0, "bad Content-Length", ok, "Content-Length: -1\r\n", body),
		fault("has two lengths", 0, "Content-Length", ok, "Content-Length: 1\r\nContent-Length: 2\r\n", body),
		fault("has a transfer coding that is not known", 0, "transfer encoding", ok, "Transfer-Encoding: magic\r\n", body),
		fault("has a chunk without a size", 200, "chunk", chunked, string(doc)),
		fault("closes in a chunk", 200, "EOF", chunked, "ffff\r\n", string(doc)),
		fault("closes behind a chunk", 200, "EOF", chunked, "b\r\n<planList/>\r\n"),
		endless("header without an end", 0, "header", ok, "X-Endless: "+strings.Repeat("drop", 64)+"\r\n"),
		endless("header line without an end", 0, "header", ok+"X-Endless: ", "drop"),
		endless("first line without an end", 0, "header", "HTTP/1.1 200 ", "drop"),
		endless("first byte without an end", 0, "header", "", "\x00"),
		endless("interim answers without an end", 0, "header", "", "HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"),
		endless("chunk size without an end", 200, "line too long", chunked, "0"),
		endless("chunks of one byte without an end", 200, "chunk", chunked+"a\r\n<planList>\r\n", "1;"+strings.Repeat("extension", 100)+"\r\n \r\n"),
		endless("trailer without an end", 200, "trailer", chunked+"b\r\n<planList/>\r\n0\r\n", "X-Endless: drop\r\n"),
	}
}

func rawText(answer string) Step {
	return Raw(func() io.Reader { return strings.NewReader(answer) })
}
