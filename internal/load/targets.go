//go:build linux

package main

import "fmt"

// A target is an upper limit of a figure. A missed target is no failure: figures depend on the
// machine and the moment.
type target struct {
	What   string  `json:"what"`
	Figure float64 `json:"figure"`
	Limit  float64 `json:"limit"`
	Met    bool    `json:"met"`
}

func (r *report) judge() {
	at := func(limit, figure float64, format string, args ...any) {
		if figure > 0 { // else it was not measured
			r.Targets = append(r.Targets, target{fmt.Sprintf(format, args...), figure, limit, figure <= limit})
		}
	}
	for i := range r.Rows {
		x := &r.Rows[i]
		if x.Server != fever || x.Rate > 0 || x.Encoding != identity {
			continue
		}
		name := fmt.Sprintf("%d events of %s", x.Size, x.label())
		like := x.key
		if x.Kind == overlap {
			like.Kind = within
			at(2, x.to(r.find(like)), "%s: CPU with match=overlap to within", name)
		}
		if x.Kind != within || x.Months {
			continue
		}
		at(bareLimit(x.Size), x.ToPlain, "%s: CPU to the bare handler's", name)
		at(1.05, x.ToAlike, "%s: CPU to that of the one built alike", name)
		like.Encoding = gzipped
		if z := r.find(like); z != nil && x.Size >= 32 {
			at(1, z.to(x), "%s: CPU with gzip to without", name)
			at(0.25, z.Wire/x.Wire, "%s: bytes on the wire with gzip to without", name)
		}
		if x.Stored != storedCounts[0] {
			like := x.key
			like.Stored = storedCounts[0]
			at(1.25, x.to(r.find(like)), "%s: CPU to that with %d stored", name, storedCounts[0])
		}
	}
	for _, rate := range rates {
		like := key{Server: fever, stock: stock{Stored: storedCounts[0]}, Kind: within, Size: weekEvents, Encoding: identity, Rate: rate, State: idle}
		still := r.find(like)
		like.State = ingesting
		if busy := r.find(like); busy != nil && still != nil {
			at(2, busy.P99/still.P99, "%d requests/s: p99 while a big feed is ingested to p99 when idle", rate)
		}
	}
	if w := r.Job; w != nil {
		at(16, megabytes(w.Serve+w.Child), "a feed of %.0f MB, of which 1%% changed: MB of memory that a job adds", megabytes(w.Bytes))
	}
	for _, w := range r.Memory {
		name := w.label() + " events"
		if w.Ingested {
			name += ", big feeds ingested"
		}
		at(1.5*megabytes(w.Summaries)+64, megabytes(w.Anonymous), "%s: MB of memory", name)
	}
}

// bareLimit is the most that an answer of so many events may cost, as a ratio to the bare handler.
// Of a small one the head, with more fields, is the larger part.
func bareLimit(size int) float64 {
	if size < 32 {
		return 1.1
	}
	return 1
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }
