package ingest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"fever/provider/feed"
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
func fetch(ctx context.Context, t *task, last feed.Validators) (*feed.Feed, error) {
	job := &t.job
	rubbish := 0
	for {
		job.Attempts++
		got, err := t.fetch(ctx, last, t.attempt(job.Attempts, job.Bytes))
		if got != nil {
			job.HTTPStatus = got.HTTPStatus
			job.Bytes += got.Bytes
		}
		if err == nil {
			return got, nil
		}
		if isRubbish(err) {
			rubbish++
		}
		wait := rand.N(firstBackoff << job.Attempts) //nolint:gosec // jitter is no secret
		failure, ok := errors.AsType[*feed.Error](err)
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
	failure, ok := errors.AsType[*feed.Error](err)
	return ok && (failure.Kind == feed.KindMalformed || failure.Kind == feed.KindDecode)
}

// canPass reports whether the same request may do better in a moment.
func canPass(failure *feed.Error) bool {
	switch failure.Kind {
	case feed.KindTimeout, feed.KindConnection, feed.KindDNS, feed.KindMalformed, feed.KindDecode:
		return true
	case feed.KindHTTPStatus:
		switch failure.HTTPStatus {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return true
		}
		return failure.HTTPStatus >= http.StatusInternalServerError
	}
	return false
}
