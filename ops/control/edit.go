package control

import (
	"errors"
	"net/http"

	"fever/httpapi/server"
	"fever/ingest"
	"fever/store"
)

// forget removes what is stored of a provider, and answers when searches find it no more.
func (c *control) forget(r *http.Request) (status int, data any, err error) {
	q, err := parse(r)
	if err != nil {
		return 0, nil, err
	}
	f := store.Forgetting{Provider: q.required("provider"), DryRun: q.oneOf("dry_run", "0", "1") == "1"}
	if text, given := q.text("gone_before"); given {
		if f.GoneBefore, err = store.ParseCutoff(text); err != nil {
			q.fail("gone_before: %v", err)
		}
	}
	if err := c.mayEdit(q); err != nil {
		return 0, nil, err
	}
	done, err := c.Ingester.Forget(r.Context(), f)
	if err != nil {
		return 0, nil, c.notEdited(r, err)
	}
	return http.StatusOK, done, nil
}

// rename moves what is stored of a provider to another name, and answers when searches
// find it under that.
func (c *control) rename(r *http.Request) (status int, data any, err error) {
	q, err := parse(r)
	if err != nil {
		return 0, nil, err
	}
	names := store.Renaming{From: q.required("from"), To: q.required("to"), DryRun: q.oneOf("dry_run", "0", "1") == "1"}
	if names.From == names.To {
		q.fail("from and to are the same name")
	}
	if err := c.mayEdit(q); err != nil {
		return 0, nil, err
	}
	done, err := c.Ingester.Rename(r.Context(), names)
	if err != nil {
		return 0, nil, c.notEdited(r, err)
	}
	return http.StatusOK, done, nil
}

// mayEdit says what is in the way of a change of what is stored.
func (c *control) mayEdit(q *query) error {
	switch {
	case q.err != nil:
		return q.err
	case c.stops():
		return errStopping
	case c.Index.Snapshot() == nil: // what is committed could not be published
		return errLoading
	}
	return nil
}

// notEdited is the answer when what is stored could not be changed.
func (c *control) notEdited(r *http.Request, err error) error {
	switch {
	case errors.Is(err, ingest.ErrBusy):
		return errBusy
	case c.stops():
		return errStopping
	case errors.Is(err, store.ErrNothing):
		return &server.Error{Status: http.StatusNotFound, Code: "nothing_stored", Message: err.Error()}
	}
	return c.storeFailed(r, err)
}
