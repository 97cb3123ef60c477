//go:build linux

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"fever/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

// minutes returns 5 of them with a sample each second, in which a measure grows, from
// an amount, by so much a minute, and jumps up and down.
func minutes(measure int, from, growth float64) (samples []sample) {
	for second := range 300 {
		s := sample{at: time.Duration(second) * time.Second}
		for i := range s.values {
			s.values[i] = 50
		}
		s.values[measure] = from + growth*float64(second)/60 + float64(second%7)
		samples = append(samples, s)
	}
	return samples
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for measure, b := range bounds {
		if _, err := judge(minutes(measure, 60, 0)); err != nil {
			t.Errorf("nothing grows: %v", err)
		}
		// What a leak of 20 a minute comes to from one third to the other, in MiB or numbers.
		if _, err := judge(minutes(measure, 60, 20)); err == nil || !strings.Contains(err.Error(), b.name) {
			t.Errorf("%s grows: %v", b.name, err)
		}
		if _, err := judge(minutes(measure, 200, -20)); err != nil {
			t.Errorf("%s becomes less: %v", b.name, err)
		}
	}
	// The times of samples count from the start of the warm-up.
	samples := minutes(goroutines, 30, 0)
	for i := range samples[:55] {
		samples[i].values[goroutines] = 5
	}
	if _, err := judge(samples[55:]); err != nil {
		t.Error(err)
	}
	for _, few := range []int{0, 1, 10} {
		if _, err := judge(samples[:few]); err == nil {
			t.Errorf("%d samples are enough", few)
		}
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	picture := draw(minutes(files, 10, 1), 60)
	if strings.Count(picture, "<path") != measures || strings.Count(picture, `class="shade"`) != 2 {
		t.Error(picture)
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	for labels, want := range map[string]string{
		`kind="",provider="a",result="completed"} 4`:   "completed",
		`kind="timeout",provider="a",result="failed"}`: "failed: timeout",
	} {
		if got := outcome(labels); got != want {
			t.Errorf("%s is %q", labels, got)
		}
	}
}
