//go:build linux

package main

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

func TestFindIsWhatAFilterFinds(t *testing.T) {
	t.Parallel()
	for _, d := range []dataset{generate(-50, 3000), generate(monthsFrom-50, monthsFrom+3000)} {
		for _, size := range []int{50, 137, 1000, 5000} {
			for _, w := range append(windows(d, false, size, 50), windows(d, true, size, 50)...) {
				want := slices.DeleteFunc(slices.Clone(d), func(e event) bool {
					if w.overlap {
						return e.start > w.to || e.end < w.from
					}
					return e.start < w.from || e.end > w.to
				})
				if got := d.find(w); !slices.Equal(got, want) {
					t.Fatalf("%v: found %d events, a filter %d", w, len(got), len(want))
				}
			}
		}
	}
}

// Without events that start together, nothing would be known of the rest of the order,
// and without long ones, nothing of a window's end.
func TestGenerateMakesTheHardCases(t *testing.T) {
	t.Parallel()
	d := generate(0, 5000)
	var starts, ends, long, soldOut int
	for i, e := range d {
		if i > 0 && d[i-1].start == e.start {
			starts++
			if d[i-1].end == e.end {
				ends++
			}
		}
		if e.end-e.start > 7*24*3600 {
			long++
		}
		if e.summary(0).MinPrice == "" {
			soldOut++
		}
	}
	if starts < 100 || ends < 3 || long < 5 || long > 100 || soldOut < 50 {
		t.Fatalf("%d start together, %d end together too, %d are long, %d sold out", starts, ends, long, soldOut)
	}
}

func TestWindowsHaveAnswersOfTheirSize(t *testing.T) {
	t.Parallel()
	for _, stored := range []stock{{Stored: 5000}, {Stored: 20_000}, {Stored: 100_000, Months: true}} {
		d := generate(stored.first(), stored.first()+stored.Stored)
		for _, size := range answerSizes {
			for _, overlap := range []bool{false, true} {
				if overlap && !slices.Contains(overlapSizes, size) {
					continue
				}
				all, sum := windows(d, overlap, size, 200), 0
				for _, w := range all {
					sum += len(d.find(w))
				}
				if mean := float64(sum) / float64(len(all)); math.Abs(mean/float64(size)-1) > 0.1 {
					t.Errorf("of %s, the windows for %d events have %.1f (overlap: %t)", stored.label(), size, mean, overlap)
				}
			}
		}
	}
}

func TestWriteFeedHasEveryEventOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "feed.xml")
	if err := writeFeed(path, monthsFrom, 5000); err != nil {
		t.Fatal(err)
	}
	feed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, id := range regexp.MustCompile(`plan plan_id="(\d+)"`).FindAllSubmatch(feed, -1) {
		seen[string(id[1])] = true
	}
	if len(seen) != 5000 {
		t.Fatalf("%d events", len(seen))
	}
}

// The feed that is patched from version to version is the one that is written anew.
func TestChangingFeed(t *testing.T) {
	t.Parallel()
	const plans = bigFeedPlans / 10
	c, err := startChanging(t.Context(), plans)
	if err != nil {
		t.Fatal(err)
	}
	c.stop()
	if len(c.feed) < 10e6 {
		t.Errorf("a tenth of the big feed has %d bytes", len(c.feed))
	}
	before := slices.Clone(c.feed)
	for range changeShare + 3 {
		c.next()
	}
	fresh := []byte(feedHead)
	for n := int32(-plans); n < 0; n += 2 {
		fresh = appendBase(fresh, []event{newEvent(n), newEvent(n + 1)}, c.version, nil)
	}
	if fresh = append(fresh, feedTail...); !slices.Equal(c.feed, fresh) {
		t.Error("the patched feed is another than one of its version")
	}
	if len(before) != len(fresh) || slices.Equal(before, fresh) {
		t.Error("the feed is the same, or has another length")
	}
	changed := 0
	for n := int32(-plans); n < 0; n++ {
		e := newEvent(n)
		is := e.summary(c.version) != e.summary(c.version-1)
		if is != changes(n, c.version) {
			t.Fatalf("plan %d changes: %t", n, is)
		}
		if is {
			changed++
		}
	}
	if changed != plans/changeShare {
		t.Errorf("%d plans change", changed)
	}
}
