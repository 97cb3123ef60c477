package ingest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"fever/provider"
)

// One job tries a few times, over seconds: what has not passed by then is for the next
// job to find out.
const (
	usualAttempts = 3
	firstBackoff  = time.Second
	maxWait       = 30 * time.Second // between two attempts of a job
)

// fetch tries to get a snapshot, and counts in the job what that took.
//
// The waits between attempts double, with full jitter: clients that failed together
// come back apart. A provider that says when to come back is believed, if that is
// soon enough for this job.
func fetch(ctx context.Context, t *task, last provider.Validators) (*provider.Feed, error) {
	job := &t.job
	rubbish := 0
	for {
		job.Attempts++
		feed, err := t.fetch(ctx, last, t.attempt(job.Attempts, job.Bytes))
		if feed != nil {
			job.HTTPStatus = feed.HTTPStatus
			job.Bytes += feed.Bytes
		}
		if err == nil {
			return feed, nil
		}
		if isRubbish(err) {
			rubbish++
		}
		wait := rand.N(firstBackoff << job.Attempts) //nolint:gosec // jitter is no secret
		failure, ok := errors.AsType[*provider.Error](err)
		if ok {
			wait = max(wait, failure.RetryAfter)
		}
		if job.Attempts == t.attempts || rubbish > 1 || wait > maxWait || !ok || !canPass(failure) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// isRubbish reports whether something came that is no feed. That happens once; twice
// in a row it will happen again.
func isRubbish(err error) bool {
	failure, ok := errors.AsType[*provider.Error](err)
	return ok && (failure.Kind == provider.KindMalformed || failure.Kind == provider.KindDecode)
}

// canPass reports whether the same request may do better in a moment.
func canPass(failure *provider.Error) bool {
	switch failure.Kind {
	case provider.KindTimeout, provider.KindConnection, provider.KindDNS, provider.KindMalformed, provider.KindDecode:
		return true
	case provider.KindHTTPStatus:
		switch failure.HTTPStatus {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return true
		}
		return failure.HTTPStatus >= http.StatusInternalServerError
	}
	return false
}
