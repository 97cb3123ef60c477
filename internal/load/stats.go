//go:build linux

package main

import (
	"math"
	"slices"
	"time"
)

// percentile returns the value that a share of the sorted ones are at or below: the
// nearest rank, which is one of them. Of none it is 0.
func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share*float64(len(sorted)) - 1e-9)) // 0.999 of 1,000 is the 999th, whatever binary makes of it
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median returns the middle of the values, or the mean of the two that are. Of none it
// is NaN.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
