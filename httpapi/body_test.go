package httpapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/google/uuid"

	"fever/event"
	"fever/index"
)

// heap returns how many bytes are in use. Two collections empty the pools.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSlowReaders has clients that ask for everything and read nothing: the memory that each
// holds is bounded. It is not parallel: other tests would use memory, too.
func TestSlowReaders(t *testing.T) {
	const (
		clients = 16
		most    = 116 << 10 // with the runs, and what net/http and the pipe hold
	)
	list := many(t, 24_000) // 2.6 MB, or 0.7 MB, of those that end in time
	for _, e := range list[:len(list):len(list)] {
		if e.ID[0]%2 == 0 {
			e.End = 1 << 40 // each of these cuts a run in two
		}
	}
	h := NewSearch(Search{Index: loaded(t, list...), Log: quiet})
	for _, coding := range []string{"identity", "gzip"} {
		t.Run(coding, func(t *testing.T) {
			inBubble(t, h, quiet, func(t *testing.T, b bubble) {
				before := heap()
				for range clients {
					conn := b.Connect(t, "GET /search?ends_at=9000-01-01T00:00:00Z HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "+coding+"\r\n\r\n")
					defer func() { _ = conn.Close() }()
				}
				synctest.Wait() // all answers wait to be read
				if held := (heap() - before) / clients; held > most {
					t.Errorf("a client holds %d bytes, want at most %d", held, most)
				}
			})
		})
	}
}

// TestBounds makes answers of many sizes from summaries that do not compress, the worst case
// for the buffers.
func TestBounds(t *testing.T) {
	t.Parallel()
	const longest = 7 << 10 // more than a summary can have, with all of its title escaped
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	tests := [][]int{
		{},
		{1},
		{longest},
		slices.Repeat([]int{longest}, 100),
		slices.Repeat([]int{250}, 5_000),
		slices.Repeat([]int{1}, 5_000),
	}
	for less := range 10 { // around what is one piece
		tests = append(tests, append(slices.Repeat([]int{6_500}, 9), pieceSize-9*6_501-20-less*8))
	}
	for range 10 {
		var sizes []int
		for range random.IntN(200) {
			sizes = append(sizes, 1+random.IntN(1+random.IntN(longest)))
		}
		tests = append(tests, sizes)
	}
	for _, sizes := range tests {
		var list []*event.Entry
		var summaries [][]byte
		for i, size := range sizes {
			id := uuid.UUID{byte(i >> 8), byte(i)}
			summaries = append(summaries, noise(size))
			list = append(list, &event.Entry{SortKey: event.SortKey{Start: int64(i), End: int64(i), ID: id}, Summary: summaries[i]})
		}
		want := `{"data":{"events":[` + string(bytes.Join(summaries, []byte(","))) + `]},"error":null}`
		b := bodies.New().(*body)
		snapshot := loaded(t, list...).Snapshot()
		name := fmt.Sprintf("%d bytes", len(want))
		for range 2 {
			var plain, zipped pieces
			snapshot.Search(index.Query{Window: event.Always}, &b.found)
			size, packed := b.size(), b.sizePacked()
			if b.plain(plain.add); plain.Len() != size || plain.String() != want {
				t.Errorf("%s: wrote %d as %d", name, size, plain.Len())
			}
			snapshot.Search(index.Query{Window: event.Always}, &b.found)
			if b.packed(zipped.add); zipped.Len() != packed {
				t.Errorf("%s: wrote %d compressed as %d", name, packed, zipped.Len())
			}
			r, err := gzip.NewReader(&zipped)
			if err != nil {
				t.Fatal(err)
			}
			r.Multistream(false)
			if got, err := io.ReadAll(r); err != nil || string(got) != want || zipped.Len() != 0 {
				t.Errorf("%s: decompressed to %d, %v", name, len(got), err)
			}
			if cap(b.bytes) != pieceSize {
				t.Errorf("%s: the buffer is of %d bytes, want %d", name, cap(b.bytes), pieceSize)
			}
			if most := size/(pieceSize-32<<10) + 1; plain.pieces > most {
				t.Errorf("%s: %d pieces, want at most %d", name, plain.pieces, most)
			}
		}
	}
}

// pieces takes a body and counts its pieces.
type pieces struct {
	bytes.Buffer
	pieces int
}

func (p *pieces) add(piece net.Buffers) bool {
	p.pieces++
	_, err := piece.WriteTo(&p.Buffer)
	return err == nil
}

// TestGone makes no more pieces once the client has gone.
func TestGone(t *testing.T) {
	t.Parallel()
	b := bodies.New().(*body)
	snapshot := loaded(t, many(t, 12_000)...).Snapshot()
	for name, body := range map[string]iter.Seq[net.Buffers]{"plain": b.plain, "packed": b.packed} {
		snapshot.Search(index.Query{Window: event.Always}, &b.found)
		pieces := 0
		body(func(net.Buffers) bool {
			pieces++
			return pieces < 2
		})
		if pieces != 2 {
			t.Errorf("%s: %d pieces", name, pieces)
		}
	}
}

// TestLetsGo checks that a search leaves no snapshot in the pools, where it would keep replaced
// events in memory. It is not parallel: other tests use the pools.
func TestLetsGo(t *testing.T) {
	list := many(t, 10)
	x := loaded(t, list...)
	h := NewSearch(Search{Index: x, Log: quiet})
	var a index.Result
	x.Snapshot().Search(index.Query{Window: event.Always}, &a)
	var text []byte
	for r := range a.Runs {
		text = r.Text()
	}
	old := weak.Make(&text[0]) // of the only segment
	text, a = nil, index.Result{}
	for _, coding := range []string{"identity", "gzip"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(t, http.MethodGet, "/search", "Accept-Encoding: "+coding))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", coding, w.Code, w.Body)
		}
	}
	x.Apply(list[:1])
	runtime.GC() // one leaves what is in the pools
	if old.Value() != nil {
		t.Error("a snapshot outlives its answers")
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

// TestSentLetsGo checks that an answer leaves no snapshot in the pools or on a connection, even
// when sending fails. It is not parallel: other tests use the pools.
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
			var a index.Result
			x.Snapshot().Search(index.Query{Window: event.Always}, &a)
			var text []byte
			for r := range a.Runs {
				text = r.Text()
			}
			old := weak.Make(&text[0]) // of the only segment
			text, a = nil, index.Result{}
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
