//go:build !race

// With the race detector a sync.Pool forgets on purpose.

package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestSearchAllocates shows that an answer leaves no garbage: not of its body, in either
// coding, nor of its header, nor when there is none.
func TestSearchAllocates(t *testing.T) {
	list := many(t, 1_000)
	h := NewSearch(Search{Index: loaded(t, slices.Clone(list)...), MaxInFlight: 10, Log: quiet})
	w := &discard{header: http.Header{}}
	r := (&http.Request{Method: http.MethodGet, URL: window(list, 100, 500), Header: http.Header{}}).
		WithContext(withConnection(t.Context(), nil))
	for _, fields := range []http.Header{{}, {"Accept-Encoding": {"gzip, deflate, br"}}, {"If-None-Match": nil}} {
		r.Header = fields
		if _, ok := fields["If-None-Match"]; ok {
			fields["If-None-Match"] = []string{strings.Clone(w.header.Get("Etag"))}
		}
		allocs := testing.AllocsPerRun(100, func() {
			w.reset()
			h.ServeHTTP(w, r)
		})
		if allocs != 0 {
			t.Errorf("%v: %v allocations, want none", fields, allocs)
		}
	}
	if w.status != http.StatusNotModified {
		t.Errorf("the last status is %d", w.status)
	}
}
