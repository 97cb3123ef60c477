package ops

import (
	_ "embed"
	"net/http"
)

// docsHTML is the page about the public API. A test compares it with the OpenAPI document.
//
//go:embed docs.html
var docsHTML []byte

// docs adds the OpenAPI document and the page about it.
func (o *Ops) docs(mux *http.ServeMux) {
	for pattern, file := range map[string]struct {
		contentType string
		body        []byte
	}{
		"GET /openapi.yaml": {"application/yaml", o.OpenAPI},
		"GET /docs":         {"text/html; charset=utf-8", docsHTML},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", file.contentType)
			_, _ = w.Write(file.body) // it fails when the client has gone
		})
	}
}
