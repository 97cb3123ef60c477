package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// A Summary is an event as an answer to a search shows it. What is null is empty.
type Summary struct {
	ID        string      `json:"id"`
	Title     string      `json:"title"`
	StartDate string      `json:"start_date"`
	StartTime string      `json:"start_time"`
	EndDate   string      `json:"end_date"`
	EndTime   string      `json:"end_time"`
	MinPrice  json.Number `json:"min_price"`
	MaxPrice  json.Number `json:"max_price"`
}

// An Answer is that to a search.
type Answer struct {
	Data  *struct{ Events []Summary }
	Error any
}

// namespace is where fever's public ids are made.
var namespace = uuid.MustParse("5f9a3c1e-7d0b-5e4a-9a55-0c6b3f1d2e84")

// PublicID returns the id under which fever shows an event of a provider.
func PublicID(provider, baseID, eventID string) uuid.UUID {
	return uuid.NewSHA1(namespace, []byte(provider+"\x00"+baseID+"\x00"+eventID))
}

// Get returns the body of a page, on a connection of its own. A status other than 200 is
// an error.
func Get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %.200s", url, response.Status, body)
	}
	return body, nil
}

// Free returns an address of the loopback interface that is free, for a program that takes no
// listener. Systems choose none of its ports by themselves, so nobody else gets it by chance
// before the program does.
func Free(ctx context.Context) (string, error) {
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)) //nolint:gosec // a port is no secret
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return address, listener.Close()
	}
}

// Listen serves h at an address of the loopback interface, or at any port of that when it
// is empty, until stop is called.
func Listen(ctx context.Context, address string, h http.Handler) (at string, stop func(), err error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // only the server closes the listener
		}
	}()
	return listener.Addr().String(), func() {
		_ = server.Close() // and the answers under way, as a crash would
		<-done
	}, nil
}

// Pause waits, and reports whether ctx has not ended.
func Pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
