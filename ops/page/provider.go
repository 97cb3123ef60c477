package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fever/httpapi/server"
	"fever/ingest/sandbox"
	"fever/provider/inspect"
)

// Bounds of a document that is tried here: searches must not notice.
const (
	maxDocument = 1 << 20
	maxEntry    = 64 << 10
	maxTried    = 10_000 // events
	tryTime     = 10 * time.Second
	triedRows   = 20 // to list of each kind
)

var (
	errForm      = &server.Error{Status: http.StatusBadRequest, Code: "invalid_form", Message: "a form in multipart/form-data is needed, with the fields entry and document"}
	errTooMuch   = &server.Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: "the document may have 1 MiB here, and the entry 64 KiB: fever try takes more"}
	errTryingNow = &server.Error{Status: http.StatusServiceUnavailable, Code: "busy", Message: "another document is being tried: wait a moment"}
)

// A providerTrial is a document that somebody tries with the settings of a provider, and what
// it was read as. Nothing of it is stored, and nothing is fetched.
type providerTrial struct {
	Entry    string // the settings, in YAML
	Document string
	Number   int // the row to show; 0: none

	Trial   *inspect.Trial // what it was read as; nil: nothing was tried
	Refused *server.Error  // why nothing was tried
}

// JSON returns a value for people.
func (*providerTrial) JSON(v any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // the template does that
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err.Error()
	}
	return text.String()
}

// example is an entry that the form begins with.
const example = "format: feverup\ntimezone: Europe/Madrid\n"

// showTry shows the form to try a provider.
func (p *Page) showTry(w http.ResponseWriter, r *http.Request) {
	p.write(w, r, http.StatusOK, "provider.html", &providerTrial{Entry: example})
}

// tryProvider tries the document of the form. It answers with the page, or in JSON if the client
// does not ask for HTML.
func (p *Page) tryProvider(w http.ResponseWriter, r *http.Request) {
	t, err := readTrial(w, r)
	if err == nil {
		err = p.run(r.Context(), t)
	}
	if refused, ok := errors.AsType[*server.Error](err); ok {
		t.Refused, err = refused, nil
	}
	html := strings.Contains(r.Header.Get("Accept"), "text/html")
	switch {
	case err != nil:
		server.WriteError(w, r, p.Log, err)
	case t.Refused != nil && !html:
		server.WriteError(w, r, p.Log, t.Refused)
	case t.Refused != nil:
		p.write(w, r, t.Refused.Status, "provider.html", t)
	case html:
		p.write(w, r, http.StatusOK, "provider.html", t)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"data": t.Trial}) // it fails when the client has gone
	}
}

// readTrial reads the form. Even with an error it returns what could be read.
func readTrial(w http.ResponseWriter, r *http.Request) (*providerTrial, error) {
	t := &providerTrial{}
	r.Body = http.MaxBytesReader(w, r.Body, maxDocument+maxEntry+4<<10)
	form, err := r.MultipartReader()
	if err != nil {
		return t, errForm
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err == nil {
			err = t.take(part)
		}
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			return t, errTooMuch
		}
		if err != nil {
			if _, is := errors.AsType[*server.Error](err); is {
				return t, err
			}
			return t, errForm
		}
	}
}

// take reads one field. Of a document that is pasted and one that is a file, the one that is
// not empty counts.
func (t *providerTrial) take(part *multipart.Part) error {
	most := map[string]int{"entry": maxEntry, "document": maxDocument, "row": 10}[part.FormName()]
	text, err := io.ReadAll(io.LimitReader(part, int64(most)+1))
	switch {
	case err != nil:
		return err
	case most == 0:
		return errForm
	case len(text) > most:
		return errTooMuch
	}
	switch part.FormName() {
	case "entry":
		t.Entry = string(text)
	case "document":
		if len(text) > 0 {
			t.Document = string(text)
		}
	case "row":
		t.Number, err = strconv.Atoi(strings.TrimSpace(string(text)))
		if len(text) > 0 && (err != nil || t.Number < 1) {
			return &server.Error{Status: http.StatusBadRequest, Code: "invalid_row", Message: "row is the number of a row, from 1"}
		}
	}
	return nil
}

// run tries the document.
func (p *Page) run(ctx context.Context, t *providerTrial) error {
	select {
	case p.trying <- struct{}{}:
		defer func() { <-p.trying }()
	default:
		return errTryingNow
	}
	s, err := p.Entry([]byte(t.Entry), maxDocument)
	if err != nil {
		return &server.Error{Status: http.StatusBadRequest, Code: "invalid_entry", Message: err.Error()}
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	if t.Trial, err = tried(ctx, s, t); err != nil {
		t.Trial = &inspect.Trial{Error: err.Error()}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Trial.Error += fmt.Sprintf(" (it may take %s here, and longer with fever try)", tryTime)
	}
	return nil
}

// tried has a sandbox read the document.
func tried(ctx context.Context, s *sandbox.Sandbox, t *providerTrial) (*inspect.Trial, error) {
	doc, err := s.Provider.Read(ctx, io.NopCloser(strings.NewReader(t.Document)), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = doc.Body.Close() }() // it is in memory
	doc.MaxEvents = maxTried
	return s.Try(doc, triedRows, t.Number)
}

// write shows a page.
func (p *Page) write(w http.ResponseWriter, r *http.Request, status int, name string, v any) {
	var body bytes.Buffer
	if err := pageTemplate().ExecuteTemplate(&body, name, v); err != nil {
		p.Log.ErrorContext(r.Context(), fmt.Sprintf("the page %s cannot be shown", name), "error", err)
		http.Error(w, "the page cannot be shown: see the log", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // it fails only when the client has gone
}
