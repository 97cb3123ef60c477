//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNginx(t *testing.T) {
	t.Parallel()
	path := findNginx()
	if path == "" {
		t.Skip("nginx is not installed (on Debian: apt-get install nginx)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	sizes := []int{3, 1_200_000}
	p, err := startNginx(ctx, path, filepath.Join(t.TempDir(), "nginx"), sizes)
	if err != nil {
		t.Fatal(err)
	}
	for n, enough := range []int{2000, 1} { // nginx by itself ends a connection after 1,000 requests
		a := attack{server: p, questions: bareQuestions(n, sizes[n], windows(generate(0, 100), false, 5, 10)), connections: 1, length: 100 * time.Millisecond}
		for requests := 0; requests < enough; a.length *= 2 {
			s, err := a.run(ctx)
			if err != nil {
				t.Fatal(err)
			}
			requests = s.requests
		}
	}
	if err := p.Stop(); err != nil || p.State() != "exit status 0" {
		t.Errorf("it ended with %s, %v", p.State(), err)
	}
}

func TestNginxThatDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho no such setting >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := startNginx(t.Context(), broken, filepath.Join(dir, "nginx"), []int{1}); err == nil || !strings.Contains(err.Error(), "no such setting") {
		t.Errorf("it starts: %v", err)
	}
}
