//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestRename takes a long path, whose length has two bytes, out of a profile.
func TestRename(t *testing.T) {
	t.Parallel()
	path := "/" + strings.Repeat("x", 200) + "/fever"
	profile := append(append([]byte("before2\xcf\x01"), path...), "\x32\x01after"...)
	if got, want := rename(profile, path, "fever"), []byte("before2\x05fever\x32\x01after"); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
