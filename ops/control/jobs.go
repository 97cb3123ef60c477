package control

import (
	"net/http"

	"fever/store"
)

// Bounds of one page of jobs. One job with its rejections can be of 150 KiB, so a page
// may be at its end before it has as many as were asked for: next counts, not the
// number of jobs.
const (
	usualJobs = 50
	mostJobs  = 1000
	pageBytes = 4 << 20
)

// jobs lists what is recorded of jobs, running ones included.
func (s *Server) jobs(r *http.Request) (status int, data any, err error) {
	q, err := parse(r)
	if err != nil {
		return 0, nil, err
	}
	filter := store.JobFilter{
		Provider: q.provider(),
		State:    store.State(q.oneOf("state", string(store.Pending), string(store.Running), string(store.Completed), string(store.Failed))),
		Before:   q.number("before", 0, 1, maxID),
	}
	if filter.State == store.Pending {
		q.fail("state is pending: a job that waits for a worker has no record yet; /providers says whose does")
	}
	limit := int(q.number("limit", usualJobs, 1, mostJobs))
	if q.err != nil {
		return 0, nil, q.err
	}
	filter.Limit = limit + 1 // one more shows whether there are more

	page := Jobs{Jobs: []store.Job{}}
	size, last := 0, uint64(0)
	for job, err := range s.Store.Jobs(r.Context(), filter) {
		if err != nil {
			return 0, nil, err
		}
		if len(page.Jobs) == limit || size >= pageBytes {
			page.Next = &last
			break
		}
		text, err := encode(job)
		if err != nil {
			return 0, nil, err
		}
		page.Jobs = append(page.Jobs, job)
		size, last = size+text.Len(), job.ID
	}
	return http.StatusOK, page, nil
}
