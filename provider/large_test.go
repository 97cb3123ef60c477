package provider

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fever/provider/feed"
	"fever/provider/spool"
)

// large is a feed of one event and many spaces.
func large(spaces int64) io.Reader {
	return io.MultiReader(
		strings.NewReader(inFeed(`<event event_id="1" event_date="2026-01-01"/>`)),
		io.LimitReader(&repeated{s: strings.Repeat(" \n", 512)}, spaces))
}

// Bodies beyond what is held in memory, as they are and compressed. Neither of them
// costs memory in its size, nor leaves a file. Not parallel: it sets the folder for
// temporary files, and what other tests allocate would count.
func TestFetchLarge(t *testing.T) {
	const size = 4 * spool.MaxMemory
	var compressed bytes.Buffer
	z, err := gzip.NewWriterLevel(&compressed, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(z, large(size)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	folders := map[string]struct {
		folder string
		digest bool
	}{
		"with room":    {t.TempDir(), true},
		"without room": {filepath.Join(t.TempDir(), "missing"), false},
	}
	for name, test := range folders {
		for _, coding := range []string{"identity", "gzip"} {
			t.Run(name+"/"+coding, func(t *testing.T) {
				t.Setenv("TMPDIR", test.folder)
				p := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
					body := large(size)
					if coding == "gzip" {
						body = bytes.NewReader(compressed.Bytes())
					}
					w.Header().Set("Content-Encoding", coding)
					_, _ = io.Copy(w, body)
				})
				p.MaxBytes = 2 * size
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
				runtime.ReadMemStats(&after)
				if err != nil || len(snapshot.Events) != 1 || snapshot.Bytes < size {
					t.Fatalf("%+v, %v", snapshot, err)
				}
				if known := snapshot.Validators.Digest != [32]byte{}; known != test.digest {
					t.Errorf("the digest is known: %t", known)
				}
				// All that was ever allocated, garbage included: half of it while memory grew.
				if n := after.TotalAlloc - before.TotalAlloc; n > 3*spool.MaxMemory {
					t.Errorf("%d bytes were allocated for a body of %d", n, size)
				}
				again, err := p.fetch(t.Context(), snapshot.Validators, nil)
				if err != nil || again.NotModified != test.digest || again.Validators != snapshot.Validators {
					t.Errorf("again: %+v, %v", again, err)
				}
				if left, err := filepath.Glob(filepath.Join(test.folder, "*")); err != nil || left != nil {
					t.Errorf("files are left: %q, %v", left, err)
				}
			})
		}
	}
}

// A body that breaks off beyond what is held in memory is no more than one that breaks
// off early, with room for it and without.
func TestFetchLargeFails(t *testing.T) {
	for name, folder := range map[string]string{"with room": t.TempDir(), "without room": filepath.Join(t.TempDir(), "missing")} {
		for _, coding := range []string{"identity", "gzip"} {
			t.Run(name+"/"+coding, func(t *testing.T) {
				t.Setenv("TMPDIR", folder)
				p := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
					var out io.Writer = w
					if coding == "gzip" {
						z, err := gzip.NewWriterLevel(w, gzip.NoCompression)
						if err != nil {
							t.Error(err)
						}
						out = z
					}
					w.Header().Set("Content-Encoding", coding)
					_, _ = io.Copy(out, large(spool.MaxMemory+spool.MaxMemory/2))
					panic(http.ErrAbortHandler)
				})
				p.MaxBytes = 4 * spool.MaxMemory
				snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
				wantFailure(t, snapshot, err, feed.KindConnection, 200)

				p.MaxBytes = spool.MaxMemory + 1000
				snapshot, err = p.fetch(t.Context(), feed.Validators{}, nil)
				wantFailure(t, snapshot, err, feed.KindTooLarge, 200)
				if bytesOf(err) > p.MaxBytes+1 {
					t.Errorf("%d bytes were read", bytesOf(err))
				}
			})
		}
	}
}
