//go:build linux

package main

import (
	"math"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	var thousand []time.Duration
	for n := range 1000 {
		thousand = append(thousand, time.Duration(n+1))
	}
	for _, test := range []struct {
		sorted []time.Duration
		share  float64
		want   time.Duration
	}{
		{nil, 0.5, 0},
		{thousand[:1], 0, 1},
		{thousand[:1], 0.999, 1},
		{thousand[:2], 0.5, 1},
		{thousand[:3], 0.5, 2},
		{thousand[:10], 0.99, 10},
		{thousand, 0, 1},
		{thousand, 0.5, 500},
		{thousand, 0.99, 990},
		{thousand, 0.999, 999},
		{thousand, 1, 1000},
	} {
		if got := percentile(test.sorted, test.share); got != test.want {
			t.Errorf("%v of %d: %d, and not %d", test.share, len(test.sorted), got, test.want)
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	values := []float64{5, 1, 3}
	if got := median(values); got != 3 || values[0] != 5 {
		t.Error(got, values)
	}
	if got := median([]float64{4, 1, 2, 9}); got != 3 {
		t.Error(got)
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Error(got)
	}
}
