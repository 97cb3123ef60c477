package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"

	"fever/event"
)

// heap returns how many bytes are in use. Two collections empty the pools.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSlowReaders bounds the memory that clients hold who ask for everything and read
// nothing. It is not parallel: others would use memory too.
func TestSlowReaders(t *testing.T) {
	const (
		clients    = 16
		connection = 24 << 10 // about, of net/http and of the pipe
	)
	h := NewSearch(Search{Index: loaded(t, many(t, 12_000)...), Log: quiet}) // 2.6 MB, or 0.5 MB
	for _, test := range []struct {
		coding string
		most   int64
	}{
		{"identity", pieceSize + connection},
		{"gzip", pieceSize + packedSize + connection},
	} {
		t.Run(test.coding, func(t *testing.T) {
			inBubble(t, h, time.Minute, quiet, func(t *testing.T, b bubble) {
				before := heap()
				for range clients {
					conn := b.connect(t, "GET /search HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "+test.coding+"\r\n\r\n")
					defer func() { _ = conn.Close() }()
				}
				synctest.Wait() // all answers wait to be read
				if held := (heap() - before) / clients; held > test.most {
					t.Errorf("a client holds %d bytes, want at most %d", held, test.most)
				}
			})
		})
	}
}

// TestBounds makes answers of all kinds of sizes from summaries that cannot be
// compressed, the worst case for the buffers.
func TestBounds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	const edge = pieceSize - len(`{"data":{"events":[,]},"error":null}`) // of two summaries in one piece
	tests := [][]int{
		{},
		{1},
		{edge},
		{edge + 1},
		{edge - 100, 99},
		{edge - 100, 100},
		{edge - 100, 101},
		{edge, edge},
		{edge, edge, edge, edge, 1, edge},
		slices.Repeat([]int{250}, 5000),
	}
	for less := 0; less < 200; less += 10 { // five pieces around what is still kept when packed
		tests = append(tests, []int{60_000, 60_000, 60_000, 60_000, packedSize - 240_000 - less})
	}
	for _, sizes := range tests {
		var list []*event.Entry
		var summaries [][]byte
		for i, size := range sizes {
			id := uuid.UUID{byte(i >> 8), byte(i)}
			summaries = append(summaries, noise(size))
			list = append(list, &event.Entry{Start: int64(i), End: int64(i), ID: id, Summary: summaries[i]})
		}
		want := `{"data":{"events":[` + string(bytes.Join(summaries, []byte(","))) + `]},"error":null}`
		a := answers.New().(*answer)
		a.prepare(loaded(t, list...).Snapshot(), event.Always)
		p := packers.New().(*packer)
		if err := p.prepare(a); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%d bytes", len(want))
		for range 2 {
			var plain, zipped bytes.Buffer
			if n, err := a.WriteTo(&plain); err != nil || n != int64(a.size) || plain.String() != want {
				t.Errorf("%s: wrote %d as %d, %v", name, a.size, n, err)
			}
			if n, err := p.WriteTo(&zipped); err != nil || n != int64(p.size) || n != int64(zipped.Len()) {
				t.Errorf("%s: wrote %d compressed as %d, %v", name, p.size, n, err)
			}
			r, err := gzip.NewReader(&zipped)
			if err != nil {
				t.Fatal(err)
			}
			r.Multistream(false)
			if got, err := io.ReadAll(r); err != nil || string(got) != want || zipped.Len() != 0 {
				t.Errorf("%s: decompressed to %d, %v", name, len(got), err)
			}
		}
		if cap(a.piece) != pieceSize || cap(p.out) != packedSize {
			t.Errorf("%s: the buffers are of %d and %d bytes, want %d and %d", name, cap(a.piece), cap(p.out), pieceSize, packedSize)
		}
	}
}

// TestGone stops working for a client that has gone.
func TestGone(t *testing.T) {
	t.Parallel()
	a := answers.New().(*answer)
	a.prepare(loaded(t, many(t, 12_000)...).Snapshot(), event.Always)
	p := packers.New().(*packer)
	if err := p.prepare(a); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]io.WriterTo{"plain": a, "packed": p} {
		w := &leaving{}
		n, err := body.WriteTo(w)
		if !errors.Is(err, io.ErrClosedPipe) || w.writes != 2 || n != w.taken {
			t.Errorf("%s: %d bytes in %d writes, %v; it took %d", name, n, w.writes, err, w.taken)
		}
	}
}

// A leaving client takes the first part of an answer.
type leaving struct {
	writes int
	taken  int64
}

func (l *leaving) Write(b []byte) (int, error) {
	if l.writes++; l.writes > 1 {
		return 0, io.ErrClosedPipe
	}
	l.taken = int64(len(b))
	return len(b), nil
}

// TestLetsGo looks for what a search leaves in the pools: a snapshot there would keep
// events in memory that have been replaced. It is not parallel: others use the pools.
func TestLetsGo(t *testing.T) {
	list := many(t, 10)
	x := loaded(t, list...)
	h := NewSearch(Search{Index: x, Log: quiet})
	old := weak.Make(x.Snapshot())
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
