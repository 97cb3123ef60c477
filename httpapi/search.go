// Package httpapi answers searches over HTTP: GET /search and nothing else, and the OpenAPI
// document that describes it.
//
// It only reads the index, without a lock: no search waits for a provider, the store or a
// writer. A body consists of ready bytes, in both of its content codings. What a client that
// reads slowly keeps of it in memory is bounded, however large it is.
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

// Search configures the handler of searches. Index is required.
type Search struct {
	Index       *index.Index // searches get 503 until it is loaded
	MaxInFlight int          // searches at once, the others get 503; zero or less: no bound
	MaxAnswer   int          // events of one answer, a search for more gets 400; zero or less: no bound
	Log         *slog.Logger // nil: slog.Default()

	// AllowOrigins says whose pages browsers let read the answers (Fetch, section 3.3): origins
	// such as https://events.example.com, or "*" alone for all. Empty: none but our own.
	AllowOrigins []string

	// MaxAge is how long caches may keep an answer. After that they may use it for
	// StaleWhileRevalidate while they ask again, and for StaleIfError when they get an error
	// (RFC 5861). Fractions of a second are cut off. Zero: not at all.
	MaxAge, StaleWhileRevalidate, StaleIfError time.Duration
	// Collected is set once something was collected. Until then the answer is empty, and no
	// cache may keep it. nil: it is set.
	Collected *atomic.Bool

	// For metrics; each may be nil.
	InFlight *atomic.Int64                        // the number of searches under way
	Shed     *atomic.Int64                        // counts those refused because of MaxInFlight
	Observe  func(status int, took time.Duration) // is called after the last byte of each search
}

// NewSearch returns the public handler: /search and nothing else.
func NewSearch(s Search) http.Handler { return newSearch(s, recentBytes, olderBytes) }

// newSearch is NewSearch with the bounds of [holds].
func newSearch(s Search, recent, older int64) http.Handler {
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if s.Collected == nil {
		s.Collected = new(atomic.Bool)
		s.Collected.Store(true)
	}
	s.InFlight = cmp.Or(s.InFlight, new(atomic.Int64))
	s.Shed = cmp.Or(s.Shed, new(atomic.Int64))
	seconds := func(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }
	vary := []string{"Accept-Encoding"}
	if len(s.AllowOrigins) > 0 && s.AllowOrigins[0] != anyOrigin {
		vary[0] += ", Origin"
	}
	return newRouter("/search", &searchHandler{
		Search: s,
		holds:  newHolds(s.Index, recent, older),
		vary:   vary,
		cacheControl: []string{fmt.Sprintf("public, max-age=%d, stale-while-revalidate=%d, stale-if-error=%d",
			seconds(s.MaxAge), seconds(s.StaleWhileRevalidate), seconds(s.StaleIfError))},
	}, s.AllowOrigins, s.Log)
}

// searchHandler answers GET and HEAD /search.
type searchHandler struct {
	Search
	holds              *holds
	cacheControl, vary []string
}

func (h *searchHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusInternalServerError // stays when it panics
	if h.Observe != nil {
		began := time.Now()
		defer func() { h.Observe(status, time.Since(began)) }()
	}
	defer h.InFlight.Add(-1)
	var err error
	limit := int64(h.MaxInFlight)
	if n := h.InFlight.Add(1); limit > 0 && n > limit && !server.MakeRoom(r, n, limit) {
		h.Shed.Add(1)
		status, err = server.ErrOverloaded.Status, server.ErrOverloaded
	} else {
		status, err = h.search(w, r)
	}
	if err != nil {
		server.WriteError(w, r, h.Log, err)
	}
}

// Header values that never change are shared: net/http copies the header before it writes
// it, and nobody changes a value in place.
var (
	typeJSON   = []string{"application/json"}
	codingGzip = []string{"gzip"}
	noStore    = []string{"no-store"}
)

// search answers one request and returns its status. When it returns an error it has
// written nothing.
func (h *searchHandler) search(w http.ResponseWriter, r *http.Request) (status int, err error) {
	var params params
	query, err := params.parse(r.URL.RawQuery)
	if err != nil {
		return http.StatusBadRequest, err
	}
	unlimited := query.Limit == 0
	if h.MaxAnswer > 0 {
		if query.Limit > h.MaxAnswer {
			return http.StatusBadRequest, params[limitParam].refused(fmt.Sprintf("an answer has at most %d events", h.MaxAnswer))
		}
		query.Limit = cmp.Or(query.Limit, h.MaxAnswer)
	}
	collected := h.Collected.Load() // before the snapshot, which then has what was collected
	snapshot := h.Index.Snapshot()
	if snapshot == nil {
		return errUnavailable.Status, errUnavailable
	}
	b := bodies.Get().(*body)
	defer b.release()
	snapshot.Search(query, &b.found)

	header := w.Header()
	digest := b.found.Digest
	if b.found.More {
		if unlimited {
			return http.StatusBadRequest, tooLarge(h.MaxAnswer)
		}
		last := b.found.Last()
		header["Link"] = []string{params.nextLink(&query, &last)}
		digest = ^digest // the tag says of the link, too, whether there is one
	}
	header["Vary"] = h.vary
	values := new([2]string) // of the fields that differ between answers
	tagged, sized := values[:1:1], values[1:]
	accepted, size := r.Header["Accept-Encoding"], b.size()
	packed := wantsGzip(accepted, size)
	if collected {
		header["Cache-Control"] = h.cacheControl
		tagged[0] = entityTag(digest, packed)
		header["Etag"] = tagged
		if matches(r.Header["If-None-Match"], tagged[0]) {
			w.WriteHeader(http.StatusNotModified)
			return http.StatusNotModified, nil
		}
	} else {
		header["Cache-Control"] = noStore
	}
	header["Content-Type"] = typeJSON
	pieces := b.plainPieces
	if packed {
		// Titles in scripts that the code does not fit can come out larger.
		if smaller := b.sizePacked(); smaller < size || wantsGzip(accepted, 0) {
			header["Content-Encoding"] = codingGzip
			pieces, size = b.packedPieces, smaller
		} else {
			packed = false
			if collected {
				tagged[0] = entityTag(digest, false)
			}
		}
	}
	sized[0] = strconv.Itoa(size)
	header["Content-Length"] = sized
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return http.StatusOK, nil
	}
	if size > pieceSize || !packed { // else no segment is needed once it is compressed
		if held := b.found.Held(); held > smallHold {
			h.holds.add(r, hold{b.found.Replaced, held})
			defer h.holds.remove(r)
		}
	}
	b.unsent = true // stays when sending panics, or the client has gone: nobody is left to tell
	b.unsent = server.SendBody(w, size, pieces) != nil
	return http.StatusOK, nil
}
