package index_test

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"fever/event"
	"fever/index"
	"fever/index/deflate"
)

// at makes an entry with a short name for an id.
func at(start, end int64, name string) *event.Entry {
	e := &event.Entry{SortKey: event.SortKey{Start: start, End: end}, Summary: []byte(name)}
	copy(e.ID[:], name)
	return e
}

// search returns the summaries of the answer.
func search(s *index.Snapshot, from, to int64) (names []string) {
	for _, e := range s.Find(index.Query{Window: event.Window{From: from, To: to}}) {
		names = append(names, string(e.Summary))
	}
	return names
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := loaded(t, []*event.Entry{
		at(10, 20, "c"), at(10, 20, "a"), at(10, 20, "b"), at(10, 15, "d"), at(5, 100, "long"), at(20, 20, "point"),
		at(math.MinInt64, math.MinInt64, "first"), at(math.MaxInt64, math.MaxInt64, "last"), at(math.MinInt64, math.MaxInt64, "ever"),
	}).Snapshot()
	for _, test := range []struct {
		name     string
		from, to int64
		want     string
	}{
		{"everything", math.MinInt64, math.MaxInt64, "first ever long d a b c point last"},
		{"both ends are included", 10, 20, "d a b c point"},
		{"one second late", 11, 20, "point"},
		{"one second short", 10, 19, "d"},
		{"one second", 20, 20, "point"},
		{"one second, inside an event", 12, 12, ""},
		{"open start", math.MinInt64, 20, "first d a b c point"},
		{"open end", 10, math.MaxInt64, "d a b c point last"},
		{"ends with the longest", 5, 100, "long d a b c point"},
		{"between", 16, 19, ""},
		{"inverted", 20, 10, ""},
		{"inverted and wide", math.MaxInt64, math.MinInt64, ""},
		{"the very first", math.MinInt64, math.MinInt64, "first"},
		{"the very last", math.MaxInt64, math.MaxInt64, "last"},
	} {
		if got := strings.Join(search(s, test.from, test.to), " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if s.Events != 9 {
		t.Errorf("%d events, want 9", s.Events)
	}
}

func TestSearchDoesNotAllocate(t *testing.T) {
	s := loaded(t, slices.Clone(fewEntries())).Snapshot()
	var a index.Result
	var buf, packed []byte
	var w deflate.Writer
	allocs := testing.AllocsPerRun(100, func() {
		s.Search(index.Query{Window: event.Window{From: 10 * hour, To: 1000 * hour}}, &a)
		buf = appendText(buf[:0], &a)
		w.Reset(packed[:0])
		for r := range a.Runs {
			r.Pack(&w)
		}
		packed = w.Bytes()
	})
	if allocs != 0 || a.Events < 900 || len(buf) != a.Size {
		t.Errorf("%v allocations for %d events of %d bytes, want none", allocs, a.Events, len(buf))
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	x := index.New()
	if x.Snapshot() != nil {
		t.Fatal("an index that was never loaded has a snapshot")
	}
	if err := x.Load(nil); err != nil || x.Snapshot().Events != 0 || search(x.Snapshot(), math.MinInt64, math.MaxInt64) != nil {
		t.Fatalf("loaded with nothing: %v, %d events", err, x.Snapshot().Events)
	}
	if err := x.Load([]*event.Entry{at(2, 2, "b"), at(1, 1, "a")}); err != nil {
		t.Fatal(err)
	}
	if got := search(x.Snapshot(), 0, 9); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("loaded: %q", got)
	}
	if err := x.Load([]*event.Entry{at(3, 3, "b"), at(4, 4, "c")}); err != nil {
		t.Fatal(err)
	}
	x.Apply([]*event.Entry{at(5, 5, "a"), at(6, 6, "b")})
	if got := search(x.Snapshot(), 0, 9); !slices.Equal(got, []string{"c", "a", "b"}) {
		t.Fatalf("loaded again, and a batch: %q", got)
	}
}

func TestLoadRefusesEqualIDs(t *testing.T) {
	t.Parallel()
	x := loaded(t, []*event.Entry{at(1, 1, "a")})
	before := x.Snapshot()
	same := at(7, 7, "twice")
	for _, entries := range [][]*event.Entry{
		{at(2, 2, "b"), at(3, 3, "twice"), at(1, 9, "twice")},
		{same, same, at(2, 2, "b")},
	} {
		err := x.Load(entries)
		if err == nil || !strings.Contains(err.Error(), same.ID.String()) {
			t.Errorf("loaded two entries with one id: %v", err)
		}
	}
	if x.Snapshot() != before || !slices.Equal(search(before, 0, 9), []string{"a"}) {
		t.Error("a load that failed changed the index")
	}
	x.Apply([]*event.Entry{at(5, 5, "a"), at(2, 2, "b")})
	if got := search(x.Snapshot(), 0, 9); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("after a load that failed: %q", got)
	}

	never := index.New()
	if err := never.Load([]*event.Entry{same, same}); err == nil || never.Snapshot() != nil {
		t.Errorf("a first load that fails: %v, snapshot %v", err, never.Snapshot())
	}
}

