//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// profileTime is enough for some thousand samples of each kind of search.
const profileTime = 40 * time.Second

// record writes a profile of fever's processor time while it is searched in all ways
// in turn.
func (b *bench) record(ctx context.Context) error {
	server := b.stored[storedCounts[0]]
	if server == nil {
		return errors.New("-profile: -only leaves no search to take a profile of")
	}
	progress("taking a profile for %v", profileTime)
	fetched := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { fetched <- fetchProfile(ctx, server.ops, b.profile) }()
	for {
		for _, m := range b.measures {
			if m.attack.server != server.process || m.attack.rate > 0 {
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

// fetchProfile asks the ops listener for a profile.
func fetchProfile(ctx context.Context, ops, file string) (err error) {
	url := "http://" + ops + "/debug/pprof/profile?seconds=" + strconv.Itoa(int(profileTime.Seconds()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}
	return os.WriteFile(file, profile, 0o644) //nolint:gosec // a file of the repository
}
