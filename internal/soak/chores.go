//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fever/internal/harness"
)

// chores are what people and programs do beside searches, in turn.
var chores = []func(*watch, context.Context) error{
	func(w *watch, ctx context.Context) error { return w.read(ctx, "/", "<!doctype html>") },
	(*watch).giveFile,
	func(w *watch, ctx context.Context) error { return w.read(ctx, "/jobs?limit=20", `"data"`) },
	func(w *watch, ctx context.Context) error { return w.read(ctx, "/providers", `"is-big"`) },
	(*watch).backUp,
	func(w *watch, ctx context.Context) error { return w.read(ctx, "/readyz", "ready") },
	func(w *watch, ctx context.Context) error {
		_, err := harness.Output(w.fever.command(ctx, "dump", "--jobs", "--limit", "5"))
		return err
	},
	func(w *watch, ctx context.Context) error {
		return w.fever.dump(ctx, w.fever.db, w.market)
	},
}

// read gets a page of the ops listener, which has to contain a text.
func (w *watch) read(ctx context.Context, path, want string) error {
	body, err := harness.Get(ctx, "http://"+w.fever.Ops+path)
	if err == nil && !strings.Contains(strings.ToLower(string(body)), want) {
		err = fmt.Errorf("%s has no %s: %.200s", path, want, body)
	}
	return err
}

// giveFile imports a file as a snapshot, and then must find its events.
func (w *watch) giveFile(ctx context.Context) error {
	s := w.market.byFile
	path := filepath.Join(filepath.Dir(w.fever.db), "snapshot.xml")
	if err := os.WriteFile(path, s.next(true), 0o600); err != nil {
		return err
	}
	if _, err := harness.Output(w.fever.command(ctx, "sync", "--once", "--provider", s.provider, path)); err != nil {
		return err
	}
	c := newChecker(w.market)
	c.seen[s] = s.versions - 1 // nothing older is right any more
	first, end := s.first, s.first+s.events
	body, err := harness.Get(ctx, "http://"+w.fever.Address+search(first, end))
	if err != nil {
		return err
	}
	return c.check(body, first, end)
}

// backUp makes a copy of the data file, and reads it.
func (w *watch) backUp(ctx context.Context) error {
	path := filepath.Join(filepath.Dir(w.fever.db), "backup.db")
	if _, err := harness.Output(w.fever.command(ctx, "backup", "--force", path)); err != nil {
		return err
	}
	return w.fever.dump(ctx, path, w.market)
}
