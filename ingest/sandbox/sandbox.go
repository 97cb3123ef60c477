// Package sandbox decodes documents in a process of their own. What a provider sends can cost that
// process its time and its memory, or end it, and then one job fails and nothing else. Searches hardly
// notice: the process has the lowest scheduling class.
//
// The process is a child: this program again, told to be one. It gets documents on its standard
// input, and writes feeds to its standard output. It can open no connection, start no program and
// change no file: see [Confine].
package sandbox

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"

	"fever/provider"
	"fever/provider/feed"
	"fever/provider/inspect"
	"fever/store"
)

// A Sandbox decodes the documents of a provider, as its Decode and DecodeAgain do. The child is
// started for the first document of a job, and Close ends it. A Sandbox is for one job at a time.
type Sandbox struct {
	Provider *provider.Provider
	Recipe   []byte   // of the provider: what [Serve] makes one of
	Command  []string // the arguments that make this program a child
	Log      *slog.Logger

	child  *process // nil: there is none
	warned bool     // that the child is not confined
}

// A process is a child, as its parent sees it.
type process struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	pipe    io.Closer // of the answers
	in      *gob.Encoder
	answers *gob.Encoder
	out     *gob.Decoder
	room    *room // of what out reads
	said    head  // on its standard error
}

// start starts the child, unless it is there.
func (s *Sandbox) start() (err error) {
	if s.child != nil {
		return nil
	}
	p := &process{cmd: exec.Command(program(), s.Command...)} //nolint:noctx // it is this program; run ends it
	p.cmd.Args[0] = os.Args[0]
	p.cmd.Env = []string{"GOMAXPROCS=1", "GOGC=20", "GODEBUG=memprofilerate=0"} // a fifth of the usual garbage, no profile, and no secret of ours
	for _, name := range []string{"GOMEMLIMIT", "ZONEINFO"} {
		if value, ok := os.LookupEnv(name); ok {
			p.cmd.Env = append(p.cmd.Env, name+"="+value)
		}
	}
	p.cmd.Stderr = &p.said
	p.cmd.SysProcAttr = apart()
	questions, pipe, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = questions.Close() }() // the child has its own
	p.pipe, p.cmd.ExtraFiles = pipe, []*os.File{questions}
	stdin, err := p.cmd.StdinPipe()
	var out io.Reader
	if err == nil {
		if out, err = p.cmd.StdoutPipe(); err == nil {
			err = p.cmd.Start()
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("start the process that decodes: %w", err), pipe.Close())
	}
	begun(p.cmd.Process)
	p.room = &room{Reader: out}
	p.stdin, p.in, p.answers, p.out = stdin, gob.NewEncoder(stdin), gob.NewEncoder(pipe), gob.NewDecoder(p.room)
	s.child = p
	return nil
}

// Close ends the child, if there is one.
func (s *Sandbox) Close() {
	if s.child != nil {
		_ = s.child.end() // it was told to
		s.child = nil
	}
}

// end ends the child, waits for that, and returns how it ended.
func (p *process) end() error {
	p.kill()
	_ = errors.Join(p.stdin.Close(), p.pipe.Close()) // nobody reads there any more
	return p.cmd.Wait()
}

func (p *process) kill() { _ = p.cmd.Process.Kill() } // an error says that it has ended

// Decode is [provider.Provider.Decode]. The feed of a provider that has one document has Encoded in
// the place of Events and Past.
func (s *Sandbox) Decode(doc *feed.Document) (*feed.Feed, error) {
	if doc.NotModified || doc.Beyond {
		return s.Provider.Decode(doc) // there is nothing to decode
	}
	told, err := s.run(doc, headerOf(doc), math.MaxInt64)
	if err != nil {
		return nil, err
	}
	got := told.feed
	got.Page, got.Validators, got.HTTPStatus = doc.Page, doc.Validators, doc.HTTPStatus
	return got, nil
}

// Find is [inspect.Find] of a document of the provider.
func (s *Sandbox) Find(doc *feed.Document, wanted []inspect.Wanted) ([]inspect.Found, error) {
	h := headerOf(doc)
	h.Find = wanted
	told, err := s.run(doc, h, maxTold)
	if found := told.found; len(found) == len(wanted) {
		return found, err
	}
	return make([]inspect.Found, len(wanted)), err
}

// Try returns what became of the rows of a document: see [inspect.Inspection]. It lists at most so many
// rows of each kind, and has one row whole; 0: none. The error says that nothing is known of them.
func (s *Sandbox) Try(doc *feed.Document, list, whole int) (*inspect.Trial, error) {
	h := headerOf(doc)
	h.Try = &try{list, whole}
	told, err := s.run(doc, h, maxTold)
	if err != nil {
		return nil, err
	}
	return inspect.ReadTrial(told.trial, s.Provider.Location)
}

