// Package control is what programs ask of a running fever: what its jobs and providers
// do, over HTTP, and what the commands have it do for them over the socket beside the
// data file. The messages are here once, for the server and for the client.
package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"fever/event"
	"fever/httpapi/server"
	"fever/index"
	"fever/ingest"
	"fever/provider"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
)

const (
	// longestTransfer is for a dump that somebody reads page by page.
	longestTransfer = 24 * time.Hour
	// longestSilence is how long a document may have nothing to read. The other jobs of
	// its provider wait for its end.
	longestSilence = time.Minute
)

var errBusy = &server.Error{Status: http.StatusConflict, Code: "busy", Message: "a job of this provider runs already"}

// A Server answers those who ask.
type Server struct {
	Index    *index.Index
	Ingester *ingest.Ingester
	Store    *bolt.Store
	// Draining is closed when no more jobs begin and searches are to be sent elsewhere,
	// and Stopping when they are no longer accepted; nil: never.
	Draining, Stopping <-chan struct{}
	Log                *slog.Logger
}

// Routes adds what the ops listener and the control socket both answer to.
func (s *Server) Routes(mux *http.ServeMux) {
	mux.Handle("GET /providers", s.answer(s.providers))
	mux.Handle("GET /jobs", s.answer(s.jobs))
	mux.Handle("POST /sync", s.bodiless(s.Long(longestWait, s.answer(s.sync))))
}

// A control has what only the control socket answers to.
type control struct {
	*Server
	readers map[string]*provider.Provider // by name
}

// SocketRoutes adds what only the control socket answers to: what the commands of fever
// do by way of a server that holds their data file. Documents that it is given are read
// as those of the providers.
func (s *Server) SocketRoutes(mux *http.ServeMux, providers []*provider.Provider) {
	c := &control{Server: s, readers: make(map[string]*provider.Provider)}
	for _, p := range providers {
		c.readers[p.Name] = p
	}
	mux.Handle("GET /events", s.Long(longestTransfer, http.HandlerFunc(c.events)))
	mux.Handle("POST /snapshots", s.Long(longestTransfer, s.patient(s.answer(c.snapshot))))
	mux.Handle("POST /forget", s.bodiless(s.Long(longestWait, s.answer(c.forget))))
	mux.Handle("POST /rename", s.bodiless(s.Long(longestWait, s.answer(c.rename))))
	mux.Handle("GET /backup", s.Long(longestTransfer, http.HandlerFunc(c.backup)))
}

// events sends the records that fever dump prints, as they are read. When it breaks off, so
// does the connection: the marks of a dump are not needed here.
func (c *control) events(w http.ResponseWriter, r *http.Request) {
	filter, err := eventFilter(r)
	if err != nil {
		server.WriteError(w, r, c.Log, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	buffered := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	begun := false
	for record, err := range c.Store.Records(r.Context(), filter) {
		if err != nil && !begun {
			c.refuse(w, r, err)
			return
		}
		begun = true
		if err == nil {
			err = lines.Encode(struct {
				ID uuid.UUID `json:"id"`
				event.Record
			}{record.ID(), record})
		}
		if err != nil {
			c.breakOff(r, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		c.breakOff(r, err)
	}
}

// eventFilter reads the parameters of /events: those of a search, and two more.
func eventFilter(r *http.Request) (store.Filter, error) {
	q, err := parse(r)
	if err != nil {
		return store.Filter{}, err
	}
	f := store.Filter{Provider: q.provider(), Window: event.Always, Limit: int(q.number("limit", 0, 0, maxID))}
	if from, given := q.instant("starts_at"); given {
		f.Window.From = from.Ceil()
	}
	if to, given := q.instant("ends_at"); given {
		f.Window.To = to.Floor()
	}
	return f, q.err
}

// instant returns the moment in a parameter, and whether it is there.
func (q *query) instant(name string) (at event.Instant, given bool) {
	text, given := q.text(name)
	if !given {
		return at, false
	}
	at, err := event.ParseInstant(text)
	if err != nil {
		q.fail("%s is %.40q: %v; write it like 2021-06-30T21:00:00Z", name, text, err)
	}
	return at, true
}

// patient returns a handler that answers as h does, and waits for a body as long as
// more of it comes.
func (s *Server) patient(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			server.WriteError(w, r, s.Log, err)
			return
		}
		// Who waits for more when the request's time is over is not to wait longer.
		woken := make(chan struct{})
		stop := context.AfterFunc(r.Context(), func() {
			defer close(woken)
			_ = control.SetReadDeadline(time.Now())
		})
		defer func() {
			if !stop() {
				<-woken // the connection is not to be touched when this returns
			}
		}()
		body := &patientBody{ReadCloser: r.Body, ctx: r.Context(), control: control}
		r.Body = body
		h.ServeHTTP(w, r)
		// A document that is refused half-way may still be on its way. If nobody took it,
		// the client would learn that, and not the answer.
		if body.begun && control.Flush() == nil {
			_, _ = io.Copy(io.Discard, body) // it ends when the client has the answer, too
		}
	})
}

// A patientBody ends with an error when nothing comes for too long.
type patientBody struct {
	io.ReadCloser
	ctx     context.Context
	control *http.ResponseController
	begun   bool // before, a client may wait for leave to send it
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.begun = true
	if err := b.control.SetReadDeadline(time.Now().Add(longestSilence)); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		// From here on the server waits for the next request. When its patience with
		// that ends, it ends this one.
		_ = b.control.SetReadDeadline(time.Now().Add(longestTransfer)) // it could be set a moment ago
	case b.ctx.Err() != nil:
		err = b.ctx.Err() // that of the read says how it was woken
	default:
		if failure, ok := errors.AsType[*net.OpError](err); ok {
			err = failure.Err // without a path that the socket no longer has
		}
	}
	return n, err
}

