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

// openDocument opens the named file, or in if the name is "-". Opening or reading a pipe can
// block for ever, and neither can be interrupted. So a goroutine copies such a file, and
// reading ends with ctx. The goroutine may then only end with the process.
func openDocument(ctx context.Context, name string, in io.Reader) (io.ReadCloser, error) {
	if name != "-" {
		if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() {
			return os.Open(name)
		}
	}
	document, pipe := io.Pipe()
	go func() { _ = pipe.CloseWithError(pour(pipe, name, in)) }()         // always nil; a nil error of pour is io.EOF
	context.AfterFunc(ctx, func() { _ = pipe.CloseWithError(ctx.Err()) }) // always nil
	return document, nil
}

// pour copies the named file to w, or in if the name is "-".
func pour(w io.Writer, name string, in io.Reader) error {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // opened for reading
		in = f
	}
	_, err := io.Copy(w, in)
	return err
}

// readSnapshot makes a document of the named file for p, or of in if the name is "-".
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

// unread returns the record of a job whose document could not be read here, for a server. It
// is only printed: the server records the job itself if it has received a part.
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

// An errorReader keeps the error of its reader, to tell it from an error of the connection
// on which the document is sent.
type errorReader struct {
	io.Reader
	failed atomic.Pointer[error] // nil: none but io.EOF
}

func (r *errorReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed.Store(&err)
	}
	return n, err
}
