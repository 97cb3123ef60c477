package ops

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recent
		check := func(answered, shed int, p50, p99 time.Duration) {
			t.Helper()
			near := func(got, want time.Duration) bool { return got >= want-want/8 && got <= want+want/8 }
			got := r.last()
			if got.Answered != answered || got.Shed != shed || !near(got.P50, p50) || !near(got.P99, p99) {
				t.Errorf("%+v, not %d, %d, %s, %s", got, answered, shed, p50, p99)
			}
		}
		check(0, 0, 0, 0)
		for range 98 {
			r.add(http.StatusOK, 80*time.Microsecond)
		}
		for range 2 {
			r.add(http.StatusBadRequest, 3*time.Second)
		}
		r.add(http.StatusServiceUnavailable, time.Nanosecond)
		check(100, 1, 80*time.Microsecond, 3*time.Second)
		time.Sleep(30 * time.Second)
		r.add(http.StatusOK, 80*time.Microsecond)
		check(101, 1, 80*time.Microsecond, 3*time.Second)
		time.Sleep(30 * time.Second)
		check(1, 0, 80*time.Microsecond, 80*time.Microsecond)
		r.add(http.StatusInternalServerError, time.Minute)
		check(1, 0, 80*time.Microsecond, 80*time.Microsecond)
		if n := r.last().Failed; n != 1 {
			t.Errorf("%d failed", n)
		}
		time.Sleep(34 * time.Second) // the first slot comes round
		r.add(http.StatusOK, time.Millisecond)
		check(1, 0, time.Millisecond, time.Millisecond)
		time.Sleep(time.Hour)
		r.add(http.StatusServiceUnavailable, time.Nanosecond) // in the slot of the failure, perhaps
		check(0, 1, 0, 0)
		if n := r.last().Failed; n != 0 {
			t.Errorf("%d failed", n)
		}
	})
}

func TestTimeBuckets(t *testing.T) {
	t.Parallel()
	last := -1
	for d := time.Duration(0); d < time.Hour; d += 1 + d/50 {
		b := timeBucket(d)
		if b < last || b > last+1 {
			t.Fatalf("%s is in bucket %d, after %d", d, b, last)
		}
		last = b
		if middle := bucketTime(b); max(middle-d, d-middle) > max(d/15, 1<<timeUnit) {
			t.Errorf("%s is in the bucket of %s", d, middle)
		}
	}
	if b := timeBucket(1 << 62); b != 255 {
		t.Errorf("bucket %d", b)
	}
	if b := timeBucket(-1); b != 0 {
		t.Errorf("bucket %d", b)
	}
}