func TestApplyBeforeLoadPanics(t *testing.T) {
	t.Parallel()
	for _, entries := range [][]*event.Entry{nil, {at(1, 1, "a")}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Apply of %d entries before Load did not panic", len(entries))
				}
			}()
			index.New().Apply(entries)
		}()
	}
}

func TestApplyNothingPublishesNothing(t *testing.T) {
	t.Parallel()
	x := loaded(t, []*event.Entry{at(1, 1, "a")})
	before := x.Snapshot()
	x.Apply(nil)
	x.Apply([]*event.Entry{})
	if x.Snapshot() != before {
		t.Error("a batch without entries made a new snapshot")
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		batch []*event.Entry
		want  string // names in order, with where they start and end
	}{
		{"new", []*event.Entry{at(15, 16, "n")}, "a 10-20, n 15-16, b 20-30"},
		{"a new one with the times of another", []*event.Entry{at(10, 20, "A")}, "A 10-20, a 10-20, b 20-30"},
		{"the same times", []*event.Entry{at(10, 20, "a")}, "a 10-20, b 20-30"},
		{"starts later", []*event.Entry{at(25, 26, "a")}, "b 20-30, a 25-26"},
		{"starts earlier", []*event.Entry{at(1, 30, "b")}, "b 1-30, a 10-20"},
		{"ends earlier", []*event.Entry{at(10, 11, "a")}, "a 10-11, b 20-30"},
		{"ends later", []*event.Entry{at(10, 90, "a")}, "a 10-90, b 20-30"},
		{"changed places", []*event.Entry{at(20, 30, "a"), at(10, 20, "b")}, "b 10-20, a 20-30"},
		{"twice in one batch", []*event.Entry{at(1, 2, "a"), at(3, 4, "a")}, "a 3-4, b 20-30"},
		{"twice, back to where it was", []*event.Entry{at(1, 2, "a"), at(10, 20, "a")}, "a 10-20, b 20-30"},
		{"new and twice", []*event.Entry{at(15, 16, "n"), at(40, 41, "n")}, "a 10-20, b 20-30, n 40-41"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := loaded(t, []*event.Entry{at(10, 20, "a"), at(20, 30, "b")})
			x.Apply(test.batch)
			last := make(map[uuid.UUID]*event.Entry)
			for _, e := range test.batch {
				last[e.ID] = e
			}
			var got []string
			for _, e := range x.Snapshot().Find(index.Query{Window: event.Always}) {
				got = append(got, string(e.Summary)+" "+span(e))
				if want := last[e.ID]; want != nil && !same(e, want) {
					t.Errorf("%s is not the entry that was applied last", e.Summary)
				}
			}
			if s := strings.Join(got, ", "); s != test.want || x.Snapshot().Events != len(got) {
				t.Errorf("%s (%d), want %s", s, x.Snapshot().Events, test.want)
			}
		})
	}
}

// TestApplyTouches shows that the cost of a batch depends on what it changes: it replaces only the
// segments where its events are or were.
func TestApplyTouches(t *testing.T) {
	t.Parallel()
	entries := slices.Clone(fewEntries())
	x := loaded(t, entries)
	for _, batch := range []int{1, 10, 50} {
		for _, moved := range []int64{0, 1000 * hour} {
			before, _ := x.Snapshot().Recount()
			var changed []*event.Entry
			for _, e := range entries[:batch] {
				f := *e
				f.Start, f.End = e.Start+moved, e.End+moved
				f.Summary = append([]byte("changed "), e.Summary...)
				changed = append(changed, &f)
			}
			x.Apply(changed)
			after, stats := x.Snapshot().Recount()
			if stats != x.Snapshot().Stats {
				t.Errorf("the statistics are %+v, want %+v", x.Snapshot().Stats, stats)
			}
			fresh := 0
			for g := range after {
				if !before[g] {
					fresh++
				}
			}
			// An event that moved changes two, and a segment that became too large is two now.
			if most := 4 * batch; fresh == 0 || fresh > most {
				t.Errorf("%d of %d segments are new after %d events changed, want at most %d", fresh, len(after), batch, most)
			}
		}
	}
}

