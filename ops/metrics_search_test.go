package ops

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestLastMinute asks what was counted in the last minute, as time passes.
func TestLastMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newSearchMetrics()
		check := func(answered, shed int, p50, p99 time.Duration) {
			t.Helper()
			near := func(got, want time.Duration) bool { return got >= want/2 && got <= want*5/2 } // as the buckets are
			got := m.lastMinute()
			if got.Answered != answered || got.Shed != shed || !near(got.P50, p50) || !near(got.P99, p99) {
				t.Errorf("%+v, not %d, %d, %s, %s", got, answered, shed, p50, p99)
			}
		}
		check(0, 0, 0, 0)
		for range 98 {
			m.add(http.StatusOK, 80*time.Microsecond)
		}
		for range 2 {
			m.add(http.StatusBadRequest, 3*time.Second)
		}
		m.add(http.StatusServiceUnavailable, time.Nanosecond)
		check(100, 1, 80*time.Microsecond, 3*time.Second)
		time.Sleep(30 * time.Second)
		m.add(http.StatusOK, 80*time.Microsecond)
		check(101, 1, 80*time.Microsecond, 3*time.Second)
		time.Sleep(30 * time.Second)
		check(1, 0, 80*time.Microsecond, 80*time.Microsecond)
		m.add(http.StatusInternalServerError, time.Minute)
		check(1, 0, 80*time.Microsecond, 80*time.Microsecond)
		if n := m.lastMinute().Failed; n != 1 {
			t.Errorf("%d failed", n)
		}
		time.Sleep(34 * time.Second) // the first slot comes round
		m.add(http.StatusOK, time.Millisecond)
		check(1, 0, time.Millisecond, time.Millisecond)
		time.Sleep(time.Hour)
		m.add(http.StatusServiceUnavailable, time.Nanosecond) // in the slot of the failure, perhaps
		check(0, 1, 0, 0)
		if n := m.lastMinute().Failed; n != 0 {
			t.Errorf("%d failed", n)
		}
	})
}

// TestQuantile estimates times within a bucket, between buckets, and past the last.
func TestQuantile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newSearchMetrics()
		for took, want := range map[time.Duration][2]time.Duration{
			time.Microsecond:      {5 * time.Microsecond, 9900 * time.Nanosecond},
			80 * time.Microsecond: {75 * time.Microsecond, 99500 * time.Nanosecond},
			time.Minute:           {10 * time.Second, 10 * time.Second},
		} {
			for range 50 {
				m.add(http.StatusOK, took)
			}
			if got := m.lastMinute(); got.P50 != want[0] || got.P99 != want[1] {
				t.Errorf("%s: %s and %s, not %v", took, got.P50, got.P99, want)
			}
			time.Sleep(time.Hour)
		}
		for _, took := range []time.Duration{20 * time.Microsecond, 2 * time.Second} {
			m.add(http.StatusOK, took)
		}
		if got := m.lastMinute(); got.P50 != 25*time.Microsecond || got.P99 < 2*time.Second || got.P99 > 2500*time.Millisecond {
			t.Errorf("%s and %s", got.P50, got.P99)
		}
	})
}
