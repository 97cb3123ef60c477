package control

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"fever/httpapi/server"
	"fever/ingest"
	"fever/store"
)

// longestWait is how long a request waits for the end of jobs: no sensible one takes
// so long, whatever its limits are.
const longestWait = time.Hour

var (
	errLoading  = &server.Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the events are being loaded: try again in a moment"}
	errStopping = &server.Error{Status: http.StatusServiceUnavailable, Code: "stopping", Message: "the service is stopping: it begins no job, and those that run are cancelled"}
)

// sync begins a job of one provider, or of all that have none under way, and waits for
// their ends if it is asked to.
func (s *Server) sync(r *http.Request) (status int, data any, err error) {
	q, err := parse(r)
	if err != nil {
		return 0, nil, err
	}
	name, wait, force := q.provider(), q.oneOf("wait", "0", "1") == "1", q.oneOf("force", "0", "1") == "1"
	switch {
	case q.err != nil:
		return 0, nil, q.err
	case s.stops():
		return 0, nil, errStopping
	case s.Index.Snapshot() == nil: // what is committed could not be published
		return 0, nil, errLoading
	}
	names := []string{name}
	if name == "" {
		names = nil
		for _, status := range s.Ingester.Status() {
			names = append(names, status.Name)
		}
	}

	result := Synced{Jobs: []store.Job{}, Busy: []string{}}
	var ends []<-chan store.Job
	for _, name := range names {
		job, ended, err := s.Ingester.Start(r.Context(), name, store.Manual, force)
		switch {
		case errors.Is(err, ingest.ErrUnknown):
			return 0, nil, s.unknown(name)
		case errors.Is(err, ingest.ErrClosed):
			return 0, nil, errStopping
		case errors.Is(err, ingest.ErrBusy):
			result.Busy = append(result.Busy, name)
		case err != nil:
			return 0, nil, err
		default:
			result.Jobs = append(result.Jobs, job)
			ends = append(ends, ended)
		}
	}
	if len(ends) == 0 && len(result.Busy) > 0 {
		return 0, nil, &server.Error{
			Status: http.StatusConflict, Code: "busy",
			Message: "a job runs already: " + strings.Join(result.Busy, ", "),
		}
	}
	if !wait {
		return http.StatusAccepted, result, nil
	}
	return s.await(r.Context(), result, ends)
}

// await replaces the jobs by their final records. If they take too long the answer is
// that they were accepted.
func (s *Server) await(ctx context.Context, result Synced, ends []<-chan store.Job) (status int, data any, err error) {
	for i, ended := range ends {
		select {
		case job, ok := <-ended:
			if !ok { // it never ran
				return 0, nil, errStopping
			}
			result.Jobs[i] = job
		case <-ctx.Done():
			if s.stops() {
				return 0, nil, errStopping
			}
			return http.StatusAccepted, result, nil
		}
	}
	return http.StatusOK, result, nil
}
