package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fever/archive"
	"fever/provider/feed"
	"fever/store"
)

// This file is the life of a job, in the order in which it happens: somebody asks for it,
// it claims its provider, waits for a worker, begins, gets the feed, commits what changed,
// publishes that, and ends.

// RunNow runs one job of the named provider as soon as a worker is free, and returns its
// record. With force the feed is fetched, decoded and applied even if it has not changed or
// is suspect. A failure of the job is in the record; it has changed neither the other data
// in the store nor what is published. The error is ErrUnknown, ErrBusy, ErrClosed, or that
// of a context that ended before the job began.
func (g *Ingester) RunNow(ctx context.Context, name string, trigger store.Trigger, force bool) (store.Job, error) {
	j, err := g.claim(name, trigger)
	if err != nil {
		return store.Job{}, err
	}
	j.force = force
	return g.process(ctx, j)
}

// Import is [Ingester.RunNow] for a snapshot that somebody gives by hand, such as a file:
// get brings it, in one attempt. A failure does not count as one of the provider.
func (g *Ingester) Import(ctx context.Context, name string, force bool, get func(context.Context, *feed.Progress) (*feed.Document, error)) (store.Job, error) {
	j, err := g.claim(name, store.Document)
	if err != nil {
		return store.Job{}, err
	}
	j.document = func(ctx context.Context, _ feed.Validators, p *feed.Progress) (*feed.Document, error) {
		return get(ctx, p)
	}
	j.attempts, j.imported, j.force = 1, true, force
	return g.process(ctx, j)
}

// Start is [Ingester.RunNow] in the background. It returns the job's record: running, or
// pending and without an id while all workers are busy. The channel gets the record of the
// job's end, and is then closed; it is closed without one if the job never ran.
//
// The job has the values of ctx, and only [Ingester.Close] stops it. The error is
// ErrUnknown, ErrBusy or ErrClosed.
func (g *Ingester) Start(ctx context.Context, name string, trigger store.Trigger, force bool) (store.Job, <-chan store.Job, error) {
	g.background.mu.Lock()
	defer g.background.mu.Unlock()
	if g.background.closed || g.stopping() {
		return store.Job{}, nil, ErrClosed
	}
	j, err := g.claim(name, trigger)
	if err != nil {
		return store.Job{}, nil, err
	}
	j.force = force
	j.begun = make(chan store.Job, 1)
	ended := make(chan store.Job, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(g.background.stopping, cancel)
	g.background.jobs.Go(func() {
		defer cancel()
		defer release()
		defer close(ended)
		record, err := g.process(ctx, j)
		if err != nil {
			j.refuse(err)
			return
		}
		ended <- record
	})
	record, ok := <-j.begun
	if !ok {
		return store.Job{}, nil, j.refused
	}
	return record, ended, nil
}

// Close stops the jobs that [Ingester.Start] began, waits for their end, and begins no
// more of them.
func (g *Ingester) Close() {
	g.background.mu.Lock()
	g.background.closed = true
	g.background.mu.Unlock()
	g.background.stop()
	g.background.jobs.Wait()
}

// A job is one run of one provider's collecting. It has claimed the provider.
type job struct {
	*target
	record   store.Job
	document func(context.Context, feed.Validators, *feed.Progress) (*feed.Document, error)
	page     func(context.Context, *feed.Page, *feed.Progress) (*feed.Document, error) // another one
	digests  func() (*store.Digests, error)                                            // of what is stored of the provider; nil: keep all values
	attempts int
	force    bool              // get, decode and apply the feed whatever is known of it
	imported bool              // its end says nothing of the provider
	replayed *archive.Document // the first one of the job that is run again; nil: none is
	archive  *archive.Job      // nil: nobody keeps the documents
	unkept   error             // why a document that was decoded cannot be kept
	owed     bool              // the archive is to get the whole feed, changed or not
	// generation is that of the harvest that the documents are of; 0: they are of no feed of changes.
	generation uint64
	taken      time.Time      // as of when the page under way of that feed counts, by the clock of the store
	begun      chan store.Job // gets the record as soon as the job waits for a worker, or runs; nil: nobody asked
	refused    error          // why it did not begin, when begun is closed
	writing    atomic.Bool    // what it brought is being stored
}

// claim makes a job of the named provider, which has to be processed.
func (g *Ingester) claim(name string, trigger store.Trigger) (*job, error) {
	for _, t := range g.targets {
		if t.Name == name {
			return t.claim(trigger, g.now())
		}
	}
	return nil, fmt.Errorf("provider %q: %w", name, ErrUnknown)
}

func (t *target) claim(trigger store.Trigger, due time.Time) (*job, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now.state != "" {
		return nil, fmt.Errorf("provider %q: %w", t.Name, ErrBusy)
	}
	t.now = underWay{state: store.Pending, trigger: trigger}
	return &job{
		target:   t,
		record:   store.Job{Provider: t.Name, Trigger: trigger, State: store.Pending, Scheduled: due},
		document: t.Get,
		page:     t.GetPage,
		attempts: cmp.Or(t.Attempts, usualAttempts),
	}, nil
}

// release frees the provider for its next job.
func (t *target) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = underWay{}
	t.others.free = time.Now()
}

