package provider_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"fever/provider"
	"fever/provider/feed"
	"fever/provider/simulator"
)

const (
	patience = time.Hour   // a time limit that nothing reaches
	haste    = time.Second // one that what hangs has to reach

	// A body is held as it was received until it is decoded: up to 16 MiB of it, and
	// half as much while the buffer grows. What else there is, garbage included, is
	// far from the 300 MiB that some faults would like to fill.
	maxGrowth = 64 << 20
)

// TestFaults plays every fault to a provider between two good answers. It has to be
// told for what it is, within bounds of time and memory, and to leave nothing behind.
//
// Not parallel, and neither are the faults but those that take their time: what else
// allocates would count.
func TestFaults(t *testing.T) {
	before, after := fixture(t, "plan-list-1.xml"), fixture(t, "plan-list-2.xml")
	for _, fault := range simulator.Faults(before) {
		t.Run(fault.Name, func(t *testing.T) {
			limit := patience
			if fault.Kind == string(feed.KindTimeout) {
				t.Parallel()
				limit = haste
			}
			sim := simulator.New(t, simulator.Body(before))
			patient, hasty := newProvider(t, sim, patience), newProvider(t, sim, limit)
			last, err := patient.Fetch(t.Context(), feed.Validators{}, nil)
			if err != nil {
				t.Fatal(err)
			}

			sim.Play(fault.Steps...)
			grown := watchHeap()
			snapshot, err := hasty.Fetch(t.Context(), last.Validators, nil)
			peak := grown()
			t.Logf("%d bytes read, the heap grew by up to %d KiB: %v", snapshot.Bytes, peak>>10, err)
			wantFault(t, snapshot, err, &fault)
			if snapshot.Bytes > simulator.MaxBytes+1 || peak > maxGrowth {
				t.Errorf("%d bytes read, the heap grew by up to %d bytes", snapshot.Bytes, peak)
			}

			sim.Play(simulator.Gzip(after))
			next, err := patient.Fetch(t.Context(), last.Validators, nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := patient.Read(t.Context(), bytes.NewReader(after), nil)
			if err != nil {
				t.Fatal(err)
			}
			if next.NotModified || !reflect.DeepEqual(next.Events, want.Events) {
				t.Errorf("then comes %+v, want %+v", next, want)
			}
		})
	}
}

// wantFault checks what a fetch made of a fault.
func wantFault(t *testing.T, snapshot *feed.Feed, err error, fault *simulator.Fault) {
	t.Helper()
	failure, ok := errors.AsType[*feed.Error](err)
	if !ok {
		t.Fatalf("the error is %#v", err)
	}
	if failure.Kind != feed.Kind(fault.Kind) {
		t.Errorf("kind %s, want %s", failure.Kind, fault.Kind)
	}
	if failure.HTTPStatus != fault.Status && fault.Status != simulator.AnyStatus {
		t.Errorf("status %d, want %d", failure.HTTPStatus, fault.Status)
	}
	if failure.RetryAfter != fault.RetryAfter {
		t.Errorf("to be tried again after %s, want %s", failure.RetryAfter, fault.RetryAfter)
	}
	if snapshot.Events != nil || snapshot.Seen != 0 || snapshot.NotModified || snapshot.HTTPStatus != failure.HTTPStatus {
		t.Errorf("the feed is %+v, want none", snapshot)
	}
	text := err.Error()
	if !strings.HasPrefix(text, "provider test: fetch from 127.0.0.1:") || !strings.Contains(text, fault.Says) {
		t.Errorf("the message does not say whom it is about and %q", fault.Says)
	}
	if strings.Contains(text, "secret") {
		t.Error("the message says what is secret")
	}
	if len(text) > 1<<10 || strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		t.Errorf("the message of %d bytes is not fit to print: %.200q", len(text), text)
	}
}

// watchHeap starts to watch the memory in use, garbage that is not collected yet
// included. The function that it returns ends that, and returns by how much it grew.
func watchHeap() func() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	before := read()
	peak := before
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				peak = max(peak, read())
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return max(peak, read()) - before
	}
}

// newProvider returns a provider of sim, with secrets in all that is sent to it.
func newProvider(t *testing.T, sim *simulator.Server, limit time.Duration) *provider.Provider {
	t.Helper()
	p, err := provider.New(provider.Config{
		Name:     "test",
		URL:      strings.Replace(sim.URL, "http://", "http://user:secret@", 1) + "/secret?token=secret",
		Header:   http.Header{"X-Token": {"secret"}},
		Timeout:  limit,
		MaxBytes: simulator.MaxBytes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fixture returns a feed of the repository.
func fixture(t *testing.T, name string) []byte {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "testdata", "feeds", name))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
