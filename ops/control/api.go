// Package control is the API of a running fever for programs. Over HTTP it tells about
// jobs and providers, and starts jobs. Over the Unix socket beside the data file it also
// does the work of the commands. The package has the server and the client, and each
// message once for both.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"fever/explain"
	"fever/httpapi/server"
	"fever/index"
	"fever/ingest"
	"fever/provider"
	"fever/store"
)

// A Server has the handlers of the API.
type Server struct {
	Index    *index.Index
	Ingester *ingest.Ingester
	Store    store.Store
	// Spool makes a copy of the data file for GET /backup on the socket.
	Spool     func(context.Context) (*os.File, error)
	Documents explain.Documents    // that GET /explain reads
	Providers []*provider.Provider // read the documents that commands send over the socket
	// Draining is closed when a stop begins: from then on no job begins, and load balancers
	// should send searches elsewhere. Stopping is closed when the service accepts no more
	// searches. A nil channel is never closed.
	Draining, Stopping <-chan struct{}
	Log                *slog.Logger
}

// Routes adds the routes that the ops listener and the control socket share.
func (s *Server) Routes(mux *http.ServeMux) {
	mux.Handle("GET /providers", s.handle(s.providers))
	mux.Handle("GET /jobs", s.handle(s.jobs))
	mux.Handle("GET /explain", s.Long(longestExplained, s.handle(s.explain)))
	mux.Handle("POST /sync", s.bodiless(s.Long(longestWait, s.handle(s.sync))))
}

// SocketRoutes adds the routes of the control socket alone. With them the commands of fever
// use a data file that this process holds.
func (s *Server) SocketRoutes(mux *http.ServeMux) {
	mux.Handle("GET /events", s.Long(longestTransfer, http.HandlerFunc(s.events)))
	mux.Handle("GET /versions", s.Long(longestTransfer, http.HandlerFunc(s.versions)))
	mux.Handle("POST /snapshots", s.Long(longestTransfer, s.patient(s.handle(s.snapshot))))
	mux.Handle("POST /forget", s.bodiless(s.Long(longestWait, s.handle(s.forget))))
	mux.Handle("POST /rename", s.bodiless(s.Long(longestWait, s.handle(s.rename))))
	mux.Handle("GET /backup", s.Long(longestTransfer, http.HandlerFunc(s.backup)))
}

const (
	// longestWait is how long a request waits for the end of jobs. No sensible job takes
	// longer, whatever its limits are.
	longestWait = time.Hour
	// longestExplained bounds a look at all events.
	longestExplained = time.Minute
	// longestTransfer bounds a dump, which somebody may read page by page.
	longestTransfer = 24 * time.Hour
)

var (
	errBody     = &server.Error{Status: http.StatusBadRequest, Code: "unexpected_body", Message: "this takes no body: put everything into the query"}
	errBusy     = &server.Error{Status: http.StatusConflict, Code: "busy", Message: "a job of this provider runs already"}
	errGone     = &server.Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the client has gone"} // which nobody reads
	errLoading  = &server.Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the events are being loaded: try again in a moment"}
	errStopping = &server.Error{Status: http.StatusServiceUnavailable, Code: "stopping", Message: "the service is stopping: it begins no job, and those that run are cancelled"}
)

// unknown is the error for a provider that is not configured.
func (s *Server) unknown(name string) error {
	var known []string
	for _, status := range s.Ingester.Status() {
		known = append(known, status.Name)
	}
	return &server.Error{
		Status:  http.StatusNotFound,
		Code:    "unknown_provider",
		Message: "no provider has this name, " + name + ": there are " + strings.Join(known, ", "),
	}
}

// accepts returns an error while nothing stored may be changed.
func (s *Server) accepts() error {
	switch {
	case s.stops():
		return errStopping
	case s.Index.Snapshot() == nil: // a commit could not be published
		return errLoading
	}
	return nil
}

// stops reports whether a stop has begun. Then no job begins any more.
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

// failed returns the error that a client gets for an error of the store or the ingester. That a client has not waited
// for its answer is no fault for the log.
func (s *Server) failed(r *http.Request, err error) error {
	switch {
	case errors.Is(err, store.ErrBusy): // which names who runs it
		return &server.Error{Status: errBusy.Status, Code: errBusy.Code, Message: err.Error()}
	case errors.Is(err, ingest.ErrBusy):
		return errBusy
	case errors.Is(err, ingest.ErrClosed), s.stops():
		return errStopping
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return errGone
	case errors.As(err, new(*explain.AmbiguousError)):
		return &server.Error{Status: http.StatusUnprocessableEntity, Code: "ambiguous", Message: err.Error()}
	case errors.Is(err, store.ErrNothing):
		return &server.Error{Status: http.StatusNotFound, Code: "nothing_stored", Message: err.Error()}
	case errors.Is(err, store.ErrOtherKind):
		return &server.Error{Status: http.StatusUnprocessableEntity, Code: "other_kind", Message: err.Error()}
	}
	return err
}

// storeFailed is failed for the control socket. Its clients use the data file, so they get
// the text of the file's errors.
func (s *Server) storeFailed(r *http.Request, err error) error {
	answer, ok := errors.AsType[*server.Error](s.failed(r, err))
	if !ok {
		s.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		answer = &server.Error{Status: http.StatusInternalServerError, Code: "store", Message: err.Error()}
	}
	return answer
}

// handle returns a handler that reads the query, calls f, and sends what f returns: a status
// with data, or an error.
func (s *Server) handle(f func(*http.Request, *Query) (status int, data any, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := ParseQuery(r)
		var status int
		var data any
		if err == nil {
			status, data, err = f(r, q)
		}
		if err != nil {
			server.WriteError(w, r, s.Log, err)
			return
		}
		s.WriteJSON(w, r, status, envelope{Data: data})
	})
}

// WriteJSON sends v as JSON.
func (s *Server) WriteJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := encode(v)
	if err != nil {
		server.WriteError(w, r, s.Log, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // it fails only when the client has gone
}

// encode returns v as JSON.
func encode(v any) (*bytes.Buffer, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // people read it, and no browser takes it for HTML
	return &text, encoder.Encode(v)
}

// bodiless returns a handler that refuses requests with a body, and is h otherwise. Nobody
// can occupy a connection for as long as h may take by sending a body slowly.
func (s *Server) bodiless(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close") // or the server would read the body
			server.WriteError(w, r, s.Log, errBody)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Long returns a handler that gives h the time limit for an answer, in place of the
// server's time-outs. The context of a request ends with the limit, and also when the
// service stops accepting searches: a stop does not wait for long answers.
func (s *Server) Long(limit time.Duration, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The server reads ahead for the next request. If that timed out, the server would
		// end this request.
		const slack = 10 * time.Second // to send the error after the limit
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
