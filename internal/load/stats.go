//go:build linux

package main

import (
	"math"
	"slices"
	"time"
)

// percentile returns the smallest of the sorted values that has a share of them at or below it
// (nearest rank). Of no values it is 0.
func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share*float64(len(sorted)) - 1e-9)) // 0.999 of 1,000 is the 999th, in spite of rounding
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median returns the middle value, or the mean of the two middle ones. Of no values it is NaN.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
