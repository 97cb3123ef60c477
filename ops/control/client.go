package control

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
	"time"

	"fever/event"
	"fever/store"
)

// SocketPath returns the path of the control socket of a data file. It is beside the file
// itself, also when db is a symbolic link to it.
func SocketPath(db string) string {
	if info, err := os.Lstat(db); err == nil && info.Mode().Type() == fs.ModeSymlink {
		if target, err := filepath.EvalSymlinks(db); err == nil {
			db = target
		}
	}
	return db + ".sock"
}

// A Client has the fever serve that holds a data file do what a command would do itself if
// the file was free.
type Client struct {
	http.Client
	db string
	// Waiting is called with true when a request begins to wait for the end of another job
	// of the provider, and with false when it waits no longer. It may be nil. Calls for
	// several providers may run at the same time.
	Waiting func(provider string, waits bool)
}

// NewClient returns a client for a data file. It does not connect: [Client.Reach] tells
// whether a process answers.
func NewClient(db string) *Client {
	c := &Client{db: db}
	c.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
		// A document is sent when its job runs, and not at all when the server refuses it.
		ExpectContinueTimeout: 24 * time.Hour,
		DisableCompression:    true,
		DisableKeepAlives:     true,
	}
	return c
}

// Reach returns an error unless a process accepts connections.
func (c *Client) Reach(ctx context.Context) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	_ = conn.Close() // it has shown what was to be known
	return nil
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", SocketPath(c.db))
}

// A Refusal is the error that the server answered with, in the server's words.
type Refusal struct {
	Status  int // of HTTP
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// ErrBroken is returned (wrapped) when the connection broke before the whole answer had
// come. The server may or may not have done what was asked.
var ErrBroken = errors.New("did not answer to the end")

// do sends a request and returns a response with a status below 400, whose body the caller
// closes. Any other response becomes a [Refusal].
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	target := url.URL{Scheme: "http", Host: "fever", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Expect", "100-continue")
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	if res.StatusCode < http.StatusBadRequest {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }() // nothing more is read
	var failure struct{ Error struct{ Message string } }
	_ = json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&failure) // without a message the status has to do
	return nil, &Refusal{res.StatusCode, cmp.Or(failure.Error.Message, "the server answers "+res.Status+" to "+method+" "+path)}
}

// ask sends a request and decodes the data of the answer.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, body io.Reader, data any) error {
	res, err := c.do(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end, or an error ended that
	if err := json.NewDecoder(res.Body).Decode(&envelope{Data: data}); err != nil {
		return c.failed(ctx, err)
	}
	return nil
}

// failed returns the error of a connection that broke. It leaves out the URL of the request,
// which tells people nothing.
func (c *Client) failed(ctx context.Context, err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("the server that holds %s %w: %w", c.db, ErrBroken, err)
}

// Records yields stored events as [store.Store.Records] does.
func (c *Client) Records(ctx context.Context, e Events) iter.Seq2[event.Record, error] {
	return lines[event.Record](ctx, c, "/events", e.values())
}

// Versions yields those of an event as [explain.Versions] does.
func (c *Client) Versions(ctx context.Context, event string) iter.Seq2[store.Version, error] {
	return lines[store.Version](ctx, c, "/versions", values("event", event))
}

// lines yields what the server answers as JSON, one value a line.
func lines[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		res, err := c.do(ctx, http.MethodGet, path, query, nil)
		if err != nil {
			yield(none, err)
			return
		}
		defer func() { _ = res.Body.Close() }() // it was read to its end, or an error ended that
		for lines := json.NewDecoder(res.Body); ; {
			var one T
			err := lines.Decode(&one)
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(none, c.failed(ctx, err))
				return
			case !yield(one, nil):
				return
			}
		}
	}
}

// Jobs yields recorded jobs as [store.Store.Jobs] does.
func (c *Client) Jobs(ctx context.Context, f store.JobFilter) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		for left := f.Limit; ; {
			next := f
			if next.Limit = mostJobs; left > 0 {
				next.Limit = min(mostJobs, left)
			}
			var page Jobs
			if err := c.ask(ctx, http.MethodGet, "/jobs", jobValues(next), nil, &page); err != nil {
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
			f.Before = *page.Next
		}
	}
}

// Providers returns the status of each provider, in the order of the server's settings.
func (c *Client) Providers(ctx context.Context) ([]ProviderStatus, error) {
	var data Providers
	err := c.ask(ctx, http.MethodGet, "/providers", nil, nil, &data)
	return data.Providers, err
}

// busyPause is the time between two attempts to begin a job of a busy provider.
const busyPause = 200 * time.Millisecond

// whenFree calls begin, again and again while the server says that another job of the
// provider runs. Jobs of the schedule begin and end without anybody's doing.
func (c *Client) whenFree(ctx context.Context, provider string, begin func() error) error {
	for {
		c.waits(provider, false)
		err := begin()
		if refused, _ := errors.AsType[*Refusal](err); refused == nil || refused.Status != http.StatusConflict {
			return err
		}
		c.waits(provider, true)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(busyPause):
		}
	}
}

func (c *Client) waits(provider string, waits bool) {
	if c.Waiting != nil {
		c.Waiting(provider, waits)
	}
}

// Sync has the server run a job of a provider, as [ingest.Ingester.RunNow] does.
func (c *Client) Sync(ctx context.Context, provider string, force bool) (store.Job, error) {
	var data Synced
	query := Run{Provider: provider, Force: force, Wait: true}.values()
	err := c.whenFree(ctx, provider, func() error { return c.ask(ctx, http.MethodPost, "/sync", query, nil, &data) })
	if err != nil {
		return store.Job{}, err
	}
	if len(data.Jobs) != 1 || data.Jobs[0].Finished.IsZero() {
		return store.Job{}, errors.New("the server did not report the end of the job; see fever dump --jobs")
	}
	return data.Jobs[0], nil
}

// Snapshot has the server import a document as a snapshot of a provider, as
// [ingest.Ingester.Import] does. The document is read when the job runs.
func (c *Client) Snapshot(ctx context.Context, provider string, force bool, document io.Reader) (store.Job, error) {
	var data Imported
	err := c.whenFree(ctx, provider, func() error {
		return c.ask(ctx, http.MethodPost, "/snapshots", Run{Provider: provider, Force: force}.values(), document, &data)
	})
	return data.Job, err
}

// Forget has the server forget what is stored of a provider, as [store.Store.Forget] does.
func (c *Client) Forget(ctx context.Context, f store.Forgetting) (done store.Forgotten, err error) {
	err = c.whenFree(ctx, f.Provider, func() error { return c.ask(ctx, http.MethodPost, "/forget", forgetValues(f), nil, &done) })
	return done, err
}

// Rename has the server rename a provider, as [store.Store.Rename] does.
func (c *Client) Rename(ctx context.Context, r store.Renaming) (done store.Renamed, err error) {
	err = c.whenFree(ctx, r.From, func() error { return c.ask(ctx, http.MethodPost, "/rename", renameValues(r), nil, &done) })
	return done, err
}

// Backup writes a copy of the data file to w, and returns its size.
func (c *Client) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	res, err := c.do(ctx, http.MethodGet, "/backup", nil, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end, or an error ended that
	var failed error
	n, err = io.Copy(w, readerFunc(func(p []byte) (int, error) {
		n, err := res.Body.Read(p)
		if err != nil && !errors.Is(err, io.EOF) {
			failed = err // io.Copy does not tell it from an error of w
		}
		return n, err
	}))
	if failed != nil {
		err = c.failed(ctx, failed)
	}
	return n, err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
