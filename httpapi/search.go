// Package httpapi answers searches over HTTP: the public listener with
// GET /search, and the OpenAPI document that describes it.
//
// It only reads the index, without a lock: no search waits for a provider, the store or
// a writer. It costs one step for each event that starts in its window, also for those
// that end after it, and the bytes of its answer. What a client that reads slowly holds
// of the answer is bounded, however large that is.
package httpapi

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"fever/index"
)

// Search says how searches are answered. Index is required.
type Search struct {
	Index       *index.Index  // searches get 503 until it is loaded
	MaxAge      time.Duration // for which caches may keep an answer, in whole seconds; zero: to be revalidated each time
	MaxInFlight int           // searches at once, the others get 503; zero or less: no bound
	Log         *slog.Logger  // nil: slog.Default()
}

// NewSearch returns the public handler: /search and nothing else.
func NewSearch(s Search) http.Handler {
	log := s.Log
	if log == nil {
		log = slog.Default()
	}
	seconds := strconv.FormatInt(int64(max(s.MaxAge, 0)/time.Second), 10)
	h := &searchHandler{
		index:        s.Index,
		cacheControl: []string{"public, max-age=" + seconds},
		limit:        int64(s.MaxInFlight),
		log:          log,
	}
	return newRouter("/search", h, log)
}

// searchHandler answers GET and HEAD /search.
type searchHandler struct {
	index        *index.Index
	cacheControl []string
	limit        int64
	inFlight     atomic.Int64
	log          *slog.Logger
}

func (h *searchHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.limit > 0 {
		defer h.inFlight.Add(-1)
		if h.inFlight.Add(1) > h.limit {
			writeError(w, r, h.log, errOverloaded)
			return
		}
	}
	if err := h.search(w, r); err != nil {
		writeError(w, r, h.log, err)
	}
}

// Header values that never change are shared: net/http copies the map before it
// writes it, and nothing changes a value in place.
var (
	typeJSON     = []string{"application/json"}
	codingGzip   = []string{"gzip"}
	varyEncoding = []string{"Accept-Encoding"}
)

// search answers one request, or returns an error before anything is written.
func (h *searchHandler) search(w http.ResponseWriter, r *http.Request) error {
	window, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	snapshot := h.index.Snapshot()
	if snapshot == nil {
		return errUnavailable
	}
	a := answers.Get().(*answer)
	defer a.release()
	a.prepare(snapshot, window)

	header := w.Header()
	header["Cache-Control"] = h.cacheControl
	header["Vary"] = varyEncoding
	tag := a.entityTag()
	header["Etag"] = []string{tag}
	if matches(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if wantsGzip(r.Header["Accept-Encoding"], a.size) {
		p := packers.Get().(*packer)
		defer packers.Put(p)
		if err := p.prepare(a); err != nil {
			return err
		}
		header["Content-Encoding"] = codingGzip
		send(w, r, p.size, p)
		return nil
	}
	send(w, r, a.size, a)
	return nil
}

// send writes a body of the given size. An error means that the client has gone: there
// is nobody to tell, and net/http closes the connection.
func send(w http.ResponseWriter, r *http.Request, size int, body io.WriterTo) {
	header := w.Header()
	header["Content-Type"] = typeJSON
	header["Content-Length"] = []string{strconv.Itoa(size)}
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return
	}
	_, _ = body.WriteTo(w)
}
