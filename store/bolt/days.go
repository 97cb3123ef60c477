package bolt

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"fever/store"
)

// Days counts all stored events by provider and by the local date that they start on,
// in this order. It reads every event, on all processors.
func (s *Store) Days(ctx context.Context) ([]store.Day, error) {
	var total dayCounts
	err := s.view(func(tx *bbolt.Tx) (err error) {
		total, err = s.countDays(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count the stored events by day: %w", err)
	}
	var days []store.Day
	for provider, dates := range total {
		for text, n := range dates {
			date, err := time.Parse(time.DateOnly, text)
			if err != nil {
				return nil, damaged(s.path, fmt.Sprintf("an event of %s: %v", provider, err))
			}
			days = append(days, store.Day{Provider: provider, Date: date, Events: n})
		}
	}
	slices.SortFunc(days, func(a, b store.Day) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), a.Date.Compare(b.Date))
	})
	return days, nil
}

// dayCounts are numbers of events by provider and date, as the store writes these.
type dayCounts map[string]map[string]int

func (s *Store) countDays(ctx context.Context, tx *bbolt.Tx) (dayCounts, error) {
	total := make(dayCounts)
	var mu sync.Mutex
	err := s.spread(ctx, tx.Bucket(eventsBucket), func(batches <-chan []pair) error {
		counts := make(dayCounts)
		for batch := range batches {
			if err := s.countBatch(counts, batch); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for provider, dates := range counts {
			for date, n := range dates {
				total.of([]byte(provider))[date] += n
			}
		}
		return nil
	})
	return total, err
}

func (s *Store) countBatch(counts dayCounts, batch []pair) error {
	for _, p := range batch {
		start, err := store.DecodeStart(p.key, p.value)
		if err != nil {
			return damaged(s.path, fmt.Sprintf("event %q: %v", p.key, err))
		}
		provider, _, _ := bytes.Cut(p.key, []byte{0})
		date, _, _ := strings.Cut(start, "T")
		counts.of(provider)[date]++
	}
	return nil
}

// of returns the numbers of one provider, and makes room for them when it is new.
func (c dayCounts) of(provider []byte) map[string]int {
	dates := c[string(provider)]
	if dates == nil {
		dates = make(map[string]int)
		c[string(provider)] = dates
	}
	return dates
}
