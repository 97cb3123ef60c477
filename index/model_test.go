package index_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unique"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"fever/event"
	"fever/index"
	"fever/index/deflate"
)

// A model is an index as simple as can be.
type model map[uuid.UUID]*event.Entry

func (m model) search(w event.Window) []*event.Entry {
	var found []*event.Entry
	for _, e := range m {
		if e.Start >= w.From && e.End <= w.To {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *event.Entry) int { return a.Compare(&b.SortKey) })
	return found
}

// check compares some searches of a snapshot with the model.
func (m model) check(t *rapid.T, s *index.Snapshot, r *rand.Rand, times int64) {
	if s.Events != len(m) {
		t.Fatalf("%d events, want %d", s.Events, len(m))
	}
	windows := []event.Window{event.Always}
	for range 2 {
		w := event.Window{From: r.Int64N(times+4) - 2, To: r.Int64N(times+4) - 2}
		windows = append(windows, w, event.Window{From: w.From, To: w.From},
			event.Window{From: math.MinInt64, To: w.To}, event.Window{From: w.From, To: math.MaxInt64})
	}
	for _, w := range windows {
		got, want := s.Find(w), m.search(w)
		if !slices.EqualFunc(got, want, same) {
			t.Fatalf("from %d to %d: %s\nwant %s", w.From, w.To, names(got), names(want))
		}
		if err := checkAnswer(s, w, want); err != nil {
			t.Fatalf("from %d to %d: %v", w.From, w.To, err)
		}
	}
}

// days counts the events as [index.Index.Days] does.
func (m model) days() []index.Day {
	counts := make(map[index.Day]int)
	for _, e := range m {
		_, text, found := strings.Cut(string(e.Summary), `"start_date":"`)
		if found && e.Provider != (unique.Handle[string]{}) {
			date, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
			if err != nil {
				panic(err)
			}
			counts[index.Day{Provider: e.Provider.Value(), Date: date}]++
		}
	}
	days := make([]index.Day, 0, len(counts))
	for day, n := range counts {
		day.Events = n
		days = append(days, day)
	}
	slices.SortFunc(days, func(a, b index.Day) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), a.Date.Compare(b.Date))
	})
	return days
}

func same(a, b *event.Entry) bool {
	return a.SortKey == b.SortKey && bytes.Equal(a.Summary, b.Summary)
}

