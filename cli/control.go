package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"fever/event"
	"fever/store"
	"fever/store/bolt"
)

// socketPath returns where the fever serve that holds a data file listens for those
// who would like to have it: beside the file itself, whatever link leads to it.
func socketPath(db string) string {
	if info, err := os.Lstat(db); err == nil && info.Mode().Type() == fs.ModeSymlink {
		if target, err := filepath.EvalSymlinks(db); err == nil {
			db = target
		}
	}
	return db + ".sock"
}

// A server is the fever serve that holds a data file. It does what a command would do
// itself if the file was free.
type server struct {
	http.Client
	db      string
	force   bool     // see syncing
	waiting sync.Map // names of providers for whose jobs to end it is waited
}

// settling is how long a fever serve may hold its data file and not answer, as it does
// at its start and its end. It is longer than the store waits for the file.
const settling = 2 * time.Second

// openOrReach opens a data file or, while a fever serve holds it, reaches that: one of
// the two is not nil, or else the error.
func openOrReach(ctx context.Context, db string, open func() (*bolt.Store, error)) (*bolt.Store, *server, error) {
	for started := time.Now(); ; {
		st, err := open() // waits a moment for the file itself
		if !errors.Is(err, store.ErrLocked) {
			return st, nil, err
		}
		server, err := reach(ctx, db, err)
		if !errors.Is(err, store.ErrLocked) || time.Since(started) > settling {
			return nil, server, err
		}
	}
}

// readOrReach is openOrReach for who only reads, and makes no file.
func readOrReach(ctx context.Context, db string) (*bolt.Store, *server, error) {
	st, server, err := openOrReach(ctx, db, func() (*bolt.Store, error) { return bolt.OpenReadOnly(db) })
	return st, server, noFile(err)
}

// noFile adds to the error that a data file is not there what makes one.
func noFile(err error) error {
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w; fever serve and fever sync make it, and --db names another", err)
	}
	return err
}

// reach returns the server that holds the data file. Without one the error is locked,
// that of opening the file.
func reach(ctx context.Context, db string, locked error) (*server, error) {
	s := newServer(db)
	conn, err := s.dial(ctx)
	switch {
	case err == nil:
		_ = conn.Close() // that it came about was all
		return s, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w (it cannot be asked: %w)", locked, err)
}

func newServer(db string) *server {
	s := &server{db: db}
	s.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) },
		// A document is sent when its job runs, and not if it is refused.
		ExpectContinueTimeout: 24 * time.Hour,
		DisableCompression:    true,
		DisableKeepAlives:     true,
	}
	return s
}

func (s *server) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", socketPath(s.db))
}

// A refusal is an answer of the server that is an error. Its text is the server's.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

// do asks the server, and returns an answer that is none of an error. The caller
// closes its body.
func (s *server) do(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	target := url.URL{Scheme: "http", Host: "fever", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Expect", "100-continue")
	}
	res, err := s.Do(req)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	if res.StatusCode < http.StatusBadRequest {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }() // of no more use
	var answer struct{ Error struct{ Message string } }
	_ = json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&answer) // not having it is no worse
	return nil, &refusal{res.StatusCode, cmp.Or(answer.Error.Message, "the server answers "+res.Status+" to "+method+" "+path)}
}

// ask gets an answer in JSON.
func (s *server) ask(ctx context.Context, method, path string, query url.Values, body io.Reader, data any) error {
	res, err := s.do(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	answer := struct{ Data any }{data}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return s.failed(ctx, err)
	}
	return nil
}

// errBroken is returned when a conversation broke off: what came of it is not known.
var errBroken = errors.New("did not answer to the end")

// failed is the error of a conversation that broke off. What the client reports of its
// own request, whose URL means nothing, is left out.
func (s *server) failed(ctx context.Context, err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("the server that holds %s %w: %w", s.db, errBroken, err)
}

