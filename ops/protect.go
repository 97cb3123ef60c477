package ops

import (
	"net/http"

	"fever/httpapi/server"
)

// policy is for pages whose files are all in this binary.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

var (
	errCrossOrigin = &server.Error{
		Status:  http.StatusForbidden,
		Code:    "cross_origin",
		Message: "a page of another site asked for this: what changes something can be asked for by the pages here, and by programs",
	}
	errNotFound = &server.Error{Status: http.StatusNotFound, Code: "not_found", Message: "there is nothing here: / has the way to all that there is"}
)

// protect returns a handler that is h, but safe from pages of other sites that are open in
// the same browser: they can neither make it do something nor read its answers.
func (o *Ops) protect(h http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.WriteError(w, r, o.Log, errCrossOrigin)
	}))
	h = origins.Handler(h)
	return server.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	}), o.Log)
}

// strict returns a handler with the routes of mux. Its errors for other paths and methods
// have the shape of all errors.
func (o *Ops) strict(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var refused noRoute
		h.ServeHTTP(&refused, r)
		err := errNotFound
		if allow := refused.Header().Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			err = &server.Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: "this path answers to " + allow}
		}
		server.WriteError(w, r, o.Log, err)
	})
}

// A noRoute takes the answer of a mux to a request without a route, for its header.
type noRoute struct{ header http.Header }

func (n *noRoute) Header() http.Header {
	if n.header == nil {
		n.header = make(http.Header)
	}
	return n.header
}

func (n *noRoute) Write(b []byte) (int, error) { return len(b), nil }

func (n *noRoute) WriteHeader(int) {}
