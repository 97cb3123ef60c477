package control

import (
	"net/http"

	"fever/store"
)

// jobs lists the recorded jobs, running ones included.
func (s *Server) jobs(r *http.Request, q *Query) (status int, data any, err error) {
	filter := q.jobFilter()
	if q.Err != nil {
		return 0, nil, q.Err
	}
	limit := filter.Limit
	filter.Limit++ // one more tells whether there is a next page
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
