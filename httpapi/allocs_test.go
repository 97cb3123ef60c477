//go:build !race

// With the race detector a sync.Pool forgets on purpose.

package httpapi

import (
	"net/http"
	"slices"
	"testing"
)

// TestSearchAllocates shows that a search allocates three small values for its header, whatever
// it finds and in either coding: the entity tag, the length, and the two fields that hold them.
func TestSearchAllocates(t *testing.T) {
	const most = 3
	list := many(t, 5_000)
	h := NewSearch(Search{Index: loaded(t, slices.Clone(list)...), MaxInFlight: 10, Log: quiet})
	w := &discard{header: http.Header{}}
	r := &http.Request{Method: http.MethodGet}
	for _, events := range []int{5, 500, 4_000} {
		r.URL = window(list, 100, events)
		for _, fields := range []http.Header{{}, {"Accept-Encoding": {"gzip, deflate, br"}}, {"If-None-Match": nil}} {
			r.Header = fields
			if _, ok := fields["If-None-Match"]; ok {
				fields["If-None-Match"] = w.header["Etag"]
			}
			allocs := testing.AllocsPerRun(100, func() {
				w.reset()
				h.ServeHTTP(w, r)
			})
			if allocs > most {
				t.Errorf("%d events, %v: %v allocations, want at most %d", events, fields, allocs, most)
			}
			t.Logf("%d events, %v: %v allocations", events, fields, allocs)
		}
		if w.status != http.StatusNotModified {
			t.Errorf("the last status is %d", w.status)
		}
	}
}
