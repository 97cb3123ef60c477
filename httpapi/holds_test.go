package httpapi

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fever/event"
)

// retitled returns entries with other titles, so that each update replaces all of them.
func retitled(t *testing.T, n int) []*event.Entry {
	t.Helper()
	list := many(t, n)
	for _, e := range list {
		e.Summary = bytes.Replace(e.Summary, []byte(`"title":"`), []byte(`"title":"New: `), 1)
	}
	return list
}

// TestSlowReadersOfManyAges replaces everything again and again. Each time a client asks for
// everything and reads nothing. What all of them keep in memory is bounded, and the newest are
// not cut off. It is not parallel: other tests would use memory, too.
func TestSlowReadersOfManyAges(t *testing.T) {
	const (
		stored = 2_000 // some 0.7 MB in all
		ages   = 32
		recent = 4 << 20
		older  = 2 << 20
		most   = recent + older + 3<<20 // with what belongs to the index itself, the connections and the test
	)
	lists := [][]*event.Entry{many(t, stored), retitled(t, stored)}
	for _, coding := range []string{"identity", "gzip"} {
		t.Run(coding, func(t *testing.T) {
			x := loaded(t, lists[0]...)
			var logged record
			h := newSearch(Search{Index: x, Log: quiet}, recent, older)
			inBubble(t, h, logged.log(), func(t *testing.T, b bubble) {
				before := heap()
				var conns []net.Conn
				for age := range ages {
					conns = append(conns, b.Connect(t, "GET /search HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "+coding+"\r\n\r\n"))
					synctest.Wait() // the answer waits to be read
					x.Apply(lists[(age+1)%2])
				}
				synctest.Wait()
				kept := heap() - before
				t.Logf("%d kB are kept, all that was replaced had %d kB", kept>>10, x.Snapshot().Replaced>>10)
				if kept > most {
					t.Errorf("%d kB are kept, want at most %d", kept>>10, most>>10)
				}
				if x.Snapshot().Replaced < most*3/2 {
					t.Error("too little was replaced to show anything")
				}
				cut := 0
				for i, conn := range conns {
					ended := cutOff(t, conn)
					if ended {
						cut++
					}
					if ended && i >= ages-3 {
						t.Errorf("reader %d of %d was cut off", i, ages)
					}
					_ = conn.Close()
				}
				if got := b.counts.Slow.Load(); got != int64(cut) {
					t.Errorf("%d of %d are counted", got, cut)
				}
				t.Logf("%d of %d were cut off", cut, ages)
				runtime.KeepAlive(x)
			})
			if !strings.Contains(logged.String(), "slow clients keep as much in memory") {
				t.Errorf("logged %q", logged.String())
			}
		})
	}
}

// TestSlowReadersKeepSmallAnswers has a client that reads a large answer slowly, while updates
// replace everything many times and other clients ask for more than they may keep. It gets its
// answer whole, as of when it asked.
func TestSlowReadersKeepSmallAnswers(t *testing.T) {
	t.Parallel()
	const (
		stored = 2_000
		recent = 2 << 20
		older  = 2 << 20
	)
	lists := [][]*event.Entry{many(t, stored), retitled(t, stored)}
	x := loaded(t, lists[0]...)
	h := newSearch(Search{Index: x, Log: quiet}, recent, older)
	inBubble(t, h, quiet, func(t *testing.T, b bubble) {
		target := window(lists[0], 100, 1_500)
		want := doWith(t, b.Client, request(t, "GET", "http://127.0.0.1:8080"+target.String()))
		slow := b.Connect(t, "GET "+target.String()+" HTTP/1.1\r\nHost: x\r\n\r\n")
		conns := []net.Conn{slow}
		for range 4 {
			conns = append(conns, b.Connect(t, wantSearch))
		}
		var answer bytes.Buffer
		for age := range 25 {
			if _, err := io.CopyN(&answer, slow, 10_000); err != nil {
				t.Fatal(age, err)
			}
			synctest.Wait()
			x.Apply(lists[(age+1)%2])
			time.Sleep(time.Second) // simulated
		}
		if _, err := io.CopyN(&answer, slow, int64(len(want.body)-(answer.Len()-bytes.Index(answer.Bytes(), head)))); err != nil {
			t.Fatal(err)
		}
		if _, body, _ := strings.Cut(answer.String(), "\r\n\r\n"); body != want.body {
			t.Error("it is not the answer of its age")
		}
		synctest.Wait()
		if got := b.counts.Slow.Load(); got != 3 { // one of them may be kept beside it
			t.Errorf("%d were cut off, want 3", got)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
}

// TestSmallHold measures how much of an old version of the index a small answer keeps while its
// client does not read. It is not parallel: other tests would use memory, too.
func TestSmallHold(t *testing.T) {
	const clients = 64
	lists := [][]*event.Entry{many(t, 4_000), retitled(t, 4_000)}
	x := loaded(t, lists[0]...)
	h := NewSearch(Search{Index: x, Log: quiet})
	for coding, most := range map[string]int64{"identity": smallHold + 16<<10, "gzip": 112 << 10} {
		inBubble(t, h, quiet, func(t *testing.T, b bubble) {
			var conns []net.Conn
			before := heap()
			for i := range clients {
				target := window(lists[0], 50*i, 250).String()
				conns = append(conns, b.Connect(t, "GET "+target+" HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "+coding+"\r\n\r\n"))
			}
			synctest.Wait()
			x.Apply(lists[1])
			slices.Reverse(lists)
			if kept := (heap() - before) / clients; kept > most {
				t.Errorf("%s: one keeps %d bytes, want at most %d", coding, kept, most)
			} else {
				t.Logf("%s: one keeps %d bytes", coding, kept)
			}
			for _, conn := range conns {
				_ = conn.Close()
			}
		})
	}
}
