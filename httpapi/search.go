// Package httpapi answers searches over HTTP: the public listener with
// GET /search, and the OpenAPI document that describes it.
//
// It only reads the index, without a lock: no search waits for a provider, the store or
// a writer. An answer is put together from ready bytes, in both of its content codings.
// What a client that reads slowly holds of it is bounded, however large it is.
package httpapi

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"fever/httpapi/server"
	"fever/index"
)

// Search says how searches are answered. Index is required.
type Search struct {
	Index       *index.Index // searches get 503 until it is loaded
	MaxInFlight int          // searches at once, the others get 503; zero or less: no bound
	Log         *slog.Logger // nil: slog.Default()

	// For how long caches may keep an answer, and then may still use it while they ask anew,
	// and when they get none (RFC 5861). In whole seconds, what is left is cut off; zero: not
	// at all.
	MaxAge, StaleWhileRevalidate, StaleIfError time.Duration
	// Collected is set once there was something to collect: until then an answer, which is
	// empty, is not to be kept by anybody. nil: it is set.
	Collected *atomic.Bool

	// For those who watch; each may be nil.
	InFlight *atomic.Int64                        // is kept at the number of searches under way
	Shed     *atomic.Int64                        // counts those refused because of MaxInFlight
	Observe  func(status int, took time.Duration) // is told of each search when its last byte is written
}

// NewSearch returns the public handler: /search and nothing else.
func NewSearch(s Search) http.Handler { return newSearch(s, recentBytes, olderBytes) }

// newSearch is NewSearch with the bounds of [holds].
func newSearch(s Search, recent, older int64) http.Handler {
	log := s.Log
	if log == nil {
		log = slog.Default()
	}
	collected := s.Collected
	if collected == nil {
		collected = new(atomic.Bool)
		collected.Store(true)
	}
	h := &searchHandler{
		index:     s.Index,
		collected: collected,
		holds:     newHolds(s.Index, recent, older),
		cacheControl: []string{fmt.Sprintf("public, max-age=%d, stale-while-revalidate=%d, stale-if-error=%d",
			seconds(s.MaxAge), seconds(s.StaleWhileRevalidate), seconds(s.StaleIfError))},
		limit:    int64(s.MaxInFlight),
		inFlight: cmp.Or(s.InFlight, new(atomic.Int64)),
		shed:     cmp.Or(s.Shed, new(atomic.Int64)),
		observe:  s.Observe,
		log:      log,
	}
	return newRouter("/search", h, log)
}

func seconds(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }

// searchHandler answers GET and HEAD /search.
type searchHandler struct {
	index        *index.Index
	holds        *holds
	collected    *atomic.Bool
	cacheControl []string
	limit        int64
	inFlight     *atomic.Int64
	shed         *atomic.Int64
	observe      func(status int, took time.Duration)
	log          *slog.Logger
}

func (h *searchHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusInternalServerError // stays when it panics
	if h.observe != nil {
		began := time.Now()
		defer func() { h.observe(status, time.Since(began)) }()
	}
	defer h.inFlight.Add(-1)
	if n := h.inFlight.Add(1); h.limit > 0 && n > h.limit && !server.MakeRoom(r, n, h.limit) {
		h.shed.Add(1)
		status = server.ErrOverloaded.Status
		server.WriteError(w, r, h.log, server.ErrOverloaded)
		return
	}
	var err error
	if status, err = h.search(w, r); err != nil {
		server.WriteError(w, r, h.log, err)
	}
}

// Header values that never change are shared: net/http copies the map before it
// writes it, and nothing changes a value in place.
var (
	typeJSON     = []string{"application/json"}
	codingGzip   = []string{"gzip"}
	varyEncoding = []string{"Accept-Encoding"}
	noStore      = []string{"no-store"}
)

// search answers one request and returns its status, with an error if nothing is
// written yet.
func (h *searchHandler) search(w http.ResponseWriter, r *http.Request) (status int, err error) {
	window, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return http.StatusBadRequest, err
	}
	collected := h.collected.Load() // before the snapshot, which then has what was collected
	snapshot := h.index.Snapshot()
	if snapshot == nil {
		return errUnavailable.Status, errUnavailable
	}
	b := bodies.Get().(*body)
	defer b.release()
	snapshot.Search(window, &b.found)

	header := w.Header()
	header["Vary"] = varyEncoding
	accepted, size := r.Header["Accept-Encoding"], b.size()
	packed := wantsGzip(accepted, size)
	if collected {
		header["Cache-Control"] = h.cacheControl
		tag := entityTag(b.found.Digest, packed)
		header["Etag"] = []string{tag}
		if matches(r.Header["If-None-Match"], tag) {
			w.WriteHeader(http.StatusNotModified)
			return http.StatusNotModified, nil
		}
	} else {
		header["Cache-Control"] = noStore
	}
	header["Content-Type"] = typeJSON
	pieces := b.plain
	if packed {
		// Titles in scripts that the code is not made for can come out larger.
		if smaller := b.sizePacked(); smaller < size || wantsGzip(accepted, 0) {
			header["Content-Encoding"] = codingGzip
			pieces, size = b.packed, smaller
		} else {
			packed = false
			if collected {
				header["Etag"] = []string{entityTag(b.found.Digest, false)}
			}
		}
	}
	header["Content-Length"] = []string{strconv.Itoa(size)}
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return http.StatusOK, nil
	}
	if size > pieceSize || !packed { // else it is compressed by the time it is sent
		if held := b.found.Held(); held > smallHold {
			h.holds.add(r, hold{b.found.Replaced, held})
			defer h.holds.remove(r)
		}
	}
	b.unsent = true // stays when sending panics, or the client has gone: nobody is left to tell
	b.unsent = server.SendBody(w, size, pieces) != nil
	return http.StatusOK, nil
}