// A job that reads this many bytes of a feed returns the memory that it took at its end:
// the runtime by itself would keep most of it for long.
const largeFeed = 10 << 20

// process is the job processor: it waits for a worker, runs the job, and frees the
// provider. The error is ErrClosed, that of a context that ended before the job began, or that of
// run.
func (g *Ingester) process(ctx context.Context, j *job) (store.Job, error) {
	defer j.release()
	select {
	case g.workers <- struct{}{}:
	default:
		j.tell()
		select {
		case g.workers <- struct{}{}:
		case <-g.Stopping:
			return store.Job{}, closed(j)
		case <-ctx.Done():
			return store.Job{}, fmt.Errorf("provider %q: wait for a worker: %w", j.Name, ctx.Err())
		}
	}
	defer func() { <-g.workers }()
	err := ctx.Err()
	if err == nil && j.begun != nil { // Close ends the contexts of its jobs one after the other
		err = g.background.stopping.Err()
	}
	if err != nil {
		return store.Job{}, fmt.Errorf("provider %q: %w", j.Name, err)
	}
	if g.stopping() {
		j.tell()
		return store.Job{}, closed(j)
	}
	began := time.Now()
	if err := g.run(ctx, j); err != nil {
		return store.Job{}, err
	}
	g.logJob(ctx, &j.record, time.Since(began))
	if g.Ended != nil {
		g.Ended(j.record)
	}
	if !j.record.NotModified && j.record.Bytes >= largeFeed {
		debug.FreeOSMemory()
	}
	return j.record, nil
}

func closed(j *job) error { return fmt.Errorf("provider %q: %w", j.Name, ErrClosed) }

// tell gives the record to who started the job, once.
func (j *job) tell() {
	select {
	case j.begun <- j.record:
	default:
	}
}

// refuse tells who started the job that it does not begin, unless that was told that it waits. The
// provider is free by then.
func (j *job) refuse(err error) {
	j.refused = err
	close(j.begun)
}

