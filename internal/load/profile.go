//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"fever/internal/harness"
)

// profileTime is enough for some thousand samples of each kind of search.
const profileTime = 40 * time.Second

// record writes a profile of the processor time of fever under all kinds of searches.
func (b *bench) record(ctx context.Context) error {
	server := b.stored[stock{Stored: storedCounts[0]}]
	if server == nil {
		return errors.New("-profile: -only leaves no search to take a profile of")
	}
	progress("taking a profile for %v", profileTime)
	fetched := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { fetched <- fetchProfile(ctx, server.Ops, b.fever, b.profile) }()
	for {
		for _, m := range b.measures {
			if m.attack.server != server.process || m.Rate > 0 {
				continue
			}
			select {
			case err := <-fetched:
				return err
			default:
			}
			if _, err := m.attack.run(ctx); err != nil {
				cancel()
				return errors.Join(err, <-fetched)
			}
		}
	}
}

// fetchProfile asks the ops listener of a program for a profile.
func fetchProfile(ctx context.Context, ops, program, file string) (err error) {
	url := "http://" + ops + "/debug/pprof/profile?seconds=" + strconv.Itoa(int(profileTime.Seconds()))
	got, err := harness.Get(ctx, url)
	if err != nil {
		return err
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(got))
	if err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}
	profile, err := io.ReadAll(unzipped)
	if err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}
	path, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	if _, err := zipped.Write(rename(profile, path, filepath.Base(path))); err != nil {
		return err
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644) //nolint:gosec // a file of the repository
}

// rename changes a string of a profile, to keep the path of the build out of it. A profile is
// a protocol buffer with all strings in field 6.
func rename(profile []byte, from, to string) []byte {
	field := func(text string) []byte {
		return append(binary.AppendUvarint([]byte{6<<3 | 2}, uint64(len(text))), text...)
	}
	return bytes.ReplaceAll(profile, field(from), field(to))
}
