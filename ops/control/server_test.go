package control

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"fever/store/bolt"
)

// lost is the answer to a client that has gone.
type lost http.Header

func (l lost) Header() http.Header     { return http.Header(l) }
func (lost) Write([]byte) (int, error) { return 0, net.ErrClosed }
func (lost) WriteHeader(int)           {}

// TestControlBackupCut cannot send all of a copy. The connection must end with it.
func TestControlBackupCut(t *testing.T) {
	t.Parallel()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "fever.db"), 100)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/backup", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("it ended with %v", err)
		}
	}()
	(&Server{Spool: st.Spool, Log: slog.New(slog.DiscardHandler)}).backup(lost{}, r)
}

// TestExplainGone has a client that goes away before it is answered: that is no error of ours.
func TestExplainGone(t *testing.T) {
	t.Parallel()
	s, _ := served(t)
	var logged bytes.Buffer
	s.Log = slog.New(slog.NewTextHandler(&logged, nil))
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/explain?event=a/1/1", http.NoBody)
	s.handle(s.explain).ServeHTTP(lost{}, r)
	if logged.Len() > 0 {
		t.Errorf("the log has %s", &logged)
	}
}
