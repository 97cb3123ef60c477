package postgres

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/internal/postgrestest"
	"fever/store"
	"fever/store/storetest"
)

// TestEncodedLimit applies snapshots of which all events, some and none are kept encoded: what is
// stored is the same.
func TestEncodedLimit(t *testing.T) {
	t.Parallel()
	snap := benchSnapshot("feed", 0, 20, 3)
	var enc store.Encoder
	encoded := enc.Encode(&snap.Events[0])
	var want []event.Record
	for name, limit := range map[string]int{"all": encodedLimit, "some": 10 * len(encoded), "none": 0} {
		s := open(t, postgrestest.Database(t))
		s.encodedLimit = limit
		rows, err := snap.Rows()
		c := changes{snap: &snap, rows: rows}
		if err == nil {
			err = c.hash(t.Context(), limit)
		}
		if err != nil {
			t.Fatal(err)
		}
		if kept := len(c.encoded); (kept == 20) != (name == "all") || (kept == 0) != (name == "none") {
			t.Errorf("%s: %d are kept", name, kept)
		}
		storetest.Apply(t, s, snap)
		got := storetest.Records(t, s, storetest.Everything)
		if want == nil {
			want = got
		}
		if len(got) != 20 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d records, other ones", name, len(got))
		}
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestCompression holds that the server's faster compression is used where there is one.
func TestCompression(t *testing.T) {
	t.Parallel()
	s := open(t, postgrestest.Database(t))
	var can, does bool
	err := s.pool.QueryRow(t.Context(), `select exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any(enumvals)),
		coalesce(to_jsonb(a) ->> 'attcompression' = 'l', false) from pg_attribute as a where attrelid = 'fever.event'::regclass and attname = 'detail'`).Scan(&can, &does)
	if err != nil || can != does {
		t.Errorf("the server has lz4: %t, and uses it: %t, %v", can, does, err)
	}
}

// TestHistoryOff changes an event while history is kept, while it is not, and while it is again.
func TestHistoryOff(t *testing.T) {
	t.Parallel()
	st, err := opens(postgrestest.Database(t))(keep, storetest.History)
	if err != nil {
		t.Fatal(err)
	}
	s := st.(*Store)
	for n, history := range []time.Duration{storetest.History, storetest.History, 0, storetest.History} {
		s.History = history
		storetest.Apply(t, s, storetest.Snapshot("a", int64(n), storetest.With(storetest.Sample("a", 1, 1), func(e *event.Event) { e.Zones[0].Capacity = int64(n) })))
		if got, want := len(storetest.Versions(t, s, storetest.Sample("a", 1, 1).Key)), []int{1, 2, 1, 2}[n]; got != want {
			t.Errorf("after snapshot %d: %d versions, not %d", n, got, want)
		}
	}
	if err := errors.Join(s.Check(), s.Close()); err != nil {
		t.Error(err)
	}
}

// TestHistoryDamaged changes what is stored of a history.
func TestHistoryDamaged(t *testing.T) {
	t.Parallel()
	for statement, say := range map[string]string{
		"update fever.history set at = at + 1":                                                 "its columns are not as its value has them",
		"update fever.history set key = 'a'":                                                   "checksum",
		"delete from fever.history where position > 0 and position < 150":                      "it has a hole",
		"delete from fever.event":                                                              "no such event",
		"update fever.event set last_changed = last_changed + 1":                               "of another time",
		"insert into fever.history select key, position + 70000, at, value from fever.history": "checksum",
	} {
		place := postgrestest.Database(t)
		st, err := opens(place)(keep, storetest.History)
		if err != nil {
			t.Fatal(err)
		}
		for n := range int64(4) {
			storetest.Apply(t, st, storetest.Snapshot("a", n, storetest.With(storetest.Sample("a", 1, 1), func(e *event.Event) { e.Zones[0].Capacity = n })))
		}
		if err := st.Check(); err != nil {
			t.Error(err)
		}
		sql(t, place, statement)
		if err := st.Check(); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", statement, err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}
