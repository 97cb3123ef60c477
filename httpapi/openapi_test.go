package httpapi

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"fever/httpapi/server"
)

// document is the OpenAPI document with strict formats: the library takes any string
// for a uuid, and a 31st of February for a date.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	define := func(format string, valid func(string) bool) {
		openapi3.DefineStringFormatValidator(format, openapi3.NewCallbackValidator(func(s string) error {
			if !valid(s) {
				return fmt.Errorf("%q is not a %s", s, format)
			}
			return nil
		}))
	}
	define("uuid", uuid.MatchString)
	define("date", func(s string) bool {
		v, err := time.Parse(time.DateOnly, s)
		return err == nil && v.Format(time.DateOnly) == s
	})
	return openapi3.NewLoader().LoadFromData(OpenAPI)
})

// check checks a response against the OpenAPI document, and its framing against HTTP. It returns
// the body, decompressed.
func check(r *http.Request, response *http.Response, wire []byte) ([]byte, error) {
	if err := checkFraming(r, response, wire); err != nil {
		return wire, err
	}
	body := wire
	if coding := response.Header.Get("Content-Encoding"); coding != "" && len(wire) > 0 {
		var err error
		if body, err = unzip(wire); err != nil {
			return wire, err
		}
	}
	doc, err := document()
	if err != nil {
		return body, err
	}
	item := doc.Paths.Value("/search")
	operation := cmp.Or(item.Operations()[r.Method], item.Get) // which has what methods get that there are not
	documented := operation.Responses.Status(response.StatusCode)
	if documented == nil {
		return body, errors.New("the status is not documented")
	}
	// The library checks neither 304 nor the answers to HEAD.
	for name, header := range documented.Value.Headers {
		if header.Value.Required && len(response.Header.Values(name)) != 1 {
			return body, fmt.Errorf("%s: %q, want one", name, response.Header.Values(name))
		}
	}
	get := r.Clone(r.Context())
	get.Method = http.MethodGet
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: get,
			Route:   &routers.Route{Spec: doc, Path: "/search", PathItem: item, Method: get.Method, Operation: operation},
		},
		Status:  response.StatusCode,
		Header:  response.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if response.StatusCode == http.StatusNotModified {
		// It has the fields of a 200, except those that describe the body.
		for name, header := range documented.Value.Headers {
			value := response.Header.Get(name)
			if value == "" && !header.Value.Required {
				continue
			}
			if err := header.Value.Schema.Value.VisitJSON(value); err != nil {
				return body, fmt.Errorf("%s: %w", name, err)
			}
		}
		return body, nil
	}
	return body, openapi3filter.ValidateResponse(r.Context(), input.SetBodyBytes(body))
}

// checkFraming checks that the body, the fields that describe it, and HTTP agree.
func checkFraming(r *http.Request, response *http.Response, wire []byte) error {
	header := response.Header
	switch {
	case header.Get("X-Content-Type-Options") != "nosniff":
		return errors.New("no X-Content-Type-Options")
	case response.StatusCode == http.StatusNoContent || response.StatusCode == http.StatusNotModified:
		for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding"} {
			if header.Get(name) != "" {
				return fmt.Errorf("%s without a body", name)
			}
		}
		if len(wire) > 0 {
			return errors.New("a body where none is allowed")
		}
		return nil
	case header.Get("Content-Type") != "application/json":
		return fmt.Errorf("Content-Type is %q", header.Get("Content-Type"))
	case response.StatusCode == http.StatusOK && (header.Get("Etag") == "") != (header.Get("Cache-Control") == "no-store"):
		return fmt.Errorf("the entity tag is %q with Cache-Control %q", header.Get("Etag"), header.Get("Cache-Control"))
	case len(response.TransferEncoding) > 0:
		return fmt.Errorf("Transfer-Encoding %q instead of a length", response.TransferEncoding)
	case r.Method == http.MethodHead && len(wire) > 0:
		return errors.New("a body for HEAD")
	case r.Method != http.MethodHead && header.Get("Content-Length") != strconv.Itoa(len(wire)):
		return fmt.Errorf("Content-Length is %q for %d bytes", header.Get("Content-Length"), len(wire))
	case header.Get("Content-Encoding") != "" && !strings.Contains(strings.Join(r.Header["Accept-Encoding"], ","), "gzip"):
		return errors.New("compressed, but the client did not ask for it")
	}
	return nil
}