// TestSearchManyRuns searches for more runs than a result keeps.
func TestSearchManyRuns(t *testing.T) {
	t.Parallel()
	const n = 6_000
	entries := make([]*event.Entry, n)
	var inTime []*event.Entry
	for i := range entries {
		entries[i] = &event.Entry{SortKey: event.SortKey{Start: int64(i), End: int64(i), ID: id(i)}, Summary: []byte(strings.Repeat("x", 1+i%50))}
		if i%2 == 0 {
			entries[i].End = 10 * n
		} else {
			inTime = append(inTime, entries[i])
		}
	}
	s := loaded(t, entries).Snapshot()
	w := event.Window{From: 0, To: n}
	for _, limit := range []int{0, 5_000, n} {
		if err := checkAnswer(s, index.Query{Window: w, Limit: limit}, inTime, false); err != nil {
			t.Error(err)
		}
	}
	if err := checkAnswer(s, index.Query{Window: w, Limit: n/2 - 1}, inTime[:n/2-1], true); err != nil {
		t.Error(err)
	}
	var a index.Result
	s.Search(index.Query{Window: w}, &a)
	runs := 0
	for range a.Runs {
		if runs++; runs == n/4 {
			break
		}
	}
	if runs != n/4 {
		t.Errorf("%d runs, want more", runs)
	}
	if s.Search(index.Query{Window: event.Window{From: 3 * n, To: 4 * n}}, &a); a.Events != 0 || a.Size != 0 {
		t.Errorf("%d events of %d bytes when there are none", a.Events, a.Size)
	}
	for range a.Runs {
		t.Error("a run of an answer that has none")
	}
}

// TestSegmentsStayLarge moves events away one by one: segments that become small are joined.
func TestSegmentsStayLarge(t *testing.T) {
	t.Parallel()
	const events = 2_000
	entries := generate(events)
	x := loaded(t, entries)
	slices.SortFunc(entries, func(a, b *event.Entry) int { return a.Compare(&b.SortKey) })
	for i, e := range entries {
		if i%100 != 0 { // they all go to the end
			x.Apply([]*event.Entry{{SortKey: event.SortKey{Start: 1e12 + int64(i), End: 1e12 + int64(i), ID: e.ID}, Summary: e.Summary}})
		}
	}
	var a index.Result
	x.Snapshot().Search(index.Query{Window: event.Window{From: 0, To: 1e11}}, &a)
	segments := 0
	for range a.Runs {
		segments++
	}
	if a.Events != events/100 || segments > 2 {
		t.Errorf("%d events are in %d segments", a.Events, segments)
	}
	if most := x.Snapshot().Largest(); most > index.MaxText {
		t.Errorf("the largest segment has %d bytes, want at most %d", most, index.MaxText)
	}
}

// TestReplaced compares the statistics of memory with the memory in use, of the index itself and
// of all older snapshots. It is not parallel: other tests would use memory, too.
func TestReplaced(t *testing.T) {
	entries := generate(4_000)
	before := heap()
	x := loaded(t, slices.Clone(entries))
	first := x.Snapshot()
	spans := int64(len(entries)) * 16
	if used := heap() - before - spans; used > first.Bytes || used < first.Bytes/2 {
		t.Errorf("the segments take %d bytes, and are said to take %d at most", used, first.Bytes)
	}
	before = heap()
	var old []*index.Snapshot
	for i := range 20 {
		old = append(old, x.Snapshot())
		switch i % 3 {
		case 0: // all
			x.Apply(entries)
		case 1: // scattered
			var some []*event.Entry
			for j := i; j < len(entries); j += 500 {
				some = append(some, entries[j])
			}
			x.Apply(some)
		default:
			if err := x.Load(entries[:len(entries)-i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept, said := heap()-before, x.Snapshot().Replaced-first.Replaced
	if kept > said || kept < said/2 {
		t.Errorf("older snapshots keep %d bytes, and are said to keep %d at most", kept, said)
	}
	runtime.KeepAlive(old)
}

// TestNotify checks that the functions are called once the change is visible.
func TestNotify(t *testing.T) {
	t.Parallel()
	x := index.New()
	var seen []uint64
	x.Notify(func() { seen = append(seen, x.Snapshot().Version) })
	if err := x.Load([]*event.Entry{at(1, 1, "a")}); err != nil {
		t.Fatal(err)
	}
	x.Apply([]*event.Entry{at(2, 2, "b")})
	x.Apply(nil) // nothing changes
	if !slices.Equal(seen, []uint64{1, 2}) {
		t.Errorf("told of versions %d, want 1 and 2", seen)
	}
}
