package store

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
)

// model is the store as simply as it can be said.
type model map[event.Key]event.Record

func (m model) apply(snap Snapshot) (want Applied) {
	current := make(map[event.Key]bool)
	for i := range snap.Events {
		e := &snap.Events[i]
		current[e.Key] = true
		r, known := m[e.Key]
		switch {
		case !known:
			want.New++
			r.FirstSeen = snap.Taken.UTC()
		case !reflect.DeepEqual(r.Event, *e):
			want.Changed++
		default:
			want.Unchanged++
			r.Current = true
			m[e.Key] = r
			continue
		}
		r.Event, r.LastChanged, r.Current = *e, snap.Taken.UTC(), true
		m[e.Key] = r
		want.Events = append(want.Events, e)
	}
	for k, r := range m {
		if k.Provider == snap.Provider && r.Current && !current[k] {
			want.Gone++
			r.Current = false
			m[k] = r
		}
	}
	slices.SortFunc(want.Events, func(a, b *event.Event) int { return cmp.Compare(string(a.Bytes()), string(b.Bytes())) })
	return want
}

// TestModel applies random snapshots of few events with few values, to the store and
// to the model, opens the file again at times, and compares everything each time.
func TestModel(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	files := 0
	rapid.Check(t, func(t *rapid.T) {
		files++
		path := filepath.Join(folder, fmt.Sprint(files))
		open := func() *Store {
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			s.db.NoSync = true // the machine does not fail here, and it is many times faster
			return s
		}
		s := open()
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		m := make(model)
		t.Repeat(map[string]func(*rapid.T){
			"apply": func(t *rapid.T) {
				snap := drawSnapshot(t)
				got, err := s.Apply(t.Context(), snap)
				if err != nil {
					t.Fatal(err)
				}
				if want := m.apply(snap); !reflect.DeepEqual(got, want) {
					t.Fatalf("applied %+v, not %+v", got, want)
				}
			},
			"reopen": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open()
				if err := s.Check(); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				want := inOrder(slices.Collect(maps.Values(m)))
				var got []event.Record
				for r, err := range s.Records(t.Context(), everything) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, r)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("stored are\n%+v\nnot\n%+v", got, want)
				}
			},
		})
	})
}

func drawSnapshot(t *rapid.T) Snapshot {
	snap := Snapshot{
		Provider: rapid.SampledFrom([]string{"a", "a-b", "b"}).Draw(t, "provider"),
		TimeZone: "UTC",
		Taken:    time.UnixMilli(rapid.Int64Range(-1e12, 1e13).Draw(t, "taken")),
	}
	numbers := rapid.SliceOfNDistinct(rapid.IntRange(0, 15), 0, 8, rapid.ID).Draw(t, "events")
	for _, n := range numbers {
		e := sample(snap.Provider, n, rapid.SampledFrom([]int{0, 1, 1, 1, 2, 2, 60}).Draw(t, "zones"))
		e.SoldOut = rapid.Bool().Draw(t, "sold out")
		if len(e.Zones) > 0 {
			e.Zones[0].Capacity = rapid.Int64Min(0).Draw(t, "capacity")
			if rapid.Bool().Draw(t, "free") {
				e.Zones[0].Price = event.Price{}
			}
		}
		snap.Events = append(snap.Events, e)
	}
	return snap
}
