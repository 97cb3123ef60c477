package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fever/internal/leak"
	"fever/internal/pipe"
)

func TestMain(m *testing.M) {
	os.Exit(leak.Check(m.Run()))
}

var quiet = slog.New(slog.DiscardHandler)

// A record is a log that tests can read.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *record) log() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// pieceSize and pieceTexts bound the pieces of the bodies in these tests.
const (
	pieceSize  = 64 << 10 // bytes
	pieceTexts = 20
)

// end is the end of every body.
const end = "and that was all"

// content returns a body of so many bytes, with no repetition.
func content(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%x,", i)
	}
	return append(b.Bytes()[:size-len(end)], end...)
}

// cut yields a body in pieces of several slices. All pieces share their memory.
func cut(body []byte) iter.Seq[net.Buffers] {
	return func(yield func(net.Buffers) bool) {
		scratch := make(net.Buffers, 0, pieceTexts+1)
		for rest := body; len(rest) > 0; {
			piece := scratch[:0]
			for size := 0; len(rest) > 0 && len(piece) < pieceTexts && size < pieceSize; {
				n := min(len(rest), 1+size%17+size, pieceSize-size)
				piece, rest, size = append(piece, rest[:n]), rest[n:], size+n
			}
			if !yield(piece) {
				return
			}
			clear(scratch[:cap(scratch)])
		}
	}
}

// A sender answers with a body.
type sender struct {
	body     []byte
	limit    int64 // requests under way; 0: no limit
	inFlight atomic.Int64
	took     atomic.Int64 // of the last request
}

func newSender(size int, limit int64) *sender { return &sender{body: content(size), limit: limit} }

func (s *sender) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	defer func() { s.took.Store(int64(time.Since(began))) }()
	defer s.inFlight.Add(-1)
	if n := s.inFlight.Add(1); s.limit > 0 && n > s.limit && !MakeRoom(r, n, s.limit) {
		WriteError(w, r, quiet, ErrOverloaded)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(s.body)))
	_ = SendBody(w, len(s.body), cut(s.body))
}

// handler returns the sender behind Guard.
func (s *sender) handler() http.Handler { return Unwatched{Guard(s, quiet)} }

// listen serves h on a free port of the loopback interface until the test ends, and
// returns its URL.
func listen(t testing.TB, h http.Handler) string {
	t.Helper()
	ln, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, ln, h, 30*time.Second, quiet, nil) }()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return "http://" + ln.Addr().String()
}

// client keeps its connections, so an answer that is framed wrongly spoils the next one.
var client = &http.Client{Transport: &http.Transport{DisableCompression: true}}

// A reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// exchange sends a request without a body.
func exchange(t testing.TB, c *http.Client, method, url string) (reply, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(body)}, err
}

func get(t testing.TB, url string) reply {
	t.Helper()
	r, err := exchange(t, client, http.MethodGet, url)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A bubble is a server in a synctest bubble.
type bubble struct {
	pipe.Bubble
	counts *Connections
}

// inBubble serves h with at most so many connections.
func inBubble(t *testing.T, h http.Handler, grace time.Duration, log *slog.Logger, connections int, test func(t *testing.T, b bubble)) {
	t.Helper()
	counts := new(Connections)
	pipe.InBubble(t, func(ctx context.Context, ln net.Listener) error {
		return serve(ctx, ln, h, grace, newConnLimiter(connections, log, counts))
	}, func(t *testing.T, b pipe.Bubble) { test(t, bubble{b, counts}) })
}

func (b bubble) get(t *testing.T) reply {
	t.Helper()
	r, err := exchange(t, b.Client, http.MethodGet, "http://127.0.0.1:8080/")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// counted compares what the server has counted.
func (b bubble) counted(t *testing.T, refused, silent, slow int64) {
	t.Helper()
	got := [...]int64{b.counts.Refused.Load(), b.counts.Silent.Load(), b.counts.Slow.Load()}
	if want := [...]int64{refused, silent, slow}; got != want {
		t.Errorf("connections refused, and closed silent and slow: %d, want %d", got, want)
	}
}

// request is answered by every handler in these tests.
const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// failure returns the code and the message of an answer in the shape of all errors.
func (r reply) failure(t testing.TB) (code, message string) {
	t.Helper()
	_, rest, ok1 := strings.Cut(r.body, `{"error":{"code":"`)
	code, rest, ok2 := strings.Cut(rest, `","message":"`)
	message, rest, ok3 := strings.Cut(rest, `"}`)
	if !ok1 || !ok2 || !ok3 || rest != `,"data":null}` || r.header.Get("Content-Type") != "application/json" ||
		r.header.Get("Content-Length") != strconv.Itoa(len(r.body)) || r.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("not an error: %v %s", r.header, r.body)
	}
	return code, message
}