// unzip reads a body of exactly one gzip member: not all clients can read more.
func unzip(wire []byte) ([]byte, error) {
	reader := bytes.NewReader(wire)
	z, err := gzip.NewReader(reader)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	body, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	if reader.Len() > 0 {
		return nil, fmt.Errorf("%d bytes after the gzip member", reader.Len())
	}
	return body, nil
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	if doc.Info.Title != "Fever Providers API" || doc.Info.Version != "1.0.0" {
		t.Errorf("the document is %q %q", doc.Info.Title, doc.Info.Version)
	}
	for method, want := range map[string]string{
		http.MethodGet: "searchEvents", http.MethodHead: "headSearch", http.MethodOptions: "optionsSearch",
	} {
		operation := doc.Paths.Value("/search").Operations()[method]
		if operation == nil || operation.OperationID != want {
			t.Errorf("%s is the operation %+v, want %s", method, operation, want)
		}
	}
	summary := doc.Components.Schemas["EventSummary"].Value
	if len(summary.Required) != len(summary.Properties) {
		t.Errorf("only %q are required", summary.Required)
	}
}

// TestOpenAPIForTools checks what tools need that read the document. make clients runs the tools
// themselves.
func TestOpenAPIForTools(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Servers) == 0 {
		t.Error("no server is named: linters want one")
	}
	if doc.Security == nil || len(doc.Security) > 0 {
		t.Errorf("the security is %v, want it to be declared as none", doc.Security)
	}
	for method, operation := range doc.Paths.Value("/search").Operations() {
		for _, parameter := range operation.Parameters {
			// Clients decompress by themselves, but not once they have set the field.
			if strings.EqualFold(parameter.Value.Name, "Accept-Encoding") {
				t.Errorf("%s has the parameter %s", method, parameter.Value.Name)
			}
		}
		for status, response := range operation.Responses.Map() {
			for name := range response.Value.Headers {
				// Caches and decompression take away or change what frames a body, and mocks
				// send what they find documented, over a body that is not so.
				if slices.Contains([]string{"Content-Length", "Content-Encoding", "Transfer-Encoding"}, name) {
					t.Errorf("%s %s has the header %s", method, status, name)
				}
			}
			if method == http.MethodHead && len(response.Value.Content) > 0 {
				t.Errorf("%s %s has content", method, status)
			}
		}
	}
	var walk func(path string, schema *openapi3.Schema)
	walk = func(path string, schema *openapi3.Schema) {
		switch {
		case schema.Type.Is(openapi3.TypeNumber) && schema.Format != "double":
			t.Errorf("%s is a number without the format double: some generators take float32", path)
		case schema.Format == "time":
			t.Errorf("%s is a time, which has an offset (RFC 3339)", path)
		case slices.Contains(schema.Enum, nil) && schema.Type.Is(openapi3.TypeObject):
			t.Errorf("%s is an object that is always null: some generators want braces", path)
		}
		for name, property := range schema.Properties {
			walk(path+"."+name, property.Value)
		}
		if schema.Items != nil {
			walk(path+"[]", schema.Items.Value)
		}
	}
	for name, schema := range doc.Components.Schemas {
		walk(name, schema.Value)
	}
}

