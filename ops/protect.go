package ops

import (
	"net/http"

	"fever/httpapi/server"
)

// policy is for pages that have all they need in this binary.
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

// protect returns a handler that answers as h does, and can be on a browser's way to
// somewhere else: no page of another site can have it do something, or look into it.
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

// strict returns a handler with the routes of mux, which refuses all others in the
// shape of the other errors.
func (o *Ops) strict(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var refused refusal
		h.ServeHTTP(&refused, r)
		err := errNotFound
		if allow := refused.Header().Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			err = &server.Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: "this path answers to " + allow}
		}
		server.WriteError(w, r, o.Log, err)
	})
}

// A refusal takes the answer of a mux to what it has no route for.
type refusal struct{ header http.Header }

func (f *refusal) Header() http.Header {
	if f.header == nil {
		f.header = make(http.Header)
	}
	return f.header
}

func (f *refusal) Write(b []byte) (int, error) { return len(b), nil }

func (f *refusal) WriteHeader(int) {}