func headerOf(doc *feed.Document) *header {
	return &header{
		Op: doc.Op, URL: doc.URL, Page: doc.Page, Links: doc.Links, ContentType: doc.ContentType, Charset: doc.Charset,
		HTTPStatus: doc.HTTPStatus, Bytes: doc.Bytes, MaxEvents: doc.MaxEvents, Table: doc.Table, Parents: doc.Parent != nil,
	}
}

// Again is [provider.Provider.DecodeAgain], within the time limit of one document.
func (s *Sandbox) Again(rows [][]byte, parent func(name string) ([]byte, error)) (*feed.Feed, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.Provider.Timeout)
	defer cancel()
	doc := &feed.Document{
		Body: io.NopCloser(strings.NewReader("")), Op: "decode rows again", Parent: parent, Done: ctx.Done(), Expired: func() error {
			if ctx.Err() == nil {
				return nil
			}
			return feed.Errorf(feed.KindTimeout, "not done within %s", s.Provider.Timeout)
		},
	}
	told, err := s.run(doc, &header{Again: rows, Parents: parent != nil}, math.MaxInt64)
	return told.feed, err
}

// A told is what a child says of a document.
type told struct {
	feed  *feed.Feed // nil: there is none
	found []inspect.Found
	trial []byte // in JSON
}

// maxTold bounds what a child may say of a document that a person asks about, in bytes: a little more than
// [maxTrial], or its questions for a million rows of tables.
const maxTold = 64 << 20

// run has the child decode a document, and say at most so many bytes of it. The error is nil or a
// [*feed.Error].
func (s *Sandbox) run(doc *feed.Document, h *header, most int64) (told, error) {
	got, err := s.decode(doc, h, most)
	if of := s.Provider; err == nil && (of.Pages != nil || of.Format.Paged || of.Format.Changes) {
		err = values(got.feed)
	}
	if err == nil {
		return got, nil
	}
	got.feed = nil
	failure := &feed.Error{Kind: feed.KindInternal, Err: err}
	if cause, ok := errors.AsType[*feed.Error](err); ok {
		*failure = *cause
	}
	failure.Provider, failure.HTTPStatus = s.Provider.Name, doc.HTTPStatus
	if failure.Op == "" {
		failure.Op = doc.Op
	}
	return got, failure
}

// decode is run with errors that may not say where they come from.
func (s *Sandbox) decode(doc *feed.Document, h *header, most int64) (told, error) {
	fresh := s.child == nil
	if err := s.start(); err != nil {
		return told{}, err
	}
	p := s.child
	p.room.left = most
	enough := make(chan struct{}) // closed when the child wants no more of the document
	var sender, watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-doc.Done:
			p.kill()
		case <-enough:
		}
	})
	var unsent error
	sender.Go(func() {
		if fresh {
			unsent = p.in.Encode(&toChild{Recipe: s.Recipe})
		}
		if unsent == nil {
			unsent = p.send(doc, h, enough)
		}
	})
	got, err := s.receive(doc)
	close(enough)
	watcher.Wait()
	_, said := errors.AsType[*feed.Error](err)
	if err != nil && !said {
		p.kill() // or the sender might wait for it
	}
	sender.Wait()
	if said || err == nil && unsent == nil {
		return got, err
	}
	ended := p.end()
	s.child = nil
	if doc.Expired != nil {
		if err := doc.Expired(); err != nil {
			return told{}, err
		}
	}
	return told{}, s.explain(p, errors.Join(ended, err, unsent))
}

// maxMemory bounds the memory of a child, beyond what it starts with. The largest feed that
// [feed.Decode] makes needs half of it.
const maxMemory = 4 << 30

// memory returns what a child may have: maxMemory, or GOMEMLIMIT if that is less.
func memory() int64 { return min(maxMemory, debug.SetMemoryLimit(-1)) }

// explain returns why a child has ended in the middle of a document, given what came of that.
func (s *Sandbox) explain(p *process, err error) error {
	said := string(p.said)
	if errors.Is(err, errTold) {
		return feed.Errorf(feed.KindTooLarge, "%w", errTold)
	}
	s.Log.Error("the process that decodes has ended", "provider", s.Provider.Name, "error", err, "said", said)
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		switch reason, crashed := strings.CutPrefix(line, "fatal error: "); {
		case crashed && strings.Contains(reason, "memory"):
			return feed.Errorf(feed.KindTooLarge, "decoding it needs more than %d MiB of memory", memory()>>20)
		case crashed || strings.HasPrefix(line, "panic: "):
			return feed.Errorf(feed.KindInternal, "the process that decodes has ended: %s", line)
		}
	}
	if gone := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); gone && killed(p.cmd.ProcessState) { // and not by us
		return feed.Errorf(feed.KindTooLarge, "the process that decodes was killed: the machine may have too little memory for it")
	}
	return feed.Errorf(feed.KindInternal, "the process that decodes has ended: %w", err)
}

