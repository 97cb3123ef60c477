package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// A wrapper is a writer of middleware. It can do what the server's writer can, with a ReadFrom of
// its own.
type wrapper struct {
	http.ResponseWriter
	http.Flusher
	readFrom func(io.Reader) (int64, error)
}

func (w wrapper) ReadFrom(r io.Reader) (int64, error) { return w.readFrom(r) }

// TestWrapped sends bodies of many sizes through middleware that reads them in different ways:
// they arrive whole.
func TestWrapped(t *testing.T) {
	t.Parallel()
	sizes := []int{100, 2_000, bufferedSize, bufferedSize + 1, 4_000, 4_500, 30_000, pieceSize - 1, pieceSize, pieceSize + 1, 200_000}
	for name, wrap := range map[string]func(w http.ResponseWriter) func(io.Reader) (int64, error){
		"as it is": func(w http.ResponseWriter) func(io.Reader) (int64, error) {
			return w.(io.ReaderFrom).ReadFrom
		},
		"copied": func(w http.ResponseWriter) func(io.Reader) (int64, error) {
			return func(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{w}, r) }
		},
		"seen": func(w http.ResponseWriter) func(io.Reader) (int64, error) {
			return func(r io.Reader) (int64, error) { return io.Copy(w, io.TeeReader(r, io.Discard)) }
		},
		"bit by bit": func(w http.ResponseWriter) func(io.Reader) (int64, error) {
			return func(r io.Reader) (int64, error) {
				return io.CopyBuffer(struct{ io.Writer }{w}, r, make([]byte, 777))
			}
		},
		"all at once": func(w http.ResponseWriter) func(io.Reader) (int64, error) {
			return func(r io.Reader) (int64, error) {
				body, err := io.ReadAll(r)
				if err != nil {
					return 0, err
				}
				n, err := w.Write(body)
				return int64(n), err
			}
		},
	} {
		base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sized(t, r).ServeHTTP(wrapper{w, w.(http.Flusher), wrap(w)}, r)
		}))
		for _, size := range sizes {
			got := get(t, base+"/?"+strconv.Itoa(size))
			if got.status != http.StatusOK || got.body != string(content(size)) {
				t.Errorf("%s, %d bytes: %d with %d bytes", name, size, got.status, len(got.body))
			}
		}
	}
}

// TestWrappedGivesUp has middleware that stops in the middle of a body: the client sees that the
// rest is missing, and the connection ends.
func TestWrappedGivesUp(t *testing.T) {
	t.Parallel()
	h := newSender(200_000, 0).handler()
	base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(wrapper{w, w.(http.Flusher), func(r io.Reader) (int64, error) {
			return io.CopyN(struct{ io.Writer }{w}, r, 10_000)
		}}, r)
	}))
	reply, err := exchange(t, client, http.MethodGet, base)
	if err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("%d, %v", reply.status, err)
	}
}

// TestOutlived has middleware that answers in place of a slow handler, as [http.TimeoutHandler]
// does. The handler keeps its own writer while the next requests of the connection are answered.
func TestOutlived(t *testing.T) {
	t.Parallel()
	const size = 10_000
	release, ended := make(chan struct{}), make(chan struct{})
	h := newSender(size, 0).handler()
	slow := Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		<-release
		_ = SendBody(w, size, cut(content(size)))
	}), quiet)
	late := httptest.NewRecorder()
	base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "slow" {
			h.ServeHTTP(w, r)
			return
		}
		go slow.ServeHTTP(late, r)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	if got := get(t, base+"/?slow"); got.status != http.StatusServiceUnavailable {
		t.Errorf("the slow one: %d", got.status)
	}
	for n := range 10 {
		if n == 1 {
			close(release)
		}
		if got := get(t, base); got.status != http.StatusOK || got.body != string(content(size)) {
			t.Errorf("the next one: %d with %d bytes", got.status, len(got.body))
		}
	}
	<-ended
	if late.Body.String() != string(content(size)) {
		t.Errorf("the slow one wrote %d bytes", late.Body.Len())
	}
}