// records yields stored events as [bolt.Store.Records] does.
func (s *server) records(ctx context.Context, query url.Values) iter.Seq2[event.Record, error] {
	return func(yield func(event.Record, error) bool) {
		res, err := s.do(ctx, http.MethodGet, "/events", query, nil)
		if err != nil {
			yield(event.Record{}, err)
			return
		}
		defer func() { _ = res.Body.Close() }() // read to its end, or given up
		for lines := json.NewDecoder(res.Body); ; {
			var r event.Record
			err := lines.Decode(&r)
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(event.Record{}, s.failed(ctx, err))
				return
			case !yield(r, nil):
				return
			}
		}
	}
}

// jobsPage is the number of jobs that are asked for at a time.
const jobsPage = 1000

// jobs yields recorded jobs as [bolt.Store.Jobs] does.
func (s *server) jobs(ctx context.Context, f store.JobFilter) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		query := url.Values{}
		if f.Provider != "" {
			query.Set("provider", f.Provider)
		}
		for left := f.Limit; ; {
			most := jobsPage
			if f.Limit > 0 {
				most = min(most, left)
			}
			query.Set("limit", strconv.Itoa(most))
			var page struct {
				Jobs []store.Job
				Next *uint64
			}
			if err := s.ask(ctx, http.MethodGet, "/jobs", query, nil, &page); err != nil {
				yield(store.Job{}, err)
				return
			}
			for _, job := range page.Jobs {
				if !yield(job, nil) {
					return
				}
			}
			left -= len(page.Jobs)
			if page.Next == nil || f.Limit > 0 && left <= 0 {
				return
			}
			query.Set("before", strconv.FormatUint(*page.Next, 10))
		}
	}
}

// providers returns the names of the server's providers, in its order.
func (s *server) providers(ctx context.Context) (names []string, err error) {
	var data struct{ Providers []struct{ Name string } }
	if err := s.ask(ctx, http.MethodGet, "/providers", nil, nil, &data); err != nil {
		return nil, err
	}
	for _, p := range data.Providers {
		names = append(names, p.Name)
	}
	return names, nil
}

// busyPause is the time between two attempts to begin a job of a provider that has one.
const busyPause = 200 * time.Millisecond

// whenFree begins a job of a provider. While another one runs it waits: such jobs come
// by themselves, and end by themselves.
func (s *server) whenFree(ctx context.Context, provider string, begin func() error) error {
	for {
		s.waiting.Delete(provider)
		err := begin()
		if refused, _ := errors.AsType[*refusal](err); refused == nil || refused.status != http.StatusConflict {
			return err
		}
		s.waiting.Store(provider, nil)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(busyPause):
		}
	}
}

// query returns what a job of a provider is begun with.
func (s *server) query(provider string) url.Values {
	query := url.Values{"provider": {provider}}
	if s.force {
		query.Set("force", "1")
	}
	return query
}

// fetch has the server run a job of a provider, as [ingest.Ingester.Once] does.
func (s *server) fetch(ctx context.Context, provider string) (store.Job, error) {
	var data struct{ Jobs []store.Job }
	query := s.query(provider)
	query.Set("wait", "1")
	err := s.whenFree(ctx, provider, func() error { return s.ask(ctx, http.MethodPost, "/sync", query, nil, &data) })
	if err != nil {
		return store.Job{}, err
	}
	if len(data.Jobs) != 1 || data.Jobs[0].Finished.IsZero() {
		return store.Job{}, errors.New("the server has not told the end of the job; see fever dump --jobs")
	}
	return data.Jobs[0], nil
}

// take has the server take a document.
func (s *server) take(ctx context.Context, provider, name string, in io.Reader) (store.Job, error) {
	started := time.Now()
	document, err := openDocument(ctx, name, in)
	if err != nil {
		return unread(provider, started, err), nil
	}
	defer func() { _ = document.Close() }() // only read from
	body := &watched{Reader: document}
	var data struct{ Job store.Job }
	err = s.whenFree(ctx, provider, func() error {
		return s.ask(ctx, http.MethodPost, "/snapshots", s.query(provider), body, &data)
	})
	if failed := body.failed(); err != nil && failed != nil {
		return unread(provider, started, failed), nil
	}
	return data.Job, err
}