// checkAnswer compares a result with the expected events.
func checkAnswer(s *index.Snapshot, w event.Window, want []*event.Entry) error {
	var summaries [][]byte
	for _, e := range want {
		summaries = append(summaries, e.Summary)
	}
	text := bytes.Join(summaries, []byte(","))

	var a index.Result
	s.Search(w, &a)
	if got := appendText(nil, &a); !bytes.Equal(got, text) || a.Size != len(text) || a.Events != len(want) {
		return fmt.Errorf("%d events, %d bytes, %.500q\nwant %.500q", a.Events, a.Size, got, text)
	}
	digest := uint64(1)
	for _, e := range want {
		digest = digest*index.Radix + xxhash.Sum64(e.Summary)
	}
	if a.Digest != digest {
		return fmt.Errorf("digest %x, want %x", a.Digest, digest)
	}

	const head = "head"
	sum, bits := crc32.ChecksumIEEE([]byte(head)), deflate.LiteralBits([]byte(head))
	var packer deflate.Writer
	packer.Head()
	packer.Literals([]byte(head))
	for r := range a.Runs {
		sum = r.Checksum(sum)
		bits += r.Packed()
		r.Pack(&packer)
	}
	packer.Tail(sum, uint32(len(head)+a.Size))
	member := packer.Bytes()
	if len(member) != deflate.MemberSize(bits) {
		return fmt.Errorf("a member of %d bytes, said to be %d", len(member), deflate.MemberSize(bits))
	}
	r, err := gzip.NewReader(bytes.NewReader(member))
	if err != nil {
		return err
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != head+string(text) {
		return fmt.Errorf("unpacked to %.500q, %w\nwant %.500q", got, err, text)
	}
	return nil
}

func names(entries []*event.Entry) (s []string) {
	for _, e := range entries {
		s = append(s, fmt.Sprintf("%d: %s", binary.BigEndian.Uint32(e.ID[:]), span(e)))
	}
	return s
}

func span(e *event.Entry) string { return fmt.Sprintf("%d-%d", e.Start, e.End) }

// TestModel applies random batches to an index and to a model of it. Older snapshots must still
// have their own answers.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Few times make many equal keys, few ids many changes, many ids a tree of
		// several levels.
		ids := rapid.SampledFrom([]int{3, 50, 1000}).Draw(t, "ids")
		times := rapid.SampledFrom([]int64{1, 10, 10_000}).Draw(t, "times")
		batch := rapid.SampledFrom([]int{1, 10, 500}).Draw(t, "batch")
		// Ids that end alike are told apart in the map beside the hash table, and times that
		// are far apart fit neither it nor, at their farthest, a segment with others.
		endings := rapid.SampledFrom([]uint32{1, 7, math.MaxUint32}).Draw(t, "endings")
		far := rapid.SampledFrom([]int64{0, 1 << 20, 1 << 30, 1 << 36}).Draw(t, "far")
		// Short summaries bound a segment by its events, long ones by its bytes.
		size := rapid.SampledFrom([]int{1, 300, 1_000}).Draw(t, "size")

		type age struct {
			snapshot *index.Snapshot
			model    model
		}
		x, now, kept := index.New(), model{}, []age(nil)
		if err := x.Load(nil); err != nil {
			t.Fatal(err)
		}
		random := func(t *rapid.T) *rand.Rand { return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)) }
		entry := func(r *rand.Rand) *event.Entry {
			e := &event.Entry{SortKey: event.SortKey{Start: r.Int64N(times)}, Summary: make([]byte, r.IntN(1+r.IntN(size)))}
			for i := range e.Summary {
				e.Summary[i] = "abcdefghijklmnop"[r.IntN(1+r.IntN(16))]
			}
			e.End = e.Start + r.Int64N(1+r.Int64N(times))
			if r.IntN(8) == 0 {
				e.Start -= far
			}
			if r.IntN(8) == 0 {
				e.End += far
			}
			number := uint32(r.IntN(ids))
			binary.BigEndian.PutUint32(e.ID[:], number)
			binary.BigEndian.PutUint32(e.ID[12:], number%endings)
			switch r.IntN(4) {
			case 0: // it has an id, but another one
				e.Summary = fmt.Appendf(nil, `{"id":"%s%s`, uuid.Max, e.Summary)
			case 1, 2:
				e.Summary = fmt.Appendf(nil, `{"id":"%s%s`, e.ID, e.Summary)
			}
			if n := number % 4; n > 0 { // without a provider it is not counted
				e.Provider = unique.Make(string(rune('a' + n)))
			}
			if r.IntN(4) > 0 { // nor without a date
				e.Summary = fmt.Appendf(e.Summary, `,"start_date":"2021-01-%02d","start_time":null}`, 1+r.IntN(20))
			}
			if old := now[e.ID]; old != nil && r.IntN(3) == 0 {
				e.Start, e.End = old.Start, old.End // only the summary has changed
			}
			return e
		}
		t.Repeat(map[string]func(*rapid.T){
			"apply": func(t *rapid.T) {
				r := random(t)
				entries := make([]*event.Entry, r.IntN(batch+1))
				for i := range entries {
					entries[i] = entry(r)
				}
				x.Apply(entries)
				for _, e := range entries {
					now[e.ID] = e
				}
			},
			"load": func(t *rapid.T) {
				r := random(t)
				now = model{}
				for range r.IntN(ids + 1) {
					e := entry(r)
					now[e.ID] = e
				}
				if err := x.Load(slices.Collect(maps.Values(now))); err != nil {
					t.Fatal(err)
				}
			},
			"keep": func(*rapid.T) {
				kept = append(kept, age{x.Snapshot(), maps.Clone(now)})
				kept = kept[max(0, len(kept)-3):]
			},
			"rebuild": func(t *rapid.T) {
				y := index.New()
				if err := y.Load(slices.Collect(maps.Values(now))); err != nil {
					t.Fatal(err)
				}
				if _, stats := x.Snapshot().Recount(); stats != x.Snapshot().Stats {
					t.Fatalf("the statistics are %+v, want %+v", x.Snapshot().Stats, stats)
				}
				if most := x.Snapshot().Largest(); most > index.MaxText {
					t.Fatalf("a segment of %d bytes", most)
				}
				if !slices.EqualFunc(x.Snapshot().Find(event.Always), y.Snapshot().Find(event.Always), same) {
					t.Fatal("a full rebuild is not what the batches made")
				}
			},
			"": func(t *rapid.T) {
				r := random(t)
				now.check(t, x.Snapshot(), r, times)
				if got, want := x.Days(), now.days(); !slices.Equal(got, want) {
					t.Fatalf("the days are %v, want %v", got, want)
				}
				if len(kept) > 0 {
					k := kept[r.IntN(len(kept))]
					k.model.check(t, k.snapshot, r, times)
				}
			},
		})
	})
}

