package control

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"fever/httpapi/server"
	"fever/provider"
	"fever/provider/feed"
)

// events sends the records that fever dump prints, as they are read. When it breaks off, so
// does the connection: the marks of a dump are not needed here.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	q, err := parse(r)
	if err != nil {
		server.WriteError(w, r, s.Log, err)
		return
	}
	filter := q.filter()
	if q.err != nil {
		server.WriteError(w, r, s.Log, q.err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	buffered := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	begun := false
	for record, err := range s.Store.Records(r.Context(), filter) {
		if err != nil && !begun {
			server.WriteError(w, r, s.Log, s.storeFailed(r, err))
			return
		}
		begun = true
		if err == nil {
			err = lines.Encode(line{record.ID(), record})
		}
		if err != nil {
			s.breakOff(r, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		s.breakOff(r, err)
	}
}

// snapshot takes a document, and answers when it is searchable, or has failed to be.
func (s *Server) snapshot(r *http.Request, q *query) (status int, data any, err error) {
	run := q.run()
	if run.Provider == "" {
		q.fail("provider is missing: say whose document it is")
	}
	if q.err != nil {
		return 0, nil, q.err
	}
	i := slices.IndexFunc(s.Providers, func(p *provider.Provider) bool { return p.Name == run.Provider })
	if i < 0 {
		return 0, nil, s.unknown(run.Provider)
	}
	if err := s.accepts(); err != nil {
		return 0, nil, err
	}
	job, err := s.Ingester.Import(r.Context(), run.Provider, run.Force, func(ctx context.Context, progress *feed.Progress) (*feed.Document, error) {
		return s.Providers[i].Read(ctx, io.NopCloser(r.Body), progress) // the server closes it, and reads what is left
	})
	if err != nil {
		return 0, nil, s.failed(err)
	}
	return http.StatusOK, Taken{job}, nil
}

// forget removes what is stored of a provider, and answers when searches find it no more.
func (s *Server) forget(r *http.Request, q *query) (status int, data any, err error) {
	f := q.forgetting()
	return s.edit(r, q, func() (any, error) { return s.Ingester.Forget(r.Context(), f) })
}

// rename moves what is stored of a provider to another name, and answers when searches
// find it under that.
func (s *Server) rename(r *http.Request, q *query) (status int, data any, err error) {
	names := q.renaming()
	return s.edit(r, q, func() (any, error) { return s.Ingester.Rename(r.Context(), names) })
}

// edit changes what is stored.
func (s *Server) edit(r *http.Request, q *query, do func() (any, error)) (status int, done any, err error) {
	if err := cmp.Or(q.err, s.accepts()); err != nil {
		return 0, nil, err
	}
	if done, err = do(); err != nil {
		return 0, nil, s.storeFailed(r, err)
	}
	return http.StatusOK, done, nil
}

// backup sends a copy of the data file. Its length is known before: who gets less
// knows that it is not whole.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	copied, err := s.Store.Spool(r.Context())
	if err != nil {
		server.WriteError(w, r, s.Log, s.storeFailed(r, err))
		return
	}
	defer func() { _ = copied.Close() }() // it is gone then
	info, err := copied.Stat()
	if err != nil {
		server.WriteError(w, r, s.Log, s.storeFailed(r, err))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	if _, err := io.Copy(w, copied); err != nil {
		s.breakOff(r, err)
	}
}

// breakOff ends the connection, so that nobody takes what was sent for all there is.
func (s *Server) breakOff(r *http.Request, err error) {
	if r.Context().Err() == nil { // else the client has gone, or we stop
		s.Log.ErrorContext(r.Context(), "an answer broke off", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	panic(http.ErrAbortHandler)
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

// longestSilence is how long a document may have nothing to read. The other jobs of its
// provider wait for its end.
const longestSilence = time.Minute

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
