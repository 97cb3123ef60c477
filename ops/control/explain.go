package control

import (
	"context"
	"net/http"
	"net/url"

	"fever/explain"
)

// Explanation is the query of GET /explain. Its answer is an [explain.Answer].
type Explanation struct {
	Event                   string // as [explain.Explain] takes it
	StartsAt, EndsAt, Match string // of a search, as [explain.ParseSearch] takes them
}

func (e Explanation) values() url.Values {
	return values("event", e.Event, "starts_at", e.StartsAt, "ends_at", e.EndsAt, "match", e.Match)
}

func (s *Server) explain(r *http.Request, q *Query) (status int, data any, err error) {
	event, _ := q.Text("event")
	if event == "" {
		q.Fail("event is missing: say an id, provider/base id/event id, or a part of a title")
	}
	text := func(name string) string {
		text, _ := q.Text(name)
		return text
	}
	search, err := explain.ParseSearch(text("starts_at"), text("ends_at"), text("match"))
	if err != nil {
		q.Fail("%v", err)
	}
	if q.Err != nil {
		return 0, nil, q.Err
	}
	answer, err := explain.Explain(r.Context(), s.Store, &s.Documents, event, search)
	if err != nil {
		return 0, nil, s.failed(r, err)
	}
	return http.StatusOK, answer, nil
}

// Explain has the server answer as [explain.Explain] does.
func (c *Client) Explain(ctx context.Context, e Explanation) (answer explain.Answer, err error) {
	err = c.ask(ctx, http.MethodGet, "/explain", e.values(), nil, &answer)
	return answer, err
}
