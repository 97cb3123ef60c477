package provider

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"fever/provider/feed"
)

// reads tells of each read before it is done.
type reads struct {
	io.Reader
	before func()
}

func (r *reads) Read(p []byte) (int, error) {
	r.before()
	return r.Reader.Read(p[:min(len(p), 100)])
}

// TestProgressOfARead shows that progress is told of while a document is read.
func TestProgressOfARead(t *testing.T) {
	t.Parallel()
	doc := fixture(t, "plan-list-1.xml")
	var p feed.Progress
	given, seen := bytes.NewReader(doc), int64(0)
	snapshot, err := newProvider(t, "http://a", plenty).read(t.Context(), &reads{given, func() {
		if got, want := p.Bytes.Load(), given.Size()-int64(given.Len()); got != want {
			t.Errorf("%d bytes read, counted %d", want, got)
		}
		if rows := p.Rows.Load(); rows < seen {
			t.Errorf("%d rows seen, and then %d", seen, rows)
		} else {
			seen = rows
		}
	}}, &p)
	if err != nil || snapshot.Seen != 4 || p.Rows.Load() != 4 || p.Bytes.Load() != int64(len(doc)) {
		t.Errorf("%d bytes and %d rows counted, of %d and %d, %v", p.Bytes.Load(), p.Rows.Load(), len(doc), snapshot.Seen, err)
	}
}

// TestProgressOfAFetch shows what was counted at the end of a fetch.
func TestProgressOfAFetch(t *testing.T) {
	t.Parallel()
	doc := inFeed(strings.Repeat(`<event event_id="1" event_start_date="2026-01-01"/>`, 1000))
	cut := doc[:len(doc)/2]
	for _, test := range []struct {
		name, coding string
		body         []byte
		bytes, rows  int64
	}{
		{"as it is", "", []byte(doc), int64(len(doc)), 1000},
		{"compressed", "gzip", gzipped(t, []byte(doc)), int64(len(doc)), 1000},
		{"cut short", "gzip", gzipped(t, []byte(cut)), int64(len(cut)), int64(strings.Count(cut, "/>"))},
		{"compressed in vain", "gzip", gzipped(t, []byte("<x/>")), int64(len(gzipped(t, []byte("<x/>")))), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p feed.Progress
			_, err := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
				if test.coding != "" {
					w.Header().Set("Content-Encoding", test.coding)
				}
				write(t, w, test.body)
			}).fetch(t.Context(), feed.Validators{}, &p)
			if p.Bytes.Load() != test.bytes || p.Rows.Load() != test.rows {
				t.Errorf("counted %d bytes and %d rows, want %d and %d; %v", p.Bytes.Load(), p.Rows.Load(), test.bytes, test.rows, err)
			}
		})
	}
}
