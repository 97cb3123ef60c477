package ops

import (
	"math/bits"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"fever/ops/page"
)

// recent counts the searches of the last minute, for the status page: Prometheus keeps a
// history, but may be elsewhere, or not there at all. The zero value is ready.
//
// There is one slot for each second, used again after the minute has passed.
type recent struct {
	slots [64]slot
	mu    sync.Mutex // held while a slot is cleared
}

type slot struct {
	second atomic.Int64 // Unix time that it counts, or counted
	shed   atomic.Uint32
	failed atomic.Uint32
	times  [256]atomic.Uint32 // of the other searches, by timeBucket
}

// minute is the number of slots that make up the last minute, the one under way included.
const minute = 60

// add counts a search that ends now. Only the first in a second takes the lock.
func (r *recent) add(status int, took time.Duration) {
	now := time.Now().Unix()
	s := &r.slots[now%int64(len(r.slots))]
	if s.second.Load() != now {
		r.clear(s, now)
	}
	switch status {
	case http.StatusServiceUnavailable:
		s.shed.Add(1)
	case http.StatusInternalServerError:
		s.failed.Add(1)
	default:
		s.times[timeBucket(took)].Add(1)
	}
}

func (r *recent) clear(s *slot, now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.second.Load() == now {
		return
	}
	s.shed.Store(0)
	s.failed.Store(0)
	for i := range s.times {
		s.times[i].Store(0)
	}
	s.second.Store(now)
}

// last returns what was counted in the last minute.
func (r *recent) last() page.Traffic {
	var t page.Traffic
	var times [256]int
	now := time.Now().Unix()
	for i := range r.slots {
		s := &r.slots[i]
		if second := s.second.Load(); second <= now-minute || second > now {
			continue
		}
		t.Shed += int(s.shed.Load())
		t.Failed += int(s.failed.Load())
		for b := range s.times {
			n := int(s.times[b].Load())
			times[b] += n
			t.Answered += n
		}
	}
	t.P50, t.P99 = quantile(times[:], t.Answered, 0.50), quantile(times[:], t.Answered, 0.99)
	return t
}

// quantile returns the time within which a part of all searches were answered.
func quantile(times []int, all int, part float64) time.Duration {
	rank, seen := int(part*float64(all)), 0
	for b, n := range times {
		if seen += n; seen > rank {
			return bucketTime(b)
		}
	}
	return 0
}

// timeUnit is the least difference between times that buckets tell apart, as a shift of
// nanoseconds.
const timeUnit = 8

// timeBucket divides each power of two into eight buckets.
func timeBucket(d time.Duration) int {
	n := uint64(max(d, 0)) >> timeUnit
	if n < 8 {
		return int(n)
	}
	shift := bits.Len64(n) - 4
	return min((shift<<3)+int(n>>shift), 255)
}

// bucketTime returns the middle of a bucket.
func bucketTime(b int) time.Duration {
	const half = 1 << (timeUnit - 1)
	if b < 8 {
		return time.Duration(b)<<timeUnit + half
	}
	shift := b>>3 - 1
	return (time.Duration(8+b&7)<<timeUnit + half) << shift
}
