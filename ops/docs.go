package ops

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"fever/httpapi/server"
)

//go:embed docs.html
var docsHTML string

var docsTemplate = template.Must(template.New("docs").Funcs(template.FuncMap{
	"prose":  prose,
	"fields": fields,
	"kind":   kindOf,
	"anchor": anchor,
	"upper":  strings.ToUpper,
}).Parse(docsHTML))

// openAPI answers with the document of the public API.
func (o *Ops) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(o.OpenAPI) // it fails when the client has gone
}

// docs answers with the same document as a page for people, which it renders once.
func (o *Ops) docs() http.HandlerFunc {
	rendered := sync.OnceValues(func() ([]byte, error) { return docsPage(o.OpenAPI) })
	return func(w http.ResponseWriter, r *http.Request) {
		page, err := rendered()
		if err != nil {
			server.WriteError(w, r, o.Log, err)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page) // it fails when the client has gone
	}
}

// docsPage renders an OpenAPI document.
func docsPage(text []byte) ([]byte, error) {
	var doc document
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	doc.resolve()
	var page bytes.Buffer
	if err := docsTemplate.Execute(&page, &doc); err != nil {
		return nil, fmt.Errorf("render the OpenAPI document: %w", err)
	}
	return page.Bytes(), nil
}

// A phrase is a piece of a paragraph.
type phrase struct {
	Text string
	Code bool
}

// prose takes a description apart: an empty line ends a paragraph, and code stands
// between backquotes.
func prose(text string) (paragraphs [][]phrase) {
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var phrases []phrase
		for i, piece := range strings.Split(p, "`") {
			if piece != "" {
				phrases = append(phrases, phrase{piece, i%2 == 1})
			}
		}
		paragraphs = append(paragraphs, phrases)
	}
	return paragraphs
}