// run takes a pending job to its end. Whatever happens is in its record. The error is ErrBusy or
// store.ErrNotDue, as another process has the turn: then nothing has happened.
func (g *Ingester) run(ctx context.Context, j *job) error {
	j.record.State, j.record.Started = store.Running, g.now()
	j.running(j.record.Started)
	begun, err := g.store.Begin(ctx, j.record)
	switch {
	case errors.Is(err, store.ErrBusy):
		return fmt.Errorf("provider %q: %w: %w", j.Name, ErrBusy, err)
	case errors.Is(err, store.ErrNotDue):
		return fmt.Errorf("provider %q: %w", j.Name, err)
	case err != nil:
		err = storeError(ctx, j, err)
		g.ended(ctx, j, err)
		fail(&j.record, err, g.now()) // in memory only: there is no record to change
		j.tell()
		return nil
	}
	j.record = begun
	j.tell()
	held, release := g.hold(ctx, j)
	defer release()
	g.beginArchive(held, j)
	err = g.collect(held, j)
	if j.Done != nil {
		j.Done()
	}
	fenced := errors.Is(err, store.ErrFenced) || err != nil && errors.Is(context.Cause(held), store.ErrFenced)
	if fenced {
		err = &feed.Error{Provider: j.Name, Kind: feed.KindInterrupted, Op: "keep the claim", Err: store.ErrFenced}
	}
	g.endArchive(held, j, err)
	g.ended(ctx, j, err)
	if err == nil {
		if j.has() {
			g.Collected.Store(true)
		}
		return nil
	}
	fail(&j.record, err, g.now())
	if fenced { // who has the provider now has recorded it
		return nil
	}
	// A stop must not keep the outcome of what it stopped from being recorded.
	if err := g.write(ctx, j, func() error { return g.store.Finish(context.WithoutCancel(ctx), j.record, nil) }); err != nil {
		g.log.ErrorContext(ctx, "the outcome of a job was not recorded", "provider", j.Name, "error", err)
	}
	return nil
}

