package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"fever/event"
	"fever/index"
)

// A late writer flushes nothing, and leaves the rest to the server's.
type late struct {
	http.ResponseWriter
	io.ReaderFrom
}

func (late) Flush() {}

// TestLateFlush holds nothing back for ever, whatever becomes of the header, which is
// sent with up to 4 KiB of the body.
func TestLateFlush(t *testing.T) {
	t.Parallel()
	list := many(t, 1_000)
	h := NewSearch(Search{Index: loaded(t, list...), Log: quiet})
	plain := listen(t, h)
	wrapped := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(late{w, w.(io.ReaderFrom)}, r)
	}))
	fits := false // so that it is one write
	for events := 1; events < 100; events++ {
		for _, coding := range []string{"identity", "gzip"} {
			target := window(list, 0, events).String()
			want, got := get(t, plain+target, "Accept-Encoding: "+coding), get(t, wrapped+target, "Accept-Encoding: "+coding)
			if got.status != http.StatusOK || !bytes.Equal(got.wire, want.wire) {
				t.Fatalf("%d events, %s: %d with %d bytes, want %d", events, coding, got.status, len(got.wire), len(want.wire))
			}
			fits = fits || coding == "gzip" && len(got.wire) > fitting && len(got.wire) < 4<<10-1<<9
		}
	}
	if !fits {
		t.Error("no answer is of the size that it is about")
	}
}

// A broken writer fails, or panics.
type broken struct {
	http.ResponseWriter
	panics bool
}

func (b broken) Write([]byte) (int, error) {
	if b.panics {
		panic(http.ErrAbortHandler)
	}
	return 0, io.ErrClosedPipe
}

// TestSentLetsGo looks for what an answer leaves on connections that are kept and in the
// pools, also when it was not sent. It is not parallel: others use the pools.
func TestSentLetsGo(t *testing.T) {
	for _, failure := range []string{"none", "error", "panic"} {
		t.Run(failure, func(t *testing.T) {
			list := many(t, 40)
			x := loaded(t, list...)
			h := NewSearch(Search{Index: x, Log: quiet})
			ended := make(chan struct{}, 1) // a client has its answer before that
			base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { ended <- struct{}{} }()
				if failure != "none" {
					w = broken{w, failure == "panic"}
				}
				h.ServeHTTP(w, r)
			}))
			var a index.Answer
			x.Snapshot().Search(event.Always, &a)
			var text []byte
			for r := range a.Runs {
				text = r.Text()
			}
			old := weak.Make(&text[0]) // of the only segment
			text, a = nil, index.Answer{}
			for _, coding := range []string{"gzip", "identity"} {
				r, err := exchange(client, request(t, http.MethodGet, base+"/search", "Accept-Encoding: "+coding))
				if (err == nil) != (failure == "none") {
					t.Errorf("%s: %d, %v", coding, r.status, err)
				}
				<-ended
			}
			x.Apply(list[:1])
			runtime.GC() // one leaves what is in the pools
			if old.Value() != nil {
				t.Error("a snapshot outlives its answers")
			}
		})
	}
}

// TestHeldWriteGoesOn after a deadline that is no longer the deadline: it loses no byte,
// and counts those of the header as none, in whatever it is when the deadline passes.
func TestHeldWriteGoesOn(t *testing.T) {
	t.Parallel()
	const header, body = "header", "the body, and its end"
	for name, write := range map[string]func(*lazyConn) (int64, error){
		"as it is": func(c *lazyConn) (int64, error) {
			n, err := c.Write([]byte(body))
			return int64(n), err
		},
		"in pieces": func(c *lazyConn) (int64, error) {
			return c.writeAll(net.Buffers{c.held, []byte(body[:3]), []byte(body[3:])})
		},
		"as it is read": func(c *lazyConn) (int64, error) {
			return c.ReadFrom(strings.NewReader(body))
		},
	} {
		for _, read := range []int{0, 2, len(header), len(header) + 5, 100} { // before it is cut off
			synctest.Test(t, func(t *testing.T) {
				near, _, far := lazy(t)
				start := time.Now()
				if err := errors.Join(near.SetDeadline(start.Add(time.Second)), near.SetDeadline(start.Add(3*time.Second))); err != nil {
					t.Fatal(err)
				}
				conn := near.(*lazyConn)
				conn.holds = true
				if n, err := conn.Write([]byte(header)); n != len(header) || err != nil {
					t.Fatalf("%s: held %d, %v", name, n, err)
				}
				type result struct {
					n   int64
					err error
				}
				written := make(chan result, 1)
				go func() {
					n, err := write(conn)
					written <- result{n, err}
				}()
				var got []byte
				for b := make([]byte, 1); len(got) < min(read, len(header+body)); {
					if len(got) == 1 || len(got) == len(header)+1 {
						time.Sleep(1200 * time.Millisecond) // simulated: the first deadline passes
					}
					n, err := far.Read(b)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, b[:n]...)
				}
				r := <-written
				if want := int64(max(0, len(got)-len(header))); r.n != want || string(got) != (header + body)[:len(got)] {
					t.Errorf("%s: wrote %q as %d, %v, want %d", name, got, r.n, r.err, want)
				}
				if all := read == 100; all != (r.err == nil) || len(conn.held) > 0 || conn.rest != nil {
					t.Errorf("%s: %v after %d bytes, and %d are left", name, r.err, len(got), len(conn.held))
				}
			})
		}
	}
}
