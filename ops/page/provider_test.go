package page_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/ingest/sandbox"
	"fever/ops"
	"fever/provider/inspect"
	"fever/store"
)

// ndjson is a document with a row that is read, one that is ignored in no format, and one
// that is rejected.
const ndjson = `{"base_id":"b","event_id":"1","title":"Tosca ` + `\u003cb\u003e","start":"2999-01-01T20:00:00"}
{"base_id":"b","event_id":"2","title":"Norma","start":"2999-01-32"}
`

// try posts the form, and returns the answer with its body. On a busy machine the process that decodes,
// which has the lowest priority, may need another turn.
func (s *shown) try(t *testing.T, accept string, fields ...string) (*http.Response, string) {
	t.Helper()
	response, body := s.post(t, accept, fields...)
	for strings.Contains(body, "it may take 10s here") {
		response, body = s.post(t, accept, fields...)
	}
	return response, body
}

func (s *shown) post(t *testing.T, accept string, fields ...string) (*http.Response, string) {
	t.Helper()
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	for i := 0; i < len(fields); i += 2 {
		if err := parts.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/try", &form)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", parts.FormDataContentType())
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

const (
	browsers = "text/html,application/xhtml+xml,*/*;q=0.8"
	programs = "*/*"
)

// A document that is pasted is read as fever try reads it, and nothing of it is stored.
func TestTryProvider(t *testing.T) {
	t.Parallel()
	s := show(t, never)
	s.load(t)
	response, body := s.try(t, programs, "entry", "format: fever\ntimezone: Europe/Madrid\n", "document", ndjson, "row", "1")
	var answer struct {
		Data struct {
			inspect.Report
			Error string
			Row   struct {
				Line int
				Out  []event.Event
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %s, %v", response.Status, body, err)
	}
	if d := &answer.Data; d.Rows != 2 || d.Read != 1 || d.Rejected != 1 || len(d.List) != 2 || len(d.LookAt) == 0 || d.Error != "" || d.Row.Line != 1 || len(d.Row.Out) != 1 || d.Row.Out[0].Title != "Tosca <b>" {
		t.Errorf("%s", body)
	}
	response, body = s.try(t, browsers, "entry", "format: fever\n", "document", ndjson)
	for _, part := range []string{"2 rows: 1 read as 1 event, 0 ignored, 1 rejected (1 reason)", "Tosca &lt;b&gt;", "names a day that does not exist", "no event has an end"} {
		if response.StatusCode != http.StatusOK || !strings.Contains(body, part) {
			t.Errorf("%s: there is no %q in %s", response.Status, part, body)
		}
	}
	if n := s.Index.Snapshot().Events; n != 0 {
		t.Errorf("%d events are stored", n)
	}
	for job, err := range s.Store.Jobs(t.Context(), store.JobFilter{}) {
		t.Errorf("there was a job: %+v, %v", job, err)
	}
	// A document that is cut short says how far it was read.
	if _, body = s.try(t, programs, "entry", "format: fever", "document", ndjson+`{"base_id":`); !strings.Contains(body, `"rows":2`) || !strings.Contains(body, "malformed") && !strings.Contains(body, "cut short") {
		t.Errorf("%s", body)
	}
	// Of a pasted document and an empty file, the pasted one counts.
	if _, body = s.try(t, programs, "document", ndjson, "document", "", "entry", "format: fever"); !strings.Contains(body, `"rows":2`) {
		t.Errorf("%s", body)
	}
}

// manyRows is a document with more events than are tried.
func manyRows() string {
	var rows strings.Builder
	for i := range 10_001 {
		fmt.Fprintf(&rows, `{"base_id":"b","event_id":"%d","title":"t","start":"2999-01-01"}`+"\n", i)
	}
	return rows.String()
}

// What cannot be tried is refused with a reason, for programs and for people.
func TestTryProviderRefused(t *testing.T) {
	t.Parallel()
	s := show(t, never)
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	if _, err := packed.Write(bytes.Repeat([]byte(" "), 2<<20)); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		fields []string
		status int
		part   string
	}{
		"no entry":      {[]string{"document", ndjson}, http.StatusBadRequest, "entry is empty"},
		"wrong entry":   {[]string{"entry", "format: fever\ntimezone: Mars\n", "document", ndjson}, http.StatusBadRequest, "entry:2: timezone"},
		"wrong key":     {[]string{"entry", "fromat: fever\n", "document", ndjson}, http.StatusBadRequest, "entry:1: fromat: there is no such key"},
		"long document": {[]string{"entry", "format: fever", "document", strings.Repeat("x", 1<<20+1)}, http.StatusRequestEntityTooLarge, "too_large"},
		"long form":     {[]string{"entry", "format: fever", "document", strings.Repeat("x", 2<<20)}, http.StatusRequestEntityTooLarge, "too_large"},
		"long entry":    {[]string{"entry", strings.Repeat("#", 1<<17)}, http.StatusRequestEntityTooLarge, "too_large"},
		"another field": {[]string{"url", "http://example.com/"}, http.StatusBadRequest, "invalid_form"},
		"wrong row":     {[]string{"row", "x"}, http.StatusBadRequest, "invalid_row"},
		"many events":   {[]string{"entry", "format: fever", "document", manyRows()}, http.StatusOK, "more than 10000 events"},
		"packed":        {[]string{"entry", "format: fever", "document", bomb.String()}, http.StatusOK, "larger than its limit of 1048576 bytes"},
	} {
		for _, accept := range []string{programs, browsers} {
			if response, body := s.try(t, accept, test.fields...); response.StatusCode != test.status || !strings.Contains(body, test.part) {
				t.Errorf("%s: %s: %s", name, response.Status, body)
			}
		}
	}
	response, err := http.Post(s.url+"/try", "application/x-www-form-urlencoded", strings.NewReader("entry=x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("%s, %v", response.Status, err)
	}
}

// A document that makes a decoder panic costs its own answer, and nothing else.
func TestTryProviderBreaks(t *testing.T) {
	t.Parallel()
	s := show(t, never)
	for range 2 {
		for _, accept := range []string{programs, browsers} {
			if response, body := s.try(t, accept, "entry", "format: fever", "document", "panic"); response.StatusCode != http.StatusOK || !strings.Contains(body, "the process that decodes has ended: panic: a bug") {
				t.Errorf("%s: %s", response.Status, body)
			}
		}
		if _, body := s.try(t, programs, "entry", "format: fever", "document", ndjson); !strings.Contains(body, `"rows":2`) {
			t.Error(body)
		}
	}
}

// One document is tried at a time: a second one is refused, until the first has been read.
func TestTryProviderBusy(t *testing.T) {
	t.Parallel()
	s := show(t, never)
	begun, release := make(chan struct{}), make(chan struct{})
	slow := s.Ops
	slow.Entry = func([]byte, int64) (*sandbox.Sandbox, error) {
		begun <- struct{}{}
		<-release
		return nil, errors.New("slow")
	}
	server := httptest.NewServer(ops.New(slow))
	t.Cleanup(server.Close)
	s.url = server.URL
	ended := make(chan int)
	go func() {
		response, err := http.Post(s.url+"/try", "multipart/form-data; boundary=x", strings.NewReader("--x--"))
		if err != nil {
			t.Error(err)
			close(ended)
			return
		}
		_ = response.Body.Close() // nobody reads it
		ended <- response.StatusCode
	}()
	<-begun
	if response, body := s.try(t, programs); response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "busy") {
		t.Errorf("%s: %s", response.Status, body)
	}
	close(release)
	if status := <-ended; status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
}

// A program that goes on for ever ends when the client has gone, and the next document is tried.
func TestTryProviderGone(t *testing.T) {
	t.Parallel()
	s := show(t, never)
	const entry = "format: map\nmap:\n  to: 'def f: f; f'\n"
	form := "--x\r\nContent-Disposition: form-data; name=\"entry\"\r\n\r\n" + entry +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\n" + strings.Repeat("1\n", 100_000) + "\r\n--x--\r\n"
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/try", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	if response, err := http.DefaultClient.Do(request); err == nil {
		_ = response.Body.Close() // nobody reads it
		t.Errorf("%s, where a program goes on for ever", response.Status)
	}
	for status := http.StatusServiceUnavailable; status != http.StatusOK; {
		var response *http.Response
		var body string
		if response, body = s.try(t, programs, "entry", "format: fever", "document", ndjson); response.StatusCode != http.StatusOK && !strings.Contains(body, "busy") {
			t.Fatalf("%s: %s", response.Status, body)
		}
		status = response.StatusCode
	}
}
