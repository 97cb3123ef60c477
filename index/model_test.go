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

// search returns the events of a query, and whether there are more than its limit.
func (m model) search(q index.Query) (found []*event.Entry, more bool) {
	for _, e := range m {
		matches := e.Start >= q.From && e.End <= q.To
		if q.Overlap {
			matches = e.Start <= q.To && e.End >= q.From
		}
		if matches && (q.After == nil || e.Compare(q.After) > 0) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *event.Entry) int { return a.Compare(&b.SortKey) })
	if q.Limit > 0 && len(found) > q.Limit {
		return found[:q.Limit], true
	}
	return found, false
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
		m.checkQuery(t, s, index.Query{Window: w})
		if r.IntN(2) == 0 {
			m.checkQuery(t, s, m.query(r, w, times))
		}
	}
	s.Levels() // panics when they are wrong
}

// query returns a random query with a window: for what overlaps it, for a page, or both.
func (m model) query(r *rand.Rand, w event.Window, times int64) index.Query {
	q := index.Query{Window: w, Overlap: r.IntN(4) > 0}
	if r.IntN(2) == 0 {
		q.Limit = 1 + r.IntN(len(m)+1)
	}
	if r.IntN(2) == 0 {
		q.After = &event.SortKey{Start: r.Int64N(times), End: r.Int64N(2 * times)} // of no event
		for _, e := range m {
			if r.IntN(2) == 0 {
				q.After = &e.SortKey
			}
			break // it is a random one
		}
	}
	return q
}

func (m model) checkQuery(t *rapid.T, s *index.Snapshot, q index.Query) {
	got := s.Find(q)
	want, more := m.search(q)
	if !slices.EqualFunc(got, want, same) {
		t.Fatalf("%+v: %s\nwant %s", q, names(got), names(want))
	}
	if err := checkAnswer(s, q, want, more); err != nil {
		t.Fatalf("%+v: %v", q, err)
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
func checkAnswer(s *index.Snapshot, q index.Query, want []*event.Entry, more bool) error {
	var summaries [][]byte
	for _, e := range want {
		summaries = append(summaries, e.Summary)
	}
	text := bytes.Join(summaries, []byte(","))

	var a index.Result
	s.Search(q, &a)
	if a.More != more || a.Events > 0 && a.Last() != want[len(want)-1].SortKey {
		return fmt.Errorf("more events: %t, want %t, after %v", a.More, more, want[len(want)-1])
	}
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
		rare := rapid.SampledFrom([]int{8, 80}).Draw(t, "rare") // only few long events make a level
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
			if r.IntN(rare) == 0 {
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
				if !slices.EqualFunc(x.Snapshot().Find(index.Query{Window: event.Always}), y.Snapshot().Find(index.Query{Window: event.Always}), same) {
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

// TestLevels has so many events, some of which are long, that there are several levels. Batches
// change what lengths there are.
func TestLevels(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const times, ids = 1_000_000, 5_000
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		now := model{}
		batch := func(n int) []*event.Entry {
			rare := []int{1, 5, 40, 200}[r.IntN(4)]
			entries := make([]*event.Entry, n)
			for i := range entries {
				e := &event.Entry{SortKey: event.SortKey{Start: r.Int64N(times)}}
				e.End = e.Start + r.Int64N(100)
				for far := int64(1_000); far <= times && r.IntN(rare) == 0; far *= 30 {
					e.End += r.Int64N(far)
				}
				binary.BigEndian.PutUint32(e.ID[:], r.Uint32N(ids))
				e.Summary = []byte(span(e))
				now[e.ID], entries[i] = e, e
			}
			return entries
		}
		batch(ids)
		x := index.New()
		if err := x.Load(slices.Collect(maps.Values(now))); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			sizes := x.Snapshot().Levels()
			all := 0
			for _, n := range sizes[1:] {
				all += n
			}
			if all > ids/10 {
				t.Fatalf("levels of %d events, which is too many", sizes)
			}
			for range 3 {
				from := r.Int64N(times)
				now.checkQuery(t, x.Snapshot(), now.query(r, event.Window{From: from, To: from + r.Int64N(times/10)}, times))
			}
			x.Apply(batch(r.IntN(ids)))
			if _, stats := x.Snapshot().Recount(); stats != x.Snapshot().Stats {
				t.Fatalf("the statistics are %+v, want %+v", x.Snapshot().Stats, stats)
			}
		}
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
	for _, e := range s.Find(index.Query{Window: event.Always}) {
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
