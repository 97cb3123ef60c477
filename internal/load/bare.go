//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// bareBody returns a body of the bare handler. Its content does not matter.
func bareBody(size int) []byte { return bytes.Repeat([]byte("x"), size) }

// barePath is the path of the n-th body; it is as long as /search.
func barePath(n int) string { return "/bare-" + strconv.Itoa(n) }

// serveBare is the bare handler: what net/http costs with a ready body. It has the same limits
// as fever.
func serveBare(ctx context.Context, sizes string) error {
	bodies := make(map[string][]byte)
	for n, field := range strings.Split(sizes, ",") {
		size, err := strconv.Atoi(field)
		if err != nil {
			return fmt.Errorf("-bare: %w", err)
		}
		bodies[barePath(n)] = bareBody(size)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, ok := bodies[r.URL.Path]
			if !ok {
				http.NotFound(w, r)
				return
			}
			header := w.Header()
			header["Content-Type"] = []string{"application/json"}
			header["Content-Length"] = []string{strconv.Itoa(len(body))}
			_, _ = w.Write(body) // a client that is gone is no error
		}),
	}
	fmt.Fprintf(os.Stderr, `{"msg":"serving","address":%q}`+"\n", listener.Addr())
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// bareQuestions returns the questions for the n-th body of the bare handler or of nginx, with
// the same queries as for fever.
func bareQuestions(n, size int, windows []window) []question {
	sum := crc32.Checksum(bareBody(size), castagnoli)
	var questions []question
	for _, w := range windows {
		questions = append(questions, question{request: request(barePath(n), w.query(0), false), length: size, sum: sum})
	}
	return questions
}
