package bolt

import (
	"context"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"fever/event"
	"fever/store"
)

// A stopover is a context, and a writer, at which the first to come by is held until it
// may go on.
type stopover struct {
	context.Context
	once          sync.Once
	reached, goOn chan struct{}
}

func (s *stopover) hold() {
	s.once.Do(func() {
		close(s.reached)
		<-s.goOn
	})
}

func (s *stopover) Err() error {
	s.hold()
	return s.Context.Err()
}

func (s *stopover) Done() <-chan struct{} {
	s.hold()
	return s.Context.Done()
}

func (s *stopover) Write(p []byte) (int, error) {
	s.hold()
	return len(p), nil
}

// TestReadersHoldUpNobody holds readers in the middle of their transactions. Meanwhile
// snapshots are committed for which the file must grow to many times its size, and other
// readers begin and end. If one waited, the test would never end.
func TestReadersHoldUpNobody(t *testing.T) {
	t.Parallel()
	if roomToGrow() == 0 {
		t.Skip("files are mapped as large as they are here")
	}
	for name, read := range map[string]func(*Store, *stopover) (int, error){
		"Backup": func(s *Store, stop *stopover) (int, error) {
			_, err := s.Backup(context.Background(), stop)
			return 1, err
		},
		"Records": func(s *Store, stop *stopover) (n int, err error) {
			for _, err = range s.Records(stop, everything) {
				n++
			}
			return n, err
		},
		"Load": func(s *Store, stop *stopover) (int, error) {
			entries, _, err := s.Load(stop)
			return len(entries), err
		},
		"Jobs": func(s *Store, stop *stopover) (n int, err error) {
			for _, err = range s.Jobs(stop, store.JobFilter{}) {
				n++
			}
			return n, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
			before := s.Stats().Size
			stop := &stopover{Context: t.Context(), reached: make(chan struct{}), goOn: make(chan struct{})}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if n, err := read(s, stop); n != 1 || err != nil {
					t.Errorf("read %d, error %v", n, err)
				}
			}()
			<-stop.reached
			for taken := range int64(3) {
				var events []event.Event
				for i := range 100 {
					events = append(events, sample("b", i, 100*(int(taken)+1)))
				}
				apply(t, s, snapshot("b", taken, events...))
				if got := records(t, s, store.Filter{Provider: "b", Window: event.Always}); len(got) != len(events) {
					t.Errorf("%d events of %d", len(got), len(events))
				}
			}
			if after := s.Stats().Size; after < 20*before {
				t.Errorf("the file has grown from %d to %d bytes only", before, after)
			}
			close(stop.goOn)
			<-ended
		})
	}
}

// TestGrowth shows that a small store is a small file, whatever is mapped of it.
func TestGrowth(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for taken := range int64(50) {
		apply(t, s, snapshot("a", taken, sample("a", int(taken), 30)))
		if stats := s.Stats(); stats.Size > 256<<10 || stats.Free > stats.Size*3/4 {
			t.Fatalf("%d snapshots of one event: %d bytes, %d of them free", taken+1, stats.Size, stats.Free)
		}
	}
}

// mappedBytes returns how much of the file is mapped.
func mappedBytes(s *Store) int64 { return reflect.ValueOf(s.db).Elem().FieldByName("datasz").Int() }

// TestMapped shows that only who writes needs room to grow.
func TestMapped(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fever.db")
	s, err := Open(path, keep)
	if err != nil {
		t.Fatal(err)
	}
	if got := mappedBytes(s); got < int64(roomToGrow()) {
		t.Errorf("%d bytes are mapped for writing", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenReadOnly(path); err != nil {
		t.Fatal(err)
	}
	if got := mappedBytes(s); got > 1<<20 {
		t.Errorf("%d bytes are mapped for reading", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
