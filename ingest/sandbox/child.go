package sandbox

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"fever/event"
	"fever/provider"
	"fever/provider/feed"
	"fever/provider/inspect"
	"fever/store"
)

// Serve is the child: it decodes what the parent gives it on in, and writes what it is to out. It reads
// the answers to its questions from answers. Read makes a provider of the recipe. Unconfined is nil, or
// why [Confine] failed.
//
// It returns when in ends. When answers end, so does the process: then there is no parent.
func Serve(in, answers io.Reader, out io.Writer, read func(recipe []byte) (*provider.Provider, error), unconfined error) error {
	c := &child{in: gob.NewDecoder(in), answers: make(chan answer), out: gob.NewEncoder(out)}
	go c.listen(answers) // ends with the process
	if unconfined != nil {
		if err := c.out.Encode(&fromChild{Unconfined: unconfined.Error()}); err != nil {
			return err
		}
	}
	for {
		var m toChild
		switch err := c.in.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read what to decode: %w", err)
		case m.Recipe != nil:
			if c.provider, err = read(m.Recipe); err != nil {
				return err
			}
		case m.Header != nil && c.provider != nil:
			if err := c.decode(m.Header); err != nil {
				return err
			}
		default:
			return errors.New("the messages are in a wrong order")
		}
	}
}

// A child decodes documents of one provider.
type child struct {
	provider *provider.Provider
	in       *gob.Decoder
	answers  chan answer
	out      *gob.Encoder
}

// listen hands the answers of the parent on. Without a parent it ends the process, whatever that is
// doing.
func (c *child) listen(answers io.Reader) {
	from := gob.NewDecoder(answers)
	for {
		var a answer
		if from.Decode(&a) != nil {
			os.Exit(1)
		}
		c.answers <- a
	}
}

// decode decodes a document, or rows again, and writes what comes of it.
func (c *child) decode(h *header) error {
	b := &body{from: c}
	var digests store.Digests
	if err := b.latest(&digests); err != nil {
		return err
	}
	doc := &feed.Document{
		Body: b, Op: h.Op, URL: h.URL, Page: h.Page, Links: h.Links, ContentType: h.ContentType, Charset: h.Charset,
		HTTPStatus: h.HTTPStatus, Bytes: h.Bytes, MaxEvents: h.MaxEvents, Table: h.Table, Progress: &b.progress,
	}
	if len(digests.All) > 0 {
		doc.Stored = digests.Find
	}
	var parent func(string) ([]byte, error)
	if h.Parents {
		parent = c.ask
		doc.Parent = parent
	}
	got, seen := new(feed.Feed), new(fromChild)
	var err error
	switch p := c.provider; {
	case h.Again != nil:
		got, err = p.DecodeAgain(h.Again, parent)
	case h.Find != nil:
		seen.Found, err = inspect.Find(doc, p.Format, p.Name, p.Location, h.Find)
	case h.Try != nil:
		seen.Trial, err = c.try(doc, h.Try)
	default:
		got, err = p.Decode(doc)
	}
	if b.broken != nil {
		return b.broken
	}
	if seen.Found != nil || seen.Trial != nil {
		if err := c.out.Encode(seen); err != nil {
			return err
		}
	}
	if err := c.write(got, err, &digests); err != nil {
		return err
	}
	for !b.ended { // the parent may have more of the document
		if _, err := b.part(); err != nil {
			return err
		}
	}
	return nil
}

// maxTrial bounds what is told of a document that somebody tries, in bytes.
const maxTrial = 8 << 20

// try returns what became of the rows of a document, in JSON.
func (c *child) try(doc *feed.Document, wanted *try) ([]byte, error) {
	rows := inspect.New(wanted.List)
	rows.Number, rows.Reads = wanted.Number, c.provider.Format.Reads
	doc.Trace = rows.Trace
	got, failed := c.provider.Decode(doc)
	text, err := json.Marshal(rows.Trial(got, failed, c.provider.Location, time.Now()))
	if err == nil && len(text) > maxTrial {
		return nil, feed.Errorf(feed.KindTooLarge, "what its rows were read as has more than %d MiB", maxTrial>>20)
	}
	return text, err
}

// ask asks the parent for the row of a table.
func (c *child) ask(name string) ([]byte, error) {
	if err := c.out.Encode(&fromChild{Asks: &name}); err != nil {
		return nil, err
	}
	a := <-c.answers
	if a.Found && a.Row == nil {
		a.Row = []byte{}
	}
	return a.Row, a.End.error()
}