// Of messages to the child.
const (
	partBytes  = 64 << 10 // of a document
	partStored = 1 << 10  // events
)

// send sends a document, until the child wants no more of it.
func (p *process) send(doc *feed.Document, h *header, enough <-chan struct{}) error {
	if err := p.in.Encode(&toChild{Header: h}); err != nil {
		return err
	}
	stored := make([]feed.Stored, 0, partStored)
	for i, one := range doc.Latest {
		stored = append(stored, *one)
		if len(stored) == partStored || i == len(doc.Latest)-1 {
			if err := p.in.Encode(&toChild{Latest: stored}); err != nil {
				return err
			}
			stored = stored[:0]
		}
	}
	part := make([]byte, partBytes)
	m := new(toChild)
	for {
		n, err := io.ReadAtLeast(doc.Body, part, 1)
		if n > 0 {
			m.Body = part[:n]
			if err := p.in.Encode(m); err != nil {
				return err
			}
		}
		select {
		case <-enough:
			err = io.EOF
		default:
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			end := endingOf(err)
			return p.in.Encode(&toChild{End: &end})
		}
	}
}

// receive reads what the child says of a document. The error is a [*feed.Error] if it says that.
func (s *Sandbox) receive(doc *feed.Document) (told, error) {
	got := new(feed.Feed)
	all := told{feed: got}
	var m fromChild
	for {
		m = fromChild{}
		if err := s.child.out.Decode(&m); err != nil {
			return all, fmt.Errorf("read from the process that decodes: %w", err)
		}
		if m.Unconfined != "" && !s.warned {
			s.warned = true
			s.Log.Warn("the process that decodes is not confined as it should be", "provider", s.Provider.Name, "error", m.Unconfined)
		}
		if m.Asks != nil {
			row, err := doc.Parent(*m.Asks)
			if err := s.child.answers.Encode(&answer{Row: row, Found: row != nil, End: endingOf(err)}); err != nil {
				return all, fmt.Errorf("answer the process that decodes: %w", err)
			}
		}
		for _, at := range m.Unchanged {
			if int(at) >= len(doc.Latest) {
				return all, fmt.Errorf("the process that decodes names stored event %d of %d", at, len(doc.Latest))
			}
			got.Unchanged = append(got.Unchanged, doc.Latest[at])
		}
		got.Encoded = append(got.Encoded, m.Events...)
		if m.Found != nil || m.Trial != nil {
			all.found, all.trial = m.Found, m.Trial
		}
		rows := m.Rows
		if m.Result != nil {
			rows = int64(m.Result.Seen)
		}
		if doc.Progress != nil && rows > doc.Progress.Rows.Load() { // only this job writes it
			doc.Progress.Rows.Store(rows)
		}
		if m.Result != nil {
			return all, m.Result.take(got)
		}
	}
}

// take adds all but the events to a feed, or returns why there is none.
func (r *result) take(got *feed.Feed) error {
	if f := r.Failure; f != nil {
		return &feed.Error{Kind: f.Kind, Op: f.Op, Err: errors.New(f.Text), Whole: f.Whole, Bytes: f.Bytes}
	}
	got.Rows, got.Seen, got.Ignored, got.Rejected, got.Rejections = r.Rows, r.Seen, r.Ignored, r.Rejected, r.Rejections
	got.Items, got.Next, got.UpToDate, got.Bytes = r.Items, r.Next, r.UpToDate, r.Bytes
	return nil
}

// values decodes the events of a page, which is to be joined with others.
func values(got *feed.Feed) error {
	for i := range got.Encoded {
		one := &got.Encoded[i]
		e, err := store.DecodeEvent(one.Key, one.Values)
		switch {
		case err != nil:
			return fmt.Errorf("event %s: %w", one.Key, err)
		case one.Past:
			got.Past = append(got.Past, e)
		default:
			got.Events = append(got.Events, e)
		}
	}
	got.Encoded = nil
	return nil
}

// A room bounds what is read through it.
type room struct {
	io.Reader
	left int64 // bytes
}

var errTold = fmt.Errorf("the process that decodes has said more than %d MiB of it", maxTold>>20)

func (r *room) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errTold
	}
	n, err := r.Reader.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

// A head is the beginning of what is written to it.
type head []byte

const maxHead = 16 << 10

// Write never returns an error.
func (h *head) Write(p []byte) (int, error) {
	*h = append(*h, p[:min(len(p), maxHead-len(*h))]...)
	return len(p), nil
}
