package control

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"fever/event"
	"fever/explain"
	"fever/httpapi/server"
	"fever/provider"
	"fever/provider/feed"
	"fever/store"
)

// events sends the records for fever dump.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	q, err := ParseQuery(r)
	if err != nil {
		server.WriteError(w, r, s.Log, err)
		return
	}
	filter := q.Filter()
	if q.Err != nil {
		server.WriteError(w, r, s.Log, q.Err)
		return
	}
	stream(s, w, r, s.Store.Records(r.Context(), filter), func(record event.Record) any { return line{record.ID(), record} })
}

// versions sends those of one event: see [explain.Versions].
func (s *Server) versions(w http.ResponseWriter, r *http.Request) {
	q, err := ParseQuery(r)
	if err != nil {
		server.WriteError(w, r, s.Log, err)
		return
	}
	name, _ := q.Text("event")
	if q.Err != nil {
		server.WriteError(w, r, s.Log, q.Err)
		return
	}
	stream(s, w, r, explain.Versions(r.Context(), s.Store, name), func(v store.Version) any { return v })
}

// stream sends values as JSON, one a line, while it reads them. After an error it breaks the
// connection, so it needs no line that marks the end, as a dump does.
func stream[T any](s *Server, w http.ResponseWriter, r *http.Request, all iter.Seq2[T, error], line func(T) any) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	buffered := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	begun := false
	for one, err := range all {
		if err != nil && !begun {
			server.WriteError(w, r, s.Log, s.storeFailed(r, err))
			return
		}
		begun = true
		if err == nil {
			err = lines.Encode(line(one))
		}
		if err != nil {
			s.BreakOff(r, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		s.BreakOff(r, err)
	}
}

// snapshot imports a document. It answers when searches find its events, or it has failed.
func (s *Server) snapshot(r *http.Request, q *Query) (status int, data any, err error) {
	run := q.run()
	if run.Provider == "" {
		q.Fail("provider is missing: say whose snapshot the document is")
	}
	if q.Err != nil {
		return 0, nil, q.Err
	}
	i := slices.IndexFunc(s.Providers, func(p *provider.Provider) bool { return p.Name == run.Provider })
	if i < 0 {
		return 0, nil, s.unknown(run.Provider)
	}
	if err := s.accepts(); err != nil {
		return 0, nil, err
	}
	job, err := s.Ingester.Import(r.Context(), run.Provider, run.Force, func(ctx context.Context, progress *feed.Progress) (*feed.Document, error) {
		return s.Providers[i].Read(ctx, io.NopCloser(r.Body), progress) // the HTTP server closes the body, and reads the rest of it
	})
	if err != nil {
		return 0, nil, s.failed(r, err)
	}
	return http.StatusOK, Imported{job}, nil
}

// forget removes what is stored of a provider. It answers when searches no longer find it.
func (s *Server) forget(r *http.Request, q *Query) (status int, data any, err error) {
	f := q.forgetting()
	return s.edit(r, q, func() (any, error) { return s.Ingester.Forget(r.Context(), f) })
}

// rename moves what is stored of a provider to another name. It answers when searches find
// it under that name.
func (s *Server) rename(r *http.Request, q *Query) (status int, data any, err error) {
	names := q.renaming()
	return s.edit(r, q, func() (any, error) { return s.Ingester.Rename(r.Context(), names) })
}

// edit has do change what is stored, if that is possible now.
func (s *Server) edit(r *http.Request, q *Query, do func() (any, error)) (status int, done any, err error) {
	if err := cmp.Or(q.Err, s.accepts()); err != nil {
		return 0, nil, err
	}
	if done, err = do(); err != nil {
		return 0, nil, s.storeFailed(r, err)
	}
	return http.StatusOK, done, nil
}

// backup sends a copy of the data file. It sends the length first, so that the client
// notices when a part is missing.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	copied, err := s.Spool(r.Context())
	if err != nil {
		server.WriteError(w, r, s.Log, s.storeFailed(r, err))
		return
	}
	defer func() { _ = copied.Close() }() // which removes it
	info, err := copied.Stat()
	if err != nil {
		server.WriteError(w, r, s.Log, s.storeFailed(r, err))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	if _, err := io.Copy(w, copied); err != nil {
		s.BreakOff(r, err)
	}
}

// BreakOff breaks the connection, so that the client notices that a part is missing.
func (s *Server) BreakOff(r *http.Request, err error) {
	if r.Context().Err() == nil { // otherwise the client has gone, or the service stops
		s.Log.ErrorContext(r.Context(), "an answer broke off", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	panic(http.ErrAbortHandler)
}

// patient returns a handler that is h, but waits for the request's body for as long as more
// of it arrives.
func (s *Server) patient(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			server.WriteError(w, r, s.Log, err)
			return
		}
		// When the context of the request ends, a read that waits must end, too.
		woken := make(chan struct{})
		stop := context.AfterFunc(r.Context(), func() {
			defer close(woken)
			_ = control.SetReadDeadline(time.Now())
		})
		defer func() {
			if !stop() {
				<-woken // after this handler the connection belongs to the server
			}
		}()
		body := &patientBody{ReadCloser: r.Body, ctx: r.Context(), control: control}
		r.Body = body
		h.ServeHTTP(w, r)
		// The client may still be sending a document that was refused. If nobody read it, the
		// client would get an error of writing, and not the answer.
		if body.begun && control.Flush() == nil {
			_, _ = io.Copy(io.Discard, body) // the client stops sending when it has the answer
		}
	})
}

// longestSilence is how long no byte of a document may arrive. The document's provider can
// have no other job meanwhile.
const longestSilence = time.Minute

// A patientBody fails when no byte arrives for longestSilence.
type patientBody struct {
	io.ReadCloser
	ctx     context.Context
	control *http.ResponseController
	begun   bool // before, the client may wait for the answer 100 Continue
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
		// From here on the server reads ahead for the next request, and a time-out of that
		// would end this request.
		_ = b.control.SetReadDeadline(time.Now().Add(longestTransfer)) // a failure would have shown above
	case b.ctx.Err() != nil:
		err = b.ctx.Err() // the error of the read is only that of the deadline
	default:
		if failure, ok := errors.AsType[*net.OpError](err); ok {
			err = failure.Err // without the path of the socket before it was renamed
		}
	}
	return n, err
}