// Bounds of a message of events.
const (
	maxEvents = 256
	maxBytes  = 64 << 10
)

// write writes the messages about a feed, or about why there is none.
func (c *child) write(got *feed.Feed, err error, digests *store.Digests) error {
	if err != nil {
		f := &failure{Kind: feed.KindInternal, Text: err.Error()}
		if failed, ok := errors.AsType[*feed.Error](err); ok {
			*f = failure{Kind: failed.Kind, Op: failed.Op, Text: failed.Err.Error(), Whole: failed.Whole, Bytes: failed.Bytes}
		}
		return c.out.Encode(&fromChild{Result: &result{Failure: f}})
	}
	unchanged := make([]uint32, 0, len(got.Unchanged))
	for _, s := range got.Unchanged {
		at, _ := digests.Index(s.Key) // which has found it
		unchanged = append(unchanged, uint32(at))
	}
	if err := c.out.Encode(&fromChild{Unchanged: unchanged}); err != nil {
		return err
	}
	if err := errors.Join(c.events(got.Events, false), c.events(got.Past, true)); err != nil {
		return err
	}
	return c.out.Encode(&fromChild{Result: &result{
		Rows: got.Rows, Seen: got.Seen, Ignored: got.Ignored, Rejected: got.Rejected, Rejections: got.Rejections,
		Items: got.Items, Next: got.Next, UpToDate: got.UpToDate, Bytes: got.Bytes,
	}})
}

// events writes events, some in each message.
func (c *child) events(all []event.Event, past bool) error {
	var enc store.Encoder
	var some []feed.Encoded
	var room []byte
	for i := range all {
		at := len(room)
		room = append(room, enc.Encode(&all[i])...)
		values := room[at:len(room):len(room)]
		some = append(some, feed.Encoded{Stored: feed.Stored{Key: all[i].Key, Digest: store.DigestOf(values)}, Values: values, Past: past})
		if len(some) == maxEvents || len(room) > maxBytes || i == len(all)-1 {
			if err := c.out.Encode(&fromChild{Events: some}); err != nil {
				return err
			}
			some, room = some[:0], nil
		}
	}
	return nil
}

// A body is that of a document that the parent sends.
type body struct {
	from     *child
	progress feed.Progress
	said     int64  // of the rows, to the parent
	room     []byte // of parts
	rest     []byte // of the last part
	ended    bool
	end      error // after the last part
	broken   error // the parent cannot be read
}

// latest reads what is stored of the provider, up to the first part of the body.
func (b *body) latest(digests *store.Digests) error {
	for {
		m, err := b.part()
		if err != nil || m.Latest == nil {
			return err
		}
		for i := range m.Latest {
			digests.All = append(digests.All, &m.Latest[i])
		}
	}
}

// part reads the next message about the document.
func (b *body) part() (toChild, error) {
	m := toChild{Body: b.room[:0]}
	if err := b.from.in.Decode(&m); err != nil {
		b.broken = fmt.Errorf("read a document: %w", err)
		return m, b.broken
	}
	b.room, b.rest = m.Body, m.Body
	if m.End != nil {
		b.ended = true
		if b.end = m.End.error(); b.end == nil {
			b.end = io.EOF
		}
	}
	return m, nil
}

// Read reads the body. It tells the parent how many rows there are so far.
func (b *body) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.ended {
			return 0, b.end
		}
		if rows := b.progress.Rows.Load(); rows > b.said {
			b.said = rows
			if b.broken = b.from.out.Encode(&fromChild{Rows: rows}); b.broken != nil {
				return 0, b.broken
			}
		}
		if _, err := b.part(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close does nothing: the parent closes what it reads from.
func (b *body) Close() error { return nil }

// endingOf says how something ended, given its error or nil.
func endingOf(err error) ending {
	if err == nil {
		return ending{}
	}
	e := ending{Failed: true, Kind: feed.KindInternal, Text: err.Error()}
	if failed, ok := errors.AsType[*feed.Error](err); ok {
		e.Kind, e.Whole = failed.Kind, failed.Whole
	}
	return e
}

// error is the inverse of endingOf.
func (e ending) error() error {
	if !e.Failed {
		return nil
	}
	return &feed.Error{Kind: e.Kind, Err: errors.New(e.Text), Whole: e.Whole}
}
