package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"fever/event"
)

// A wrapper is what middleware puts around the server's writer: it has all that this
// can do, and something of its own on the way.
type wrapper struct {
	http.ResponseWriter
	http.Flusher
	readFrom func(io.Reader) (int64, error)
}

func (w wrapper) ReadFrom(r io.Reader) (int64, error) { return w.readFrom(r) }

// TestWrapped sends answers of all sizes through middleware that reads the body on its
// way, each in another manner, and looks whether they come whole.
func TestWrapped(t *testing.T) {
	t.Parallel()
	list := many(t, 1_000)
	for i, e := range list {
		if i%3 == 0 {
			e.End = 1 << 40 // each of these cuts a run in two
		}
	}
	h := NewSearch(Search{Index: loaded(t, append([]*event.Entry(nil), list...)...), Log: quiet})
	plain := listen(t, h)
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
		wrapped := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(wrapper{w, w.(http.Flusher), wrap(w)}, r)
		}))
		for _, events := range []int{1, 10, 14, 20, 200, 901} {
			for _, coding := range []string{"identity", "gzip"} {
				target := window(list, 1, events).String()
				want, got := get(t, plain+target, "Accept-Encoding: "+coding), get(t, wrapped+target, "Accept-Encoding: "+coding)
				if got.status != http.StatusOK || !bytes.Equal(got.wire, want.wire) {
					t.Errorf("%s, %d events, %s: %d with %d bytes, want %d", name, events, coding, got.status, len(got.wire), len(want.wire))
				}
			}
		}
	}
}

// TestWrappedGivesUp has middleware that does not want all of a body: the client must see
// that the rest is missing, and the connection ends.
func TestWrappedGivesUp(t *testing.T) {
	t.Parallel()
	h := NewSearch(Search{Index: loaded(t, many(t, 1_000)...), Log: quiet})
	base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(wrapper{w, w.(http.Flusher), func(r io.Reader) (int64, error) {
			return io.CopyN(struct{ io.Writer }{w}, r, 100_000)
		}}, r)
	}))
	reply, err := exchange(client, request(t, http.MethodGet, base+"/search"))
	if err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("%d, %v", reply.status, err)
	}
}
