package server

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestPanic(t *testing.T) {
	t.Parallel()
	var logged record
	log := logged.log()
	base := listen(t, Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "early":
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Etag", "x")
			panic("the cat ate it")
		case "late", "abort":
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, strings.Repeat("half of it", 5000)) // more than net/http holds back
			if r.URL.RawQuery == "abort" {
				panic(http.ErrAbortHandler) // meant, so it is not logged
			}
			panic("too late")
		}
		WriteError(w, r, log, ErrOverloaded)
	}), log))

	ids := make(map[string]bool)
	for range 2 { // the process lives on
		reply := get(t, base+"/?early")
		code, message := reply.failure(t)
		if reply.status != http.StatusInternalServerError || code != "internal" {
			t.Errorf("%d %s after a panic", reply.status, reply.body)
		}
		ids[requestID(t, message)] = true
		if strings.Contains(reply.body, "cat") || reply.header.Get("Etag") != "" {
			t.Errorf("a panic left its traces in %v %s", reply.header, reply.body)
		}
		if reply, err := exchange(t, client, http.MethodHead, base+"/?early"); err != nil || reply.status != http.StatusInternalServerError {
			t.Errorf("HEAD: %d, %v", reply.status, err)
		}

		// Half an answer must not look like a whole one.
		for _, query := range []string{"late", "abort"} {
			if reply, err := exchange(t, client, http.MethodGet, base+"/?"+query); err == nil {
				t.Errorf("%s: %d bytes are taken for all of a response", query, len(reply.body))
			}
		}
		if reply := get(t, base+"/"); reply.status != http.StatusServiceUnavailable {
			t.Errorf("the next request: %d", reply.status)
		}
	}
	if len(ids) != 2 {
		t.Errorf("the ids of two requests are %v", ids)
	}
	text := logged.String()
	for id := range ids {
		if n := strings.Count(text, "request="+id+" "); n != 1 {
			t.Errorf("the log has request %s %d times", id, n)
		}
	}
	for _, want := range []string{"the cat ate it", "too late", "TestPanic", "guard_test.go", "path=/"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if n := strings.Count(text, "level=ERROR"); n != 6 {
		t.Errorf("%d errors in the log, want 6", n)
	}
}

// requestID returns the id at the end of the message of a 500.
func requestID(t *testing.T, message string) string {
	t.Helper()
	id := message[strings.LastIndex(message, " ")+1:]
	if len(id) != idLen || strings.ToUpper(id) != id {
		t.Fatalf("%q does not end with an id", message)
	}
	return id
}

// TestInternalError checks that clients do not see internal errors.
func TestInternalError(t *testing.T) {
	t.Parallel()
	var logged record
	base := listen(t, Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, r, logged.log(), io.ErrUnexpectedEOF)
	}), quiet))
	reply := get(t, base+"/")
	if reply.status != http.StatusInternalServerError || strings.Contains(reply.body, "EOF") {
		t.Errorf("%d %s", reply.status, reply.body)
	}
	_, message := reply.failure(t)
	if text := logged.String(); !strings.Contains(text, "unexpected EOF") || !strings.Contains(text, "request="+requestID(t, message)+" ") {
		t.Errorf("the log says only %q", logged.String())
	}
}