// collect gets the feed, commits and publishes it, and keeps in the record what is known.
func (g *Ingester) collect(ctx context.Context, j *job) (err error) {
	// A bug in one format must not end the jobs of the others.
	defer func() {
		if p := recover(); p != nil {
			g.log.ErrorContext(ctx, "a job panicked", "provider", j.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &feed.Error{Provider: j.Name, Kind: feed.KindInternal, Op: "run the job", Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	switch {
	case j.replayed != nil && j.Changes != (j.replayed.Generation > 0):
		return j.notReplayed(feed.KindDecode, errOtherKind)
	case j.replayed != nil && j.Changes:
		return g.replayPage(ctx, j)
	case j.Changes:
		return g.harvest(ctx, j)
	}
	if !j.force || j.replayed != nil {
		j.digests = sync.OnceValues(func() (*store.Digests, error) { return g.store.Digests(ctx, j.Name) })
	}
	last, err := g.validators(ctx, j)
	if err != nil {
		return storeError(ctx, j, err)
	}
	got, err := j.get(ctx, last)
	if err != nil {
		return err
	}
	if got.NotModified {
		return g.keep(ctx, j, got)
	}
	return g.commit(ctx, j, got)
}

// validators returns what makes the request of a job conditional. They count for the
// provider's time zone as well as for the source: a feed that is the same under another
// zone has to be stored again.
func (g *Ingester) validators(ctx context.Context, j *job) (feed.Validators, error) {
	if j.force || j.owed {
		return feed.Validators{}, nil
	}
	last, err := g.store.Validators(ctx, j.Name)
	if err != nil {
		return feed.Validators{}, err
	}
	source, ours := strings.CutSuffix(last.Source, " "+j.Location.String())
	if !ours {
		return feed.Validators{}, nil
	}
	last.Source = source
	if j.wantsWhole(j.record.Started) {
		last.ETag, last.LastModified = "", ""
		if j.FirstPageTells { // it may be wrong about the others
			last.Digest = [32]byte{}
		}
	}
	return last, nil
}

// validatorsOf returns those of a feed as they are stored: see [Ingester.validators].
func (j *job) validatorsOf(got *feed.Feed) feed.Validators {
	v := got.Validators
	v.Source += " " + j.Location.String()
	return v
}

// A job tries a few times, over seconds. What has not passed by then is for the next job to
// find out.
const (
	usualAttempts = 3
	firstBackoff  = time.Second
	maxWait       = 30 * time.Second // between two attempts of a job
)

// get brings the feed, with all its pages, and counts in the record what that took. It holds
// one page, and what is kept of those before.
func (j *job) get(ctx context.Context, last feed.Validators) (*feed.Feed, error) {
	got, err := j.persist(ctx, 1, 0, func(p *feed.Progress) (*feed.Document, error) { return j.document(ctx, last, p) })
	if err != nil || got.NotModified || got.Next == nil && (!j.Paged || j.FirstPageTells) {
		return got, err
	}
	v := got.Validators
	var pages feed.Pages
	for rows := got.Seen; ; rows += got.Seen {
		next := got.Next
		err := pages.Add(got)
		if err == nil && next != nil && j.imported {
			err = feed.Errorf(feed.KindDecode, "the document is one page of a feed, and says that there are more: only all of it counts")
		}
		if err != nil {
			return nil, &feed.Error{Provider: j.Name, Kind: kindOf(err), Op: "join the pages", Err: err}
		}
		if next == nil {
			break
		}
		if got, err = j.persist(ctx, next.Number, rows, func(p *feed.Progress) (*feed.Document, error) { return j.page(ctx, next, p) }); err != nil {
			return nil, err
		}
	}
	whole := pages.Feed()
	whole.Validators = v
	if !j.FirstPageTells {
		whole.Validators = feed.Validators{Source: v.Source, Digest: pages.Digest()}
		whole.NotModified = whole.Validators.Digest != [32]byte{} && whole.Validators == last
	}
	return whole, nil
}

// persist gets and decodes a page, given the rows before it, in as many attempts as it needs.
//
// The waits between attempts double, with full jitter, so that clients which failed
// together come back apart. A provider that says when to come back is believed, if that is
// soon enough for this job.
func (j *job) persist(ctx context.Context, page, rows int, get func(*feed.Progress) (*feed.Document, error)) (*feed.Feed, error) {
	unreadable := 0
	for attempt := 1; ; attempt++ {
		j.record.Attempts++
		got, err := j.try(ctx, get, j.attempt(attempt, page, rows, j.record.Bytes))
		if err == nil {
			j.record.HTTPStatus = got.HTTPStatus
			j.record.Bytes += got.Bytes
			return got, nil
		}
		failure, ok := errors.AsType[*feed.Error](err)
		if !ok {
			return nil, err
		}
		j.record.HTTPStatus = failure.HTTPStatus
		j.record.Bytes += failure.Bytes
		if failure.Kind == feed.KindMalformed || failure.Kind == feed.KindDecode {
			unreadable++ // once may be an accident; what came twice in a row comes again
		}
		wait := max(rand.N(firstBackoff<<attempt), failure.RetryAfter) //nolint:gosec // jitter is no secret
		if attempt == j.attempts || unreadable > 1 || wait > maxWait || !canPass(failure) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// try gets a document, once, and decodes it. It does not hold the values of events that are stored
// with the same ones.
func (j *job) try(ctx context.Context, get func(*feed.Progress) (*feed.Document, error), progress *feed.Progress) (*feed.Feed, error) {
	doc, err := get(progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = doc.Body.Close() }() // read to its end, or given up
	if j.digests != nil && !doc.NotModified {
		digests, err := j.digests()
		if err != nil {
			return nil, storeError(ctx, j, err)
		}
		doc.Stored, doc.Latest = digests.Find, digests.All
	}
	return j.decode(doc)
}

// canPass reports whether the same request may do better in a moment.
func canPass(failure *feed.Error) bool {
	switch failure.Kind {
	case feed.KindTimeout:
		return !failure.Whole
	case feed.KindConnection, feed.KindDNS, feed.KindMalformed, feed.KindDecode:
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

// keep records that the feed has not changed.
func (g *Ingester) keep(ctx context.Context, j *job, got *feed.Feed) error {
	record := j.record
	record.State, record.Finished, record.NotModified, record.Suspect = store.Completed, g.now(), true, string(j.suspicion())
	record.Turn = g.turn(j, &record)
	v := j.validatorsOf(got)
	if err := g.write(ctx, j, func() error { return g.store.Finish(ctx, record, &v) }); err != nil {
		return storeError(ctx, j, err)
	}
	j.record = record
	return nil
}

// commit stores the feed with the outcome, unless it is refused as a whole, and then
// publishes what changed.
func (g *Ingester) commit(ctx context.Context, j *job, got *feed.Feed) error {
	g.syncArchive(ctx, j)
	record := j.record
	record.State = store.Completed
	if j.replayed != nil {
		record.Finished = j.replayed.Outcome.At
	}
	record.Seen, record.Ignored, record.Rejected, record.Rejections = got.Seen, got.Ignored, got.Rejected, got.Rejections
	record.Turn = g.turn(j, &record)
	snap := store.Snapshot{
		Provider:   j.Name,
		TimeZone:   j.Location.String(),
		Events:     got.Events,
		Past:       got.Past,
		Unchanged:  got.Unchanged,
		Encoded:    got.Encoded,
		Taken:      record.Started,
		Validators: j.validatorsOf(got),
		Accept:     func(a store.Applied) error { return j.accept(&record, &a) },
	}
	var completed store.Job
	err := g.write(ctx, j, func() (err error) {
		_, completed, err = g.store.Apply(ctx, snap, record)
		return err
	})
	if refusal, ok := errors.AsType[*feed.Error](err); ok { // of accept: nothing was written
		j.record.Suspect = record.Suspect
		return refusal
	}
	g.show(ctx, j, err)
	if err != nil {
		return storeError(ctx, j, err)
	}
	completed.Suspect = record.Suspect
	j.record = completed
	return nil
}

// show publishes what a job has committed, given the error of that. What is committed is
// published whatever ctx says by now. What is only perhaps committed is, too: the index shows
// what the store does.
func (g *Ingester) show(ctx context.Context, j *job, err error) {
	if err != nil && !errors.Is(err, store.ErrUncertain) {
		return
	}
	if err := g.publish(context.WithoutCancel(ctx)); err != nil {
		g.log.ErrorContext(ctx, "searches do not find yet what is stored", "provider", j.Name, "error", err)
	}
}

// storeError is the failure of a job that could not be committed, for the reason err.
func storeError(ctx context.Context, j *job, err error) error {
	kind := feed.KindStore
	if ctx.Err() != nil {
		kind = feed.KindCanceled
	}
	return &feed.Error{Provider: j.Name, Kind: kind, Op: "commit", Err: err}
}

// kindOf returns the kind of a job's failure.
func kindOf(err error) feed.Kind {
	if failure, ok := errors.AsType[*feed.Error](err); ok {
		return failure.Kind
	}
	return feed.KindInternal
}

// fail makes the record that of a job which failed. Its counts are those of what it committed
// before: pages of a feed of changes, and nothing of a snapshot.
func fail(record *store.Job, err error, now time.Time) {
	record.State, record.Finished = store.Failed, now
	record.Kind, record.Message = kindOf(err), err.Error()
}

// tells reports whether the end of the job, with a failure or nil, says something of its provider.
func (j *job) tells(err error) bool {
	kind := kindOf(err)
	return !j.imported && (err == nil || kind != feed.KindCanceled && kind != feed.KindInterrupted)
}

// nextTurn returns the turn after the job, given its record and its failure or nil, and how many
// turns have passed.
func (j *job) nextTurn(record *store.Job, err error, now time.Time) (next store.Turn, skipped int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	next.Failures, next.Blocked = j.failures, j.blocked
	switch {
	case !j.tells(err) || err != nil && kindOf(err) == feed.KindStore:
	case err == nil:
		next.Failures, next.Blocked = 0, time.Time{}
	default:
		next.Failures, next.Blocked = next.Failures+1, time.Time{}
		if failure, ok := errors.AsType[*feed.Error](err); ok && failure.RetryAfter > 0 {
			next.Blocked = now.Add(min(failure.RetryAfter, j.MaxInterval))
		}
	}
	last := j.last
	if last.IsZero() { // nobody waits for turns here
		last = record.Scheduled
	}
	next.Due, skipped = j.after(next.Failures, next.Blocked, record.More, last, now)
	return next, skipped
}

// ended updates what is known of the provider after its job, and has the scheduler wait for the
// next turn. A failure that is not the provider's says nothing about it.
func (g *Ingester) ended(ctx context.Context, j *job, err error) {
	t := j.target
	defer t.move()
	next, skipped := j.nextTurn(&j.record, err, g.now())
	if by := j.record.Trigger; by != store.Schedule && by != store.StartUp {
		skipped = 0 // it was nobody's turn
	}
	if skipped > 0 {
		g.log.InfoContext(ctx, "turns skipped: the job ran into them", "provider", t.Name, "turns", skipped)
	}
	j.record.Turn = store.Turn{}
	if j.tells(err) {
		j.record.Turn = next
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.more, t.failures, t.blocked = j.record.More, next.Failures, next.Blocked
	if t.waits {
		t.due = next.Due
		t.skipped += uint64(skipped)
	}
	if err == nil {
		t.completed(&j.record)
		return
	}
	kind := kindOf(err)
	if !j.tells(err) && (!j.imported || kind != feed.KindStore) {
		return
	}
	t.kind, t.message = kind, err.Error()
	t.tried = t.tried || !j.imported
	if kind == feed.KindStore {
		return
	}
	t.refused = ""
	if kind == feed.KindSuspect {
		t.refused = Suspicion(j.record.Suspect)
	}
}

// logJob writes the one line of a job, and at the debug level one for each of the
// rejected rows that its record lists.
//
// It says how long the job took to the end of it all. The record of one that brought a
// snapshot was made before that was on disk and published.
func (g *Ingester) logJob(ctx context.Context, job *store.Job, took time.Duration) {
	attrs := []slog.Attr{
		slog.Uint64("job", job.ID),
		slog.String("provider", job.Provider),
		slog.String("trigger", string(job.Trigger)),
		slog.Duration("took", took.Round(time.Microsecond)),
		slog.Int("attempts", job.Attempts),
		slog.Int("http_status", job.HTTPStatus),
		slog.Int64("bytes", job.Bytes),
	}
	if job.State == store.Failed {
		level := slog.LevelWarn
		switch job.Kind {
		case feed.KindCanceled:
			level = slog.LevelInfo // we were asked to stop
		case feed.KindStore, feed.KindInternal:
			level = slog.LevelError // ours, not the provider's
		}
		g.log.LogAttrs(ctx, level, "job failed", append(attrs, slog.String("kind", string(job.Kind)), slog.String("error", job.Message))...)
		return
	}
	level := slog.LevelInfo
	if job.Suspect != "" {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("suspect", job.Suspect), slog.String("reason", Suspicion(job.Suspect).String()))
	}
	g.log.LogAttrs(ctx, level, "job completed", append(attrs,
		slog.Bool("not_modified", job.NotModified),
		slog.Int("seen", job.Seen),
		slog.Int("new", job.New),
		slog.Int("changed", job.Changed),
		slog.Int("unchanged", job.Unchanged),
		slog.Int("ignored", job.Ignored),
		slog.Int("rejected", job.Rejected),
		slog.Int("gone", job.Gone),
		slog.Bool("more", job.More),
	)...)
	for _, r := range job.Rejections {
		g.log.LogAttrs(ctx, slog.LevelDebug, "row rejected", slog.String("provider", job.Provider), slog.Int("line", r.Line),
			slog.String("base_id", r.BaseID), slog.String("event_id", r.EventID), slog.String("reason", r.Reason))
	}
}