// TestReadersSeeWholeBatches has readers at work while a writer replaces and moves
// every event, batch after batch. All events of one batch carry its number.
func TestReadersSeeWholeBatches(t *testing.T) {
	t.Parallel()
	const events, batches, readers = 500, 100, 4
	r := rand.New(rand.NewPCG(5, 6))
	generation := func(number uint64) []*event.Entry {
		entries := make([]*event.Entry, events)
		for i := range entries {
			e := &event.Entry{SortKey: event.SortKey{Start: r.Int64N(1000), ID: id(i)}, Summary: binary.BigEndian.AppendUint64(nil, number)}
			if e.End = e.Start + r.Int64N(100); i%2 == 0 {
				e.Start, e.End = int64(i), int64(i) // stays where it is
			}
			entries[i] = e
		}
		return entries
	}
	x := loaded(t, generation(0))

	done := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			var newest uint64
			for last := false; !last; {
				select {
				case <-done:
					last = true
				default:
				}
				s := x.Snapshot()
				first, err := age(s, events)
				again, errAgain := age(s, events)
				switch {
				case err != nil || errAgain != nil:
					t.Errorf("%v, %v", err, errAgain)
					return
				case first != again:
					t.Errorf("one snapshot is of age %d, then of age %d", first, again)
					return
				case first < newest:
					t.Errorf("a snapshot of age %d after one of age %d", first, newest)
					return
				case last && first != batches:
					t.Errorf("the last snapshot is of age %d, want %d", first, batches)
				}
				newest = first
			}
		})
	}
	for number := range uint64(batches) {
		x.Apply(generation(number + 1))
	}
	close(done)
	wg.Wait()
}

// age returns the batch that all entries of a snapshot are from, or an error when there are several.
func age(s *index.Snapshot, events int) (uint64, error) {
	var number uint64
	var before *event.Entry
	n := 0
	for _, e := range s.Find(event.Always) {
		g := binary.BigEndian.Uint64(e.Summary)
		if n++; n == 1 {
			number = g
		}
		if g != number {
			return 0, fmt.Errorf("a snapshot of two ages, %d and %d", number, g)
		}
		if before != nil && before.Compare(&e.SortKey) >= 0 {
			return 0, fmt.Errorf("%s before %s", span(before), span(e))
		}
		before = e
	}
	if n != events || s.Events != events {
		return 0, fmt.Errorf("%d events of %d, want %d", n, s.Events, events)
	}
	return number, nil
}
