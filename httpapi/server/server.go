// Package server is net/http hardened, for every listener. It has limits and time-outs for
// slow, silent and hostile clients, a bound on connections, a way to send large bodies
// without a copy, and one shape for all errors.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Limits for a client that is slow, silent or hostile.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second // of a whole request
	writeTimeout      = 30 * time.Second // from the end of the request's header to the end of the answer, see SendBody
	idleTimeout       = 2 * time.Minute  // longer than the usual minute of load balancers
	maxHeaderBytes    = 16 << 10
)

// Listen opens addr ("host:port", ":port", or port 0 for any) for [Serve]. The error names
// the address and says what to do.
func Listen(addr string) (net.Listener, error) {
	var config net.ListenConfig
	ln, err := config.Listen(context.Background(), "tcp", addr) // the context is for looking up a host name
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: another program has this address; stop it or choose another: %w", addr, err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: it takes privileges to use this port; choose one from 1024: %w", addr, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listen on %s: this machine does not have the address; leave out the host to use all it has: %w", addr, err)
	default:
		return nil, fmt.Errorf("listen on %q, which should be like 127.0.0.1:8080 or :8080: %w", addr, err)
	}
}

// Serve answers the requests on ln with h until ctx ends. Then it stops accepting and lets
// requests in flight finish for up to grace. After that it closes the connections that are
// left, of slow and silent clients, and logs a warning: this is no error. An error means
// that serving or stopping failed.
//
// The number of connections is bounded. When Serve closes connections to make room it logs a
// warning and counts them in counts, which may be nil.
//
// It closes ln, and returns when its last goroutine has ended. So a handler must return when
// it can no longer write, or when the context of its request has ended.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, grace time.Duration, log *slog.Logger, counts *Connections) error {
	return serve(ctx, ln, h, grace, newConnLimiter(connectionLimit(), log, counts))
}

// serve is Serve with the given limiter.
func serve(ctx context.Context, ln net.Listener, h http.Handler, grace time.Duration, limiter *connLimiter) error {
	server := &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            readHeaderTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		ConnContext:                  withConn,
		Protocols:                    new(http.Protocols), // HTTP/1 alone: a conn has one request at a time
		ErrorLog:                     slog.NewLogLogger(limiter.log.Handler(), slog.LevelWarn),
		ConnState:                    limiter.changed,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" has an Allow like the others
	}
	server.Protocols.SetHTTP1(true)
	defer limiter.ended.Wait()

	served := make(chan error, 1)
	_, unwatched := h.(Unwatched)
	go func() { served <- server.Serve(listener{ln, limiter, unwatched}) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serve on %s: %w", ln.Addr(), err), server.Close())
	case <-ctx.Done():
	}

	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		limiter.log.Warn("cut off the connections that outlived the grace of a stop", "address", ln.Addr(), "connections", limiter.size(), "grace", grace)
		err = server.Close()
	}
	if closed := <-served; !errors.Is(closed, http.ErrServerClosed) {
		err = errors.Join(err, closed)
	}
	if err != nil {
		return fmt.Errorf("stop serving on %s: %w", ln.Addr(), err)
	}
	return nil
}
