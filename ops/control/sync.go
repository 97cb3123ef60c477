package control

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"fever/httpapi/server"
	"fever/ingest"
	"fever/store"
)

// sync begins a job of one provider, or of each that has none under way. With wait it
// answers when the jobs have ended.
func (s *Server) sync(r *http.Request, q *Query) (status int, data any, err error) {
	run := q.run()
	if err := cmp.Or(q.Err, s.accepts()); err != nil {
		return 0, nil, err
	}
	names := []string{run.Provider}
	if run.Provider == "" {
		names = nil
		for _, status := range s.Ingester.Status() {
			names = append(names, status.Name)
		}
	}

	result := Synced{Jobs: []store.Job{}, Busy: []string{}}
	var ends []<-chan store.Job
	var busy []string // what is said of those
	for _, name := range names {
		job, ended, err := s.Ingester.Start(r.Context(), name, store.Manual, run.Force)
		switch {
		case errors.Is(err, ingest.ErrUnknown):
			return 0, nil, s.unknown(name)
		case errors.Is(err, ingest.ErrClosed):
			return 0, nil, errStopping
		case errors.Is(err, ingest.ErrBusy):
			result.Busy = append(result.Busy, name)
			if errors.Is(err, store.ErrBusy) { // it names who runs the job
				name = err.Error()
			}
			busy = append(busy, name)
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
			Message: "a job runs already: " + strings.Join(busy, ", "),
		}
	}
	if !run.Wait {
		return http.StatusAccepted, result, nil
	}
	return s.await(r.Context(), result, ends)
}

// await replaces the jobs by their final records. If the jobs take too long, the status of
// the answer is 202.
func (s *Server) await(ctx context.Context, result Synced, ends []<-chan store.Job) (status int, data any, err error) {
	for i, ended := range ends {
		select {
		case job, ok := <-ended:
			switch {
			case !ok && s.stops(): // the job never ran
				return 0, nil, errStopping
			case !ok: // while it waited for a worker another process began one
				return 0, nil, errBusy
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
