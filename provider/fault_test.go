package provider

import (
	"bytes"
	"errors"
	"net/http"
	"reflect"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"fever/provider/feed"
	"fever/provider/feed/feverup"
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
			patient, hasty := faultyProvider(t, sim, patience), faultyProvider(t, sim, limit)
			last, err := patient.fetch(t.Context(), feed.Validators{}, nil)
			if err != nil {
				t.Fatal(err)
			}

			sim.Play(fault.Steps...)
			grown := watchHeap()
			snapshot, err := hasty.fetch(t.Context(), last.Validators, nil)
			peak := grown()
			read := wantFault(t, snapshot, err, &fault)
			t.Logf("%d bytes read, the heap grew by up to %d KiB: %v", read, peak>>10, err)
			if read > simulator.MaxBytes+1 || peak > maxGrowth {
				t.Errorf("%d bytes read, the heap grew by up to %d bytes", read, peak)
			}

			sim.Play(simulator.Gzip(after))
			next, err := patient.fetch(t.Context(), last.Validators, nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := patient.read(t.Context(), bytes.NewReader(after), nil)
			if err != nil {
				t.Fatal(err)
			}
			if next.NotModified || !reflect.DeepEqual(next.Events, want.Events) {
				t.Errorf("then comes %+v, want %+v", next, want)
			}
		})
	}
}

// wantFault checks what a fetch made of a fault, and returns how many bytes it has read.
func wantFault(t *testing.T, snapshot *feed.Feed, err error, fault *simulator.Fault) int64 {
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
	if snapshot != nil {
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
	return failure.Bytes
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

// faultyProvider returns a provider of sim, with secrets in all that is sent to it.
func faultyProvider(t *testing.T, sim *simulator.Server, limit time.Duration) *Provider {
	t.Helper()
	p, err := New(Config{
		Format:   feverup.New(0),
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