// snapshot takes a document, and answers when it is searchable, or has failed to be.
func (c *control) snapshot(r *http.Request) (status int, data any, err error) {
	q, err := parse(r)
	if err != nil {
		return 0, nil, err
	}
	name, force := q.provider(), q.oneOf("force", "0", "1") == "1"
	if name == "" {
		q.fail("provider is missing: say whose document it is")
	}
	p := c.readers[name]
	switch {
	case q.err != nil:
		return 0, nil, q.err
	case p == nil:
		return 0, nil, c.unknown(name)
	case c.stops():
		return 0, nil, errStopping
	case c.Index.Snapshot() == nil: // what is committed could not be published
		return 0, nil, errLoading
	}
	job, err := c.Ingester.Import(r.Context(), name, force, func(ctx context.Context, progress *feed.Progress) (*feed.Document, error) {
		return p.Read(ctx, io.NopCloser(r.Body), progress) // the server closes it, and reads what is left
	})
	switch {
	case errors.Is(err, ingest.ErrBusy):
		return 0, nil, errBusy
	case err != nil && c.stops():
		return 0, nil, errStopping
	case err != nil:
		return 0, nil, err
	}
	return http.StatusOK, Taken{job}, nil
}

// backup sends a copy of the data file. Its length is known before: who gets less
// knows that it is not whole.
func (c *control) backup(w http.ResponseWriter, r *http.Request) {
	copied, err := c.Store.Spool(r.Context())
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	defer func() { _ = copied.Close() }() // it is gone then
	info, err := copied.Stat()
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	if _, err := io.Copy(w, copied); err != nil {
		c.breakOff(r, err)
	}
}

// refuse answers with what is wrong with the data file: here it concerns who asks.
func (c *control) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if c.stops() {
		server.WriteError(w, r, c.Log, errStopping)
		return
	}
	server.WriteError(w, r, c.Log, c.storeFailed(r, err))
}

// storeFailed is the answer when the data file could not be used.
func (c *control) storeFailed(r *http.Request, err error) error {
	c.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	return &server.Error{Status: http.StatusInternalServerError, Code: "store", Message: err.Error()}
}

// breakOff ends the connection, so that nobody takes what was sent for all there is.
func (c *control) breakOff(r *http.Request, err error) {
	if r.Context().Err() == nil { // else the client has gone, or we stop
		c.Log.ErrorContext(r.Context(), "an answer broke off", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	panic(http.ErrAbortHandler)
}

var errBody = &server.Error{Status: http.StatusBadRequest, Code: "unexpected_body", Message: "this takes no body: say all in the query"}

// stops reports whether the service has begun to stop: it begins no job any more.
func (s *Server) stops() bool {
	select {
	case <-s.Draining:
		return true
	case <-s.Stopping:
		return true
	default:
		return false
	}
}

// bodiless returns a handler that answers as h does to requests without a body: nobody is
// to hold a connection for as long as h may take by sending one slowly.
func (s *Server) bodiless(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close") // else the server would read it
			server.WriteError(w, r, s.Log, errBody)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Long returns a handler that has limit for its answer, whatever the server's time-outs
// are. The context of its requests also ends when the service begins to stop, which is
// not to wait for it.
func (s *Server) Long(limit time.Duration, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The server waits for the next request meanwhile. When its patience with that
		// ends, it would end this one.
		const slack = 10 * time.Second // to say that it took too long
		deadline := time.Now().Add(limit + slack)
		control := http.NewResponseController(w)
		if err := errors.Join(control.SetReadDeadline(deadline), control.SetWriteDeadline(deadline)); err != nil {
			server.WriteError(w, r, s.Log, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		go func() {
			select {
			case <-s.Stopping:
				cancel()
			case <-ctx.Done():
			}
		}()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// answer returns a handler that sends what f returns: data with its status, in the
// shape of all answers, or an error.
func (s *Server) answer(f func(*http.Request) (status int, data any, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, data, err := f(r)
		if err != nil {
			server.WriteError(w, r, s.Log, err)
			return
		}
		s.WriteJSON(w, r, status, answer{Data: data})
	})
}

// WriteJSON sends v.
func (s *Server) WriteJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := encode(v)
	if err != nil {
		server.WriteError(w, r, s.Log, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // it fails when the client has gone: there is nobody to tell
}

// encode returns v as it is sent.
func encode(v any) (*bytes.Buffer, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // it is sent as JSON, and read by people
	return &text, encoder.Encode(v)
}
