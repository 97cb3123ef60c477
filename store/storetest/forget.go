package storetest

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"fever/store"
)

// testNothingStored asks for what is not there: the error says what is.
func testNothingStored(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	check := func(want string) {
		t.Helper()
		_, err1 := s.Forget(t.Context(), store.Forgetting{Provider: "x"})
		_, err2 := s.Rename(t.Context(), store.Renaming{From: "x", To: "y"})
		for _, err := range []error{err1, err2} {
			if !errors.Is(err, store.ErrNothing) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%v, not %s", err, want)
			}
		}
	}
	check(": nothing is stored of x, nor of any other")
	Apply(t, s, Snapshot("x", 1))
	if _, err := s.Forget(t.Context(), store.Forgetting{Provider: "x"}); err != nil {
		t.Fatal(err)
	}
	check(": nothing is stored of x, nor of any other") // there is the record, which is to stay
	Apply(t, s, Snapshot("b", 1))
	Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1)))
	check(": nothing is stored of x: there is something of a, b")
	for name := range strings.SplitSeq("cdefghijk", "") {
		Apply(t, s, Snapshot(name, 1))
	}
	check(": there is something of a, b, c, d, e, f, g, h, i, j, and others")
}

// testRenameToOtherKind asks which providers can be renamed to which: a feed of changes does not go on from a
// snapshot, nor the other way round. What is stored of the old name, and of the new one, is a page, a snapshot or nothing.
func testRenameToOtherKind(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	Apply(t, s, page(Snapshot("page", 1, Sample("page", 1, 1)), 1, item("x", Sample("page", 1, 1))))
	Apply(t, s, page(Snapshot("page2", 1), 1))
	Apply(t, s, Snapshot("snap", 1, Sample("snap", 1, 1)))
	Apply(t, s, Snapshot("snap2", 1))
	for _, test := range []struct {
		from, to string
		changes  map[string]bool // by the settings
		refused  string
	}{
		{"page", "page2", nil, ""},
		{"snap", "snap2", nil, ""},
		{"page", "snap", nil, "page has a feed of changes, and snap has none"},
		{"snap", "page", nil, "page has a feed of changes, and snap has none"},
		{"snap", "none", nil, ""},
		{"snap", "none", map[string]bool{"none": false}, ""},
		{"snap", "none", map[string]bool{"none": true}, "none has a feed of changes, and snap has none"},
		{"page", "none", map[string]bool{"none": true}, ""},
		{"page", "none", map[string]bool{"none": false}, "page has a feed of changes, and none has none"},
		{"snap", "snap2", map[string]bool{"snap2": true}, "snap2 has a feed of changes, and snap has none"}, // from now on
		{"snap", "snap2", map[string]bool{"snap": true}, ""},                                                // what is stored of it is not
		{"none", "page", map[string]bool{"none": false}, "page has a feed of changes, and none has none"},
		{"none", "page", nil, ""},
	} {
		r := store.Renaming{From: test.from, To: test.to}
		switch err := r.Check(t.Context(), s, test.changes); {
		case (err != nil) != errors.Is(err, store.ErrOtherKind):
			t.Error(err)
		case test.refused == "" && err != nil, test.refused != "" && (err == nil || !strings.HasSuffix(err.Error(), ": "+test.refused)):
			t.Errorf("%+v, %v: %v, not %q", r, test.changes, err, test.refused)
		}
	}

	// After a renaming only the next page tells.
	moved := store.Renaming{From: "page", To: "moved"}
	if _, err := s.Rename(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	again := store.Renaming{From: "moved", To: "page2"}
	if err := again.Check(t.Context(), s, nil); err != nil {
		t.Error(err)
	}
	if err := again.Check(t.Context(), s, map[string]bool{"page2": true}); err != nil {
		t.Error(err)
	}
	Apply(t, s, page(Snapshot("moved", 2), 1))
	again.To = "snap"
	if err := again.Check(t.Context(), s, nil); !errors.Is(err, store.ErrOtherKind) {
		t.Error(err)
	}
}

// testEditBesideJob forgets and renames although a job runs, which is not to be. What the job
// brings is refused then.
func testEditBesideJob(t *testing.T, place func(*testing.T) Place) {
	for name, edit := range map[string]func(*opened) error{
		"forget": func(s *opened) error {
			_, err := s.Forget(t.Context(), store.Forgetting{Provider: "a"})
			return err
		},
		"forget what is gone": func(s *opened) error {
			_, err := s.Forget(t.Context(), store.Forgetting{Provider: "a", GoneBefore: must(store.ParseCutoff("2100-01-01"))})
			return err
		},
		"rename": func(s *opened) error {
			_, err := s.Rename(t.Context(), store.Renaming{From: "a", To: "b"})
			return err
		},
		"rename to it": func(s *opened) error {
			_, err := s.Rename(t.Context(), store.Renaming{From: "b", To: "a"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, place)
			Apply(t, s, Snapshot("b", 1, Sample("b", 1, 1)))
			Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1), Sample("a", 2, 1)))
			Apply(t, s, Snapshot("a", 2, Sample("a", 1, 1)))
			job := Begin(t, s, "a")
			if err := edit(s); err != nil {
				t.Fatal(err)
			}
			before := [2]any{Records(t, s, Everything), Jobs(t, s, store.JobFilter{})}
			if _, _, err := s.Apply(t.Context(), Snapshot("a", 3, Sample("a", 3, 1)), job); err == nil || errors.Is(err, store.ErrDamaged) {
				t.Errorf("the snapshot of job %d: %v", job.ID, err)
			}
			if after := [2]any{Records(t, s, Everything), Jobs(t, s, store.JobFilter{})}; !reflect.DeepEqual(after, before) {
				t.Errorf("stored are %+v, not %+v", after, before)
			}
		})
	}
}
