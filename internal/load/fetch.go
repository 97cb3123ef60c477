//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"fever/internal/harness"
)

// passes is how often each byte of a feed is hashed. With instructions of the processor for SHA-256 that takes about
// as long as to decode it.
const passes = 9

// fetching runs the attack on a server that ingests nothing, while a process gets one version of the big feed after
// the other: so much costs a feed that any program on this machine takes with the lowest priority.
func (b *bench) fetching(ctx context.Context, attack func() error) (err error) {
	if b.fetched == nil {
		if b.fetched, err = startChanging(ctx, bigFeedPlans); err != nil {
			return err
		}
	}
	b.fetched.run(true)
	defer b.fetched.run(false)
	running, stop := context.WithCancel(ctx)
	cmd := harness.Command(running, b.self, "-fetch", b.fetched.url)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		stop()
		return fmt.Errorf("start %s -fetch: %w", b.self, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		stop()
		if e := <-ended; !errors.Is(e, context.Canceled) && err == nil {
			err = fmt.Errorf("%s -fetch: %w", b.self, e)
		}
	}()
	select {
	case <-b.fetched.asked:
		return attack()
	case err := <-ended:
		ended <- err
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetchAgain is the process that fetching starts. It ends with ctx.
func fetchAgain(ctx context.Context, url string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0); err != nil {
		return fmt.Errorf("take the lowest priority: %w", err)
	}
	buffer := make([]byte, 64<<10)
	for {
		if err := hashAll(ctx, url, buffer); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// hashAll gets a document and hashes it several times.
func hashAll(ctx context.Context, url string, buffer []byte) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	digest := sha256.New()
	for {
		n, err := io.ReadFull(response.Body, buffer)
		for range passes {
			digest.Write(buffer[:n])
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}
