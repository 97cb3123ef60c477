package httpapi

import (
	"net/http"
	"testing"
)

// A gate is a handler's writer that holds the answer until it is opened.
type gate struct {
	http.ResponseWriter
	reached chan<- struct{}
	opened  <-chan struct{}
	passed  bool
}

func (g *gate) Write(b []byte) (int, error) {
	if !g.passed {
		g.passed = true
		g.reached <- struct{}{}
		<-g.opened
	}
	return g.ResponseWriter.Write(b)
}

// TestInFlight holds as many searches as there may be. It runs in a bubble, where no time
// passes: else they would count as slow readers and make room.
func TestInFlight(t *testing.T) {
	t.Parallel()
	const limit = 3
	const base = "http://127.0.0.1:8080"
	search := NewSearch(Search{Index: loaded(t, many(t, 10)...), MaxInFlight: limit, Log: quiet})
	var reached, opened chan struct{} // of the bubble
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Hold") != "" {
			w = &gate{ResponseWriter: w, reached: reached, opened: opened}
		}
		search.ServeHTTP(w, r)
	})
	inBubble(t, h, quiet, func(t *testing.T, b bubble) {
		reached, opened = make(chan struct{}), make(chan struct{})
		ask := func(method, target string) reply {
			t.Helper()
			return doWith(t, b.Client, request(t, method, base+target))
		}
		for range 2 {
			type result struct {
				reply
				err error
			}
			held := make(chan result, limit)
			for range limit {
				r := request(t, http.MethodGet, base+"/search", "X-Hold: yes")
				go func() {
					reply, err := exchange(b.Client, r)
					held <- result{reply, err}
				}()
				<-reached
			}
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				reply := ask(method, "/search?starts_at=x")
				if reply.status != http.StatusServiceUnavailable {
					t.Errorf("%s beyond the bound: %d", method, reply.status)
				}
				if method == http.MethodHead {
					continue
				}
				if code, _ := reply.failure(t); code != "overloaded" {
					t.Errorf("%s beyond the bound: %s", method, reply.body)
				}
			}
			// Nothing else is bounded.
			if reply := ask(http.MethodGet, "/other"); reply.status != http.StatusNotFound {
				t.Errorf("another path: %d", reply.status)
			}
			if reply := ask(http.MethodOptions, "/search"); reply.status != http.StatusNoContent {
				t.Errorf("OPTIONS: %d", reply.status)
			}
			for range limit {
				opened <- struct{}{}
				if got := <-held; got.err != nil || got.status != http.StatusOK || len(got.titles(t)) != 10 {
					t.Errorf("a held request got %d %s, %v", got.status, got.body, got.err)
				}
			}
			if reply := ask(http.MethodGet, "/search"); reply.status != http.StatusOK {
				t.Errorf("after they have gone: %d", reply.status)
			}
		}
	})
}
