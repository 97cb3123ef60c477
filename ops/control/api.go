// Package control is what programs ask of a running fever: what its jobs and providers
// do, over HTTP, and what the commands have it do for them over the socket beside the
// data file. Each message is here once, for the server and for the client.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"fever/httpapi/server"
	"fever/index"
	"fever/ingest"
	"fever/provider"
	"fever/store"
	"fever/store/bolt"
)

// A Server answers the requests.
type Server struct {
	Index     *index.Index
	Ingester  *ingest.Ingester
	Store     *bolt.Store
	Providers []*provider.Provider // they read the documents that are given over the socket
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

// SocketRoutes adds what only the control socket answers to: what the commands of fever
// have the process do that holds their data file.
func (s *Server) SocketRoutes(mux *http.ServeMux) {
	mux.Handle("GET /events", s.Long(longestTransfer, http.HandlerFunc(s.events)))
	mux.Handle("POST /snapshots", s.Long(longestTransfer, s.patient(s.answer(s.snapshot))))
	mux.Handle("POST /forget", s.bodiless(s.Long(longestWait, s.answer(s.forget))))
	mux.Handle("POST /rename", s.bodiless(s.Long(longestWait, s.answer(s.rename))))
	mux.Handle("GET /backup", s.Long(longestTransfer, http.HandlerFunc(s.backup)))
}

const (
	// longestWait is how long a request waits for the end of jobs: no sensible one takes
	// so long, whatever its limits are.
	longestWait = time.Hour
	// longestTransfer is for a dump that somebody reads page by page.
	longestTransfer = 24 * time.Hour
)

var (
	errBody     = &server.Error{Status: http.StatusBadRequest, Code: "unexpected_body", Message: "this takes no body: say all in the query"}
	errBusy     = &server.Error{Status: http.StatusConflict, Code: "busy", Message: "a job of this provider runs already"}
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

// accepts returns an error when nothing can be changed now.
func (s *Server) accepts() error {
	switch {
	case s.stops():
		return errStopping
	case s.Index.Snapshot() == nil: // what is committed could not be published
		return errLoading
	}
	return nil
}

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

// failed returns the answer for an error of the ingester.
func (s *Server) failed(err error) error {
	switch {
	case errors.Is(err, ingest.ErrBusy):
		return errBusy
	case errors.Is(err, ingest.ErrClosed), s.stops():
		return errStopping
	case errors.Is(err, store.ErrNothing):
		return &server.Error{Status: http.StatusNotFound, Code: "nothing_stored", Message: err.Error()}
	}
	return err
}

// storeFailed is failed on the control socket, where it concerns the client what is wrong
// with the data file.
func (s *Server) storeFailed(r *http.Request, err error) error {
	answer, ok := errors.AsType[*server.Error](s.failed(err))
	if !ok {
		s.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		answer = &server.Error{Status: http.StatusInternalServerError, Code: "store", Message: err.Error()}
	}
	return answer
}

// answer returns a handler that sends what f returns: data with its status, in the
// shape of all answers, or an error.
func (s *Server) answer(f func(*http.Request, *query) (status int, data any, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := parse(r)
		var status int
		var data any
		if err == nil {
			status, data, err = f(r, q)
		}
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
