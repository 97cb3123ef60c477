package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fever/internal/postgrestest"
	"fever/store"
	"fever/store/storetest"
)

// What a cut does to the connection on which the next commit is sent.
const (
	pass        int32 = iota // nothing
	dropRequest              // the server does not get the commit
	dropAnswer               // it gets it, and the client no answer
	dropAll                  // the same, and nobody can connect any more
)

// A cut is a proxy in front of a server.
type cut struct {
	server string // its socket
	next   atomic.Int32
	done   atomic.Int32 // cuts
	closed atomic.Bool  // for new connections
}

// newCut starts a proxy to the server of a database, and returns the database's URL through it.
func newCut(t *testing.T, place string) (*cut, string) {
	t.Helper()
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	const socket = ".s.PGSQL.5432"
	c := &cut{server: filepath.Join(u.Query().Get("host"), socket)}
	folder := t.TempDir()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(folder, socket))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return c, with(t, place, "host", folder)
}

func (c *cut) serve(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{}).Dial("unix", c.server)
	if err != nil || c.closed.Load() {
		return
	}
	var dropping atomic.Bool // answers
	var answering sync.WaitGroup
	defer answering.Wait()
	defer server.Close()
	answering.Go(func() {
		defer client.Close()
		b := make([]byte, 1<<20)
		for {
			n, err := server.Read(b)
			if err != nil || dropping.Load() && bytes.Contains(b[:n], []byte("COMMIT\x00")) {
				return
			}
			if dropping.Load() {
				continue
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	})
	b := make([]byte, 1<<20)
	for {
		n, err := client.Read(b)
		if err != nil || c.closed.Load() {
			return
		}
		if commits(b[:n]) {
			switch how := c.next.Swap(pass); how {
			case dropRequest:
				c.done.Add(1)
				return
			case dropAll, dropAnswer:
				c.closed.Store(how == dropAll)
				dropping.Store(true)
				c.done.Add(1)
			}
		}
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
	}
}

// commits reports whether a message has the server commit. Before it does for the first time
// on a connection, pgx asks it to describe the statement, unless it sends the text alone.
func commits(message []byte) bool {
	_, after, found := bytes.Cut(message, []byte("commit\x00"))
	return bytes.HasPrefix(message, []byte("Q\x00\x00\x00\x0bcommit\x00")) || found && bytes.Contains(after, []byte("E\x00\x00\x00\x09\x00"))
}

// TestCommitLost loses a commit on its way to the server, or its answer. The store finds out
// what became of it: it is never applied twice, and never told wrong.
func TestCommitLost(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	c, cutPlace := newCut(t, place)
	s := open(t, cutPlace)
	one, two := storetest.Sample("a", 1, 1), storetest.Sample("a", 2, 1)
	storetest.Apply(t, s, storetest.Snapshot("a", 1, one))

	c.next.Store(dropAnswer)
	job := storetest.Begin(t, s, "a")
	if c.done.Load() != 1 || job.ID != 2 {
		t.Errorf("job %d began with %d cuts", job.ID, c.done.Load())
	}
	snap := storetest.Snapshot("a", 2, one, two)
	before := storetest.Records(t, s, storetest.Everything)

	c.next.Store(dropRequest)
	if _, _, err := s.Apply(t.Context(), snap, job); err == nil || errors.Is(err, store.ErrUncertain) || c.done.Load() != 2 {
		t.Errorf("%v after %d cuts", err, c.done.Load())
	}
	if after := storetest.Records(t, s, storetest.Everything); !reflect.DeepEqual(after, before) {
		t.Errorf("stored are %+v, not %+v", after, before)
	}

	c.next.Store(dropAnswer)
	applied, ended, err := s.Apply(t.Context(), snap, job)
	if err != nil || applied.New != 1 || applied.Revision != 2 || ended.State != store.Completed || c.done.Load() != 3 {
		t.Errorf("applied %+v, %+v, %v after %d cuts", applied, ended, err, c.done.Load())
	}
	if entries, at, err := s.Load(t.Context()); err != nil || at != 2 || len(entries) != 2 {
		t.Errorf("%d entries at %d, %v", len(entries), at, err)
	}

	c.next.Store(dropAnswer)
	forgotten, err := s.Forget(t.Context(), store.Forgetting{Provider: "a"})
	if err != nil || forgotten.Events != 2 || forgotten.Revision != 3 || c.done.Load() != 4 {
		t.Errorf("forgotten %+v, %v after %d cuts", forgotten, err, c.done.Load())
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestCommitLostOfPage loses pages of a feed of changes that change no event, so that the record of
// their job is the same before and after.
func TestCommitLostOfPage(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	c, cutPlace := newCut(t, place)
	s := open(t, cutPlace)
	job := storetest.Begin(t, s, "a")
	page := func(cursor string) store.Snapshot {
		snap := storetest.Snapshot("a", 1)
		snap.Changes = &store.Changes{Stream: store.Stream{Generation: 1, Cursor: []byte(cursor)}, GoesOn: true}
		return snap
	}
	job.Finished = time.Time{}
	for n, how := range []int32{pass, dropRequest, dropAnswer, dropRequest} {
		c.next.Store(how)
		cursor := fmt.Sprint(n)
		_, _, err := s.Apply(t.Context(), page(cursor), job)
		stream, err1 := s.Stream(t.Context(), "a")
		if err1 != nil || (err == nil) != (how != dropRequest) || (err == nil) != (string(stream.Cursor) == cursor) {
			t.Errorf("page %d: %v, and the cursor is %q, %v", n, err, stream.Cursor, err1)
		}
	}
}

// TestCommitUncertain loses the answer, and the server: nobody knows what became of the commit.
func TestCommitUncertain(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	c, cutPlace := newCut(t, place)
	s := open(t, cutPlace)
	job := storetest.Begin(t, s, "a")
	s.commitLimit = 2 * time.Second // more than any commit here needs
	c.next.Store(dropAll)
	if _, _, err := s.Apply(t.Context(), storetest.Snapshot("a", 2, storetest.Sample("a", 1, 1)), job); !errors.Is(err, store.ErrUncertain) || c.done.Load() != 1 {
		t.Errorf("%v after %d cuts", err, c.done.Load())
	}
	c.closed.Store(false)
	if got := storetest.Jobs(t, s, store.JobFilter{}); len(got) != 1 || got[0].State != store.Completed {
		t.Errorf("jobs %+v", got)
	}
}
