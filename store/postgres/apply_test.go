package postgres

import (
	"reflect"
	"testing"

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