// TestErrorsAreDocumented compares the errors in the code with those in the document.
func TestErrorsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	codes := doc.Components.Schemas["ErrorResponse"].Value.Properties["error"].Value.Properties["code"].Value.Enum
	documented := map[any]bool{}
	for _, code := range codes {
		documented[code] = true
	}
	w := httptest.NewRecorder()
	server.WriteError(w, httptest.NewRequest(http.MethodGet, "/search", http.NoBody), quiet, io.ErrUnexpectedEOF)
	code, _ := reply{body: w.Body.String()}.failure(t)
	bug := &server.Error{Status: w.Code, Code: code}
	all := []error{errNotFound, errMethod, bug, errUnavailable, server.ErrOverloaded, invalidParameter(""), invalidRange(""), tooLarge(1)}
	for _, err := range all {
		var e *server.Error
		if !errors.As(err, &e) {
			t.Fatalf("%T is not an *Error", err)
		}
		if !documented[e.Code] || doc.Paths.Value("/search").Get.Responses.Status(e.Status) == nil {
			t.Errorf("%d %s is not documented", e.Status, e.Code)
		}
	}
	if len(documented) != len(all) {
		t.Errorf("%d codes are documented, there are %d", len(documented), len(all))
	}
}

// TestCheckFindsFaults breaks good responses in one place each.
func TestCheckFindsFaults(t *testing.T) {
	t.Parallel()
	const (
		event = `{"id":"0d2c9a44-6f0b-5a7e-8b1d-7a9e4c3f2b10","title":"Camela","start_date":"2021-06-30","start_time":"21:00:00",` +
			`"end_date":null,"end_time":null,"min_price":20.5,"max_price":null}`
		found   = `{"data":{"events":[` + event + `]},"error":null}`
		invalid = `{"error":{"code":"invalid_parameter","message":"no"},"data":null}`
	)
	ok := http.Header{
		"Cache-Control": {"public, max-age=60, stale-while-revalidate=0, stale-if-error=0"}, "Content-Type": {"application/json"}, "Vary": {"Accept-Encoding"},
		"X-Content-Type-Options": {"nosniff"}, "Etag": {`W/"0123456789abcdef"`},
	}
	failed := http.Header{
		"Cache-Control": {"no-store"}, "Content-Type": {"application/json"}, "X-Content-Type-Options": {"nosniff"},
	}
	notModified := ok.Clone()
	notModified.Del("Content-Type")
	options := http.Header{"Allow": {"GET, HEAD, OPTIONS"}, "X-Content-Type-Options": {"nosniff"}}

	for _, test := range []struct {
		name     string
		method   string
		status   int
		header   http.Header
		body     string
		old, new string // what is replaced in the body
		field    string // what is set in the header, "Name: value"; removed if there is no value
	}{
		{name: "not a uuid", old: "0d2c9a44-6f0b", new: "0d2c9a446f0b-"},
		{name: "a uuid in upper case", old: "0d2c9a44", new: "0D2C9A44"},
		{name: "a random uuid", old: "-5a7e-", new: "-4a7e-"},
		{name: "no title", old: `"title":"Camela",`},
		{name: "a null title", old: `"Camela"`, new: "null"},
		{name: "no max_price", old: `,"max_price":null`},
		{name: "one field more", old: `"title":`, new: `"sell_mode":"online","title":`},
		{name: "no such date", old: "2021-06-30", new: "2021-06-31"},
		{name: "a date-time", old: "2021-06-30", new: "2021-06-30T21:00:00Z"},
		{name: "no such time", old: "21:00:00", new: "24:00:00"},
		{name: "no seconds", old: "21:00:00", new: "21:00"},
		{name: "a null date", old: `"2021-06-30"`, new: "null"},
		{name: "a price as a string", old: "20.5", new: `"20.5"`},
		{name: "a negative price", old: "20.5", new: `-20.5`},
		{name: "no error", old: `,"error":null`},
		{name: "an error too", old: `"error":null`, new: `"error":{"code":"internal","message":"no"}`},
		{name: "events that are null", old: "[" + event + "]", new: "null"},
		{name: "one field more beside the events", old: `]}`, new: `],"total":1}`},
		{name: "not JSON", old: `}]`, new: `},]`},
		{name: "no body", body: " "},
		{name: "a status that is not documented", status: http.StatusTeapot},
		{name: "an error as 200", body: invalid},
		{name: "no Cache-Control", field: "Cache-Control"},
		{name: "no ETag", field: "Etag"},
		{name: "a tag for what is not kept", field: "Cache-Control: no-store"},
		{name: "a tag without quotes", field: "Etag: W/0123456789abcdef"},
		{name: "no Vary", field: "Vary"},
		{name: "no nosniff", field: "X-Content-Type-Options"},
		{name: "text", field: "Content-Type: text/plain"},
		{name: "a charset", field: "Content-Type: application/json; charset=utf-8"},
		{name: "a wrong length", field: "Content-Length: 1"},
		{name: "not compressed", field: "Content-Encoding: gzip"},
		{name: "a body for HEAD", method: http.MethodHead},
		{name: "an unknown code", status: http.StatusBadRequest, header: failed, body: invalid, old: "_parameter", new: "_thing"},
		{name: "no message", status: http.StatusBadRequest, header: failed, body: invalid, old: `,"message":"no"`},
		{name: "data beside an error", status: http.StatusBadRequest, header: failed, body: invalid, old: `"data":null`, new: `"data":{}`},
		{name: "an error that is stored", status: http.StatusBadRequest, header: failed, body: invalid, field: "Cache-Control: public"},
		{name: "405 without Allow", status: http.StatusMethodNotAllowed, header: failed, body: invalid},
		{name: "503 without Retry-After", status: http.StatusServiceUnavailable, header: failed, body: invalid},
		{name: "304 with a body", status: http.StatusNotModified, header: notModified},
		{name: "304 without a tag", status: http.StatusNotModified, header: notModified, body: "-", field: "Etag"},
		{name: "304 with a wrong tag", status: http.StatusNotModified, header: notModified, body: "-", field: `Etag: "1"`},
		{name: "304 with a type", status: http.StatusNotModified, header: notModified, body: "-", field: "Content-Type: application/json"},
		{name: "HEAD without a tag", method: http.MethodHead, body: "-", field: "Etag"},
		{name: "HEAD with a tag without quotes", method: http.MethodHead, body: "-", field: "Etag: W/0123456789abcdef"},
		{name: "HEAD of an error that is stored", method: http.MethodHead, status: http.StatusBadRequest, header: failed, body: "-", field: "Cache-Control: public"},
		{name: "OPTIONS without Allow", method: http.MethodOptions, status: http.StatusNoContent, header: options, body: "-", field: "Allow"},
		{name: "OPTIONS with another Allow", method: http.MethodOptions, status: http.StatusNoContent, header: options, body: "-", field: "Allow: GET, HEAD"},
		{name: "OPTIONS with a body", method: http.MethodOptions, status: http.StatusNoContent, header: options, body: found},
		{name: "204 to GET", status: http.StatusNoContent, header: notModified, body: "-"},
	} {
		if test.method == "" {
			test.method = http.MethodGet
		}
		if test.status == 0 {
			test.status = http.StatusOK
		}
		if test.header == nil {
			test.header = ok
		}
		if test.body == "" {
			test.body = found
		}
		if test.body == "-" {
			test.body = ""
		}
		send := func(body string, header http.Header) error {
			header = header.Clone()
			if header.Get("Content-Length") == "" && body != "" {
				header.Set("Content-Length", strconv.Itoa(len(body)))
			}
			r := request(t, test.method, "http://127.0.0.1/search", "Accept-Encoding: gzip")
			_, err := check(r, &http.Response{StatusCode: test.status, Header: header}, []byte(body))
			return err
		}
		header := test.header.Clone()
		if name, value, ok := strings.Cut(test.field, ": "); ok {
			header.Set(name, value)
		} else {
			header.Del(name)
		}
		body := strings.Replace(test.body, test.old, test.new, 1)
		if test.old != "" || test.field != "" {
			if err := send(test.body, test.header); err != nil && test.status < http.StatusMethodNotAllowed {
				t.Errorf("%s: it is wrong before the change: %v", test.name, err)
			}
		}
		if err := send(body, header); err == nil {
			t.Errorf("%s: not found by the check", test.name)
		}
	}
}
