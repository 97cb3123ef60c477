package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"fever/provider"
	"fever/provider/feed"
	"fever/store"
)

// openDocument opens the file with that name, or in when it is "-". Where that is no
// usual file nothing may ever come, and a call that waits cannot be ended: when ctx
// does, it is left to end with the process.
func openDocument(ctx context.Context, name string, in io.Reader) (io.ReadCloser, error) {
	if name != "-" {
		if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() {
			return os.Open(name)
		}
	}
	document, pipe := io.Pipe()
	go func() { _ = pipe.CloseWithError(pour(pipe, name, in)) }()         // never fails; without an error it is the end
	context.AfterFunc(ctx, func() { _ = pipe.CloseWithError(ctx.Err()) }) // never fails
	return document, nil
}

// pour copies the file with that name, or in when it is "-".
func pour(w io.Writer, name string, in io.Reader) error {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // only read from
		in = f
	}
	_, err := io.Copy(w, in)
	return err
}

// readSnapshot reads one snapshot of p from a file, or from in when the name is "-".
func readSnapshot(ctx context.Context, p *provider.Provider, name string, in io.Reader, progress *feed.Progress) (*feed.Document, error) {
	document, err := openDocument(ctx, name, in)
	if err != nil {
		return nil, cannotRead(p.Name, err)
	}
	return p.Read(ctx, document, progress)
}

func cannotRead(name string, err error) *feed.Error {
	return &feed.Error{Provider: name, Kind: feed.KindConnection, Op: "read a document", Err: err}
}

// unread is the record of a job for a server whose document could not be read here. It
// is only told: the server keeps one of its own if a part has come there, or none.
func unread(name string, started time.Time, err error) store.Job {
	failure := cannotRead(name, err)
	if errors.Is(err, context.Canceled) {
		failure.Kind = feed.KindCanceled
	}
	return store.Job{
		Provider: name, Trigger: store.Document, State: store.Failed, Started: started, Finished: time.Now(), Attempts: 1,
		Kind: failure.Kind, Message: failure.Error(),
	}
}

// A errorReader reader keeps the error that reading it came to. Who is given both a
// reader and a writer to copy between does not say whose an error is.
type errorReader struct {
	io.Reader
	failed atomic.Pointer[error] // nil: not before its end
}

func (w *errorReader) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.failed.Store(&err)
	}
	return n, err
}
