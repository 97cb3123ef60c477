package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// state is what a store held at one time.
type state struct {
	records    []event.Record
	jobs       []store.Job
	validators feed.Validators // of provider a
	revision   store.Revision
	changes    []string // for each revision up to one more than this: the entries since, or the error
}

func stateOf(t *testing.T, s *Store) state {
	t.Helper()
	v, err := s.Validators(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	all := jobs(t, s, store.JobFilter{})
	for i := range all {
		if job := &all[i]; !job.Trigger.Collects() { // the store looks at the clock for these
			job.Started, job.Finished = time.Time{}, time.Time{}
		}
	}
	_, at, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state{records(t, s, everything), all, v, at, changesOf(t, s, at)}
}

func changesOf(t *testing.T, s *Store, at store.Revision) (all []string) {
	t.Helper()
	for since := range at + 2 {
		var text strings.Builder
		entries, upTo, err := s.Changes(t.Context(), since)
		fmt.Fprintln(&text, upTo, err)
		for _, e := range entries {
			fmt.Fprintln(&text, e.SortKey, string(e.Summary))
		}
		all = append(all, text.String())
	}
	return all
}

// victim is the content of a small store's file with everything that files have: two
// providers, pages of branches, values longer than a page, free pages, events that are
// not current, and jobs that finished and that run.
func victim(t *testing.T) (file []byte, states []state) {
	t.Helper()
	file, states, _ = victimAndPast(t)
	return file, states
}

// A version is what a file was at one time, and what it held then.
type version struct {
	file []byte
	state
}

// victimAndPast returns what the file was before, too.
func victimAndPast(t *testing.T) (file []byte, states []state, past []version) {
	t.Helper()
	s := newStore(t)
	for i := range int64(3) {
		past = append(past, version{read(t, s.path), stateOf(t, s)})
		var events []event.Event
		for n := range 30 {
			events = append(events, sample("a", n, 1+n%3))
		}
		events = append(events, sample("a", 100, 150))
		events[i].Zones[0].Capacity += 1000
		snap := snapshot("a", i, events[i:]...)
		snap.Validators.ETag = strconv.Itoa(int(i))
		apply(t, s, snap)
		past = append(past, version{read(t, s.path), stateOf(t, s)})
		apply(t, s, snapshot("a-b", i, sample("a-b", int(i), 100)))
		job := begin(t, s, "b")
		job.Rejections = slices.Repeat([]feed.Rejection{{Reason: strings.Repeat("x", 100)}}, 40)
		finish(t, s, job)
	}
	states = append(states, stateOf(t, s))
	begin(t, s, "c")
	states = append(states, stateOf(t, s))
	err := s.view(func(tx *bbolt.Tx) error {
		if got := tx.Bucket(eventsBucket).Stats(); got.BranchPageN == 0 || got.LeafOverflowN == 0 {
			t.Errorf("the file is too small: %+v", got)
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return read(t, s.path), states, past
}

// suffer does everything to a file that can be done, and says when something other
// than an error or right data came of it.
//
// bbolt falls back to the state before when the latest meta page is damaged, as after
// a crash, so that one is right as well. Keys in current have no checksum of their own:
// only Check promises that they are right.
func suffer(t *testing.T, what string, file []byte, states []state) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fever.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := func(err error) {
		t.Helper()
		if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrForeign) && !errors.Is(err, store.ErrNewer) {
			t.Errorf("%s: error %v", what, err)
		}
	}
	s, err := Open(path, keep)
	if err != nil {
		bad(err)
		if !bytes.Equal(read(t, path), file) {
			t.Errorf("%s: opening changed the file", what)
		}
		if s, err = OpenReadOnly(path); err != nil { // that looks at fewer things
			bad(err)
			return
		}
	}
	s.db.NoSync = true
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", what, err)
		}
	}()
	checked := s.Check()
	if checked != nil {
		bad(checked)
	}
	_, at, err := s.Load(t.Context())
	if err != nil {
		bad(err)
	}
	whole := err == nil
	for since := range at + 2 {
		if _, _, err := s.Changes(t.Context(), since); err != nil && !errors.Is(err, store.ErrRewritten) {
			bad(err)
			whole = false
		}
	}
	if changes := changesOf(t, s, at); whole && (checked == nil || !s.db.IsReadOnly()) &&
		!slices.ContainsFunc(states, func(s state) bool { return slices.Equal(s.changes, changes) }) {
		t.Errorf("%s: changes %q", what, changes)
	}
	var got []event.Record
	for r, e := range s.Records(t.Context(), everything) {
		if err = e; err == nil {
			got = append(got, r)
		}
	}
	if err != nil {
		bad(err)
	} else if !isOneOf(got, states, checked == nil) {
		t.Errorf("%s: neither an error nor right data", what)
	}
	if v, err := s.Validators(t.Context(), "a"); err != nil {
		bad(err)
	} else if !slices.ContainsFunc(states, func(s state) bool { return s.validators == v }) {
		t.Errorf("%s: validators %+v", what, v)
	}
	var outcomes []store.Job
	for job, e := range s.Jobs(t.Context(), store.JobFilter{}) {
		if err = e; err == nil {
			outcomes = append(outcomes, job)
		}
	}
	if err != nil {
		bad(err)
	} else if !slices.ContainsFunc(states, func(state state) bool {
		want := slices.Clone(state.jobs)
		for i := range want {
			if want[i].State == store.Running && s.db.IsReadOnly() {
				want[i].Interrupt(time.Time{})
			}
		}
		return reflect.DeepEqual(want, outcomes)
	}) {
		t.Errorf("%s: jobs %+v", what, outcomes)
	}
	if s.db.IsReadOnly() {
		return
	}
	if _, err := s.Interrupt(t.Context(), noon); err != nil {
		bad(err)
	}
	if _, err := run(t.Context(), s, snapshot("a", 9, sample("a", 1, 9), sample("a", 999, 9))); err != nil {
		bad(err)
	}
}

func isOneOf(got []event.Record, states []state, current bool) bool {
	for _, state := range states {
		want := state.records
		if len(got) != len(want) {
			continue
		}
		same := true
		for i, r := range got {
			if !current {
				r.Current = want[i].Current
			}
			same = same && reflect.DeepEqual(r, want[i])
		}
		if same {
			return true
		}
	}
	return false
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	file, states := victim(t)
	used, tried := 0, 0 // up to the first the file is needed
	for length := 1; length < len(file); length += 1 + length/7 {
		what := fmt.Sprintf("%d of %d bytes", length, len(file))
		tried++
		suffer(t, what, file[:length], states)
		path := filepath.Join(t.TempDir(), "fever.db")
		if err := os.WriteFile(path, file[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenReadOnly(path)
		if err == nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		used = length
		want := store.ErrDamaged
		if length < 20 { // without the magic number it could be anything
			want = store.ErrForeign
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v", what, err)
		}
		if !bytes.Equal(read(t, path), file[:length]) {
			t.Errorf("%s: opening changed it", what)
		}
	}
	if t.Logf("%d lengths", tried); used < len(file)/3 {
		t.Errorf("%d of %d bytes were enough", used, len(file))
	}
}

func TestOverwrittenPages(t *testing.T) {
	t.Parallel()
	file, states := victim(t)
	random := rand.New(rand.NewPCG(1, 2))
	size := os.Getpagesize()
	tried := 0
	for at := 0; at < len(file); at += size {
		for name, fill := range map[string]func([]byte){
			"zeros":        func(page []byte) { clear(page) },
			"ones":         func(page []byte) { copy(page, bytes.Repeat([]byte{0xFF}, len(page))) },
			"no elements":  func(page []byte) { clear(page[10:12]) }, // the header's count
			"noise":        func(page []byte) { noise(random, page) },
			"noisy body":   func(page []byte) { noise(random, page[16:]) },
			"noisy tail":   func(page []byte) { noise(random, page[len(page)/2:]) },
			"another page": func(page []byte) { copy(page, file[random.IntN(len(file)/size)*size:][:size]) },
		} {
			broken := bytes.Clone(file)
			fill(broken[at : at+size])
			suffer(t, fmt.Sprintf("page %d of %s", at/size, name), broken, states)
			tried++
		}
	}
	t.Logf("%d files", tried)
}

// TestOldPages gives back what a page held at an earlier time, as a disk does that lost a
// write. Where such a page fits, nothing tells it from the one that was lost: then what
// is read must be what the store held once, and nothing twice. All else is an error.
func TestOldPages(t *testing.T) {
	t.Parallel()
	file, states, past := victimAndPast(t)
	held := make(map[string]bool)
	for _, v := range past {
		for _, one := range v.texts() {
			held[one] = true
		}
	}
	for _, state := range states {
		for _, one := range state.texts() {
			held[one] = true
		}
	}
	path := filepath.Join(t.TempDir(), "fever.db")
	size := os.Getpagesize()
	pages, passed := 0, 0
	for i, v := range past {
		for at := 0; at+size <= min(len(file), len(v.file)); at += size {
			broken := bytes.Clone(file)
			if copy(broken[at:at+size], v.file[at:]); bytes.Equal(broken, file) {
				continue
			}
			pages++
			if err := os.WriteFile(path, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readAll(t, path)
			if err != nil {
				if !errors.Is(err, store.ErrDamaged) || !bytes.Equal(read(t, path), broken) {
					t.Errorf("page %d of version %d: error %v, or the file has changed", at/size, i, err)
				}
				continue
			}
			texts := got.texts()
			for _, one := range texts {
				if !held[one] {
					t.Errorf("page %d of version %d: it holds %s", at/size, i, one)
				}
			}
			if slices.Sort(texts); len(slices.Compact(slices.Clone(texts))) != len(texts) {
				t.Errorf("page %d of version %d: something is in it twice", at/size, i)
			}
			if !slices.ContainsFunc(states, func(s state) bool { return slices.Equal(texts, slices.Sorted(slices.Values(s.texts()))) }) {
				passed++
			}
		}
	}
	if t.Logf("%d of %d old pages passed for new ones", passed, pages); passed > pages/20 {
		t.Error("that is too many")
	}
}

// texts says what s holds, but for which events are current: of that there is no
// checksum.
func (s *state) texts() (all []string) {
	for _, r := range s.records {
		r.Current = false
		all = append(all, fmt.Sprintf("%+v", r))
	}
	for _, job := range s.jobs {
		all = append(all, fmt.Sprintf("%+v", job))
	}
	return all
}

// readAll opens a file for writing and reads all events and jobs, up to an error.
func readAll(t *testing.T, path string) (got state, err error) {
	t.Helper()
	s, err := Open(path, keep)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for r, err := range s.Records(t.Context(), everything) {
		if err != nil {
			return got, err
		}
		got.records = append(got.records, r)
	}
	for job, err := range s.Jobs(t.Context(), store.JobFilter{}) {
		if err != nil {
			return got, err
		}
		got.jobs = append(got.jobs, job)
	}
	return got, nil
}

func noise(random *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(random.Uint32())
	}
}

// TestFlippedBits changes one bit at a time: of the beginning of each page, where what
// bbolt follows stands, and of the rest here and there. The strides are no divisors of
// a page: in each it is other bytes.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	file, states := victim(t)
	random := rand.New(rand.NewPCG(3, 4))
	size := os.Getpagesize()
	tried := 0
	for at := range file {
		if at%1301 != 0 && (at%size >= 64 || at%11 != 0) {
			continue
		}
		broken := bytes.Clone(file)
		bit := random.IntN(8)
		broken[at] ^= 1 << bit
		suffer(t, fmt.Sprintf("bit %d of byte %d of page %d", bit, at%size, at/size), broken, states)
		tried++
	}
	t.Logf("%d files", tried)
}

// TestFlippedValue changes one bit within a value of each bucket that has values. Who
// wants to write is refused; who reads learns of it when that value is read.
func TestFlippedValue(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	snap := snapshot("a", 1, sample("a", 1, 1))
	snap.Validators.ETag = "the tag"
	apply(t, s, snap)
	job := begin(t, s, "a")
	job.Rejections = []feed.Rejection{{Reason: "the reason"}}
	finish(t, s, job)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := read(t, s.path)
	for text, bucket := range map[string]string{"Camela": "events", "the tag": "providers", "the reason": "jobs"} {
		broken := bytes.Clone(file)
		for at := 0; bytes.Contains(broken[at:], []byte(text)); at++ { // also where it is no longer used
			at += bytes.Index(broken[at:], []byte(text))
			broken[at] ^= 4
		}
		path := filepath.Join(t.TempDir(), "fever.db")
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, keep); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), bucket+": ") {
			t.Errorf("%s: error %v", bucket, err)
		}
		if !bytes.Equal(read(t, path), broken) {
			t.Errorf("%s: opening changed the file", bucket)
		}
		r, err := OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Check(), r.Close()); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: error %v", bucket, err)
		}
	}
}

// TestCurrentOfNoEvent has a key in current, which has no checksum, that is no event's.
func TestCurrentOfNoEvent(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 15, 30} { // before the events, among them, after them
		s, err := Open(filepath.Join(t.TempDir(), "fever.db"), keep)
		if err != nil {
			t.Fatal(err)
		}
		apply(t, s, snapshot("a", 1, sample("a", 11, 1), sample("a", 12, 1), sample("a", 20, 1)))
		key := sample("a", n, 0).Bytes()
		err = s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(currentBucket).Put(key, nil) })
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(s.path, keep); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "no such event") {
			t.Errorf("%d: error %v", n, err)
		}
	}
}

// TestCurrentDigest has a digest in current that is not that of the event, as when a disk returns
// one of the two from an earlier time.
func TestCurrentDigest(t *testing.T) {
	t.Parallel()
	s, err := Open(filepath.Join(t.TempDir(), "fever.db"), keep)
	if err != nil {
		t.Fatal(err)
	}
	e := sample("a", 1, 1)
	apply(t, s, snapshot("a", 1, e))
	err = s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(currentBucket).Put(e.Bytes(), markOf(store.Digest{1})) })
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.path, keep); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "digest of other values") {
		t.Errorf("error %v", err)
	}
}

// TestPulledAway cuts the file while it is open: the mapping then has no memory behind
// it, and touching that is a signal.
func TestPulledAway(t *testing.T) {
	t.Parallel()
	file, _ := victim(t)
	for _, left := range []int64{0, 1, 2, 3, 6} {
		path := filepath.Join(t.TempDir(), "fever.db")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, keep)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, left*int64(os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		_, _, err1 := s.Load(t.Context())
		_, err2 := run(t.Context(), s, snapshot("a", 9, sample("a", 1, 9)))
		for i, err := range []error{err1, err2, s.Check()} {
			if !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%d pages left, %d: error %v", left, i, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRemovedOrReplaced takes the file's name away while it is open, or gives it to a copy:
// what would be written has no name, and would be lost. It can be saved.
func TestRemovedOrReplaced(t *testing.T) {
	t.Parallel()
	replace := func(path string) error {
		return errors.Join(os.WriteFile(path+".copy", read(t, path), 0o600), os.Rename(path+".copy", path))
	}
	for what, act := range map[string]func(path string) error{"removed": os.Remove, "replaced": replace} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "fever.db")
			s, err := Open(path, keep)
			if err != nil {
				t.Fatal(err)
			}
			apply(t, s, snapshot("a", 1, sample("a", 1, 9)))
			if err := act(path); err != nil {
				t.Fatal(err)
			}
			_, err = run(t.Context(), s, snapshot("a", 2, sample("a", 1, 8)))
			if err == nil || !strings.Contains(err.Error(), path+" was "+what+" while it was in use") {
				t.Errorf("a job: error %v", err)
			}
			_, err = s.Rename(t.Context(), store.Renaming{From: "a", To: "b"})
			if err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("rename: error %v", err)
			}
			if err := s.Stats().Broken; err != nil {
				t.Errorf("it is broken: %v", err) // a restart would lose what is known
			}
			saved, err := s.Spool(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			copied := filepath.Join(t.TempDir(), "saved.db")
			if err := os.WriteFile(copied, must(io.ReadAll(saved)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(saved.Close(), s.Close()); err != nil {
				t.Error(err)
			}
			checkFile(t, copied)
		})
	}
}

// TestCheckFinds puts in what pages and checksums bear but fever never writes.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	key := sample("a", 1, 2).Bytes()
	var enc store.Encoder
	changed := func(f func(e *event.Event)) []byte {
		e := sample("a", 1, 2)
		f(&e)
		fields := enc.Encode(&e)
		return must((&store.Value{Event: fields}).Encode(key))
	}
	put := func(bucket, key, value []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) }
	}
	job := func(change func(*store.Job)) func(*bbolt.Tx) error {
		j := store.Job{ID: 1, Provider: "a", Trigger: store.Manual, State: store.Completed, Started: noon, Finished: noon}
		change(&j)
		key := store.JobKey(j.Provider, j.ID)
		return put(jobsBucket, key, must(store.Seal(key, []any{
			j.Trigger, j.State, 0, j.Started.UnixMilli(), max(0, j.Finished.UnixMilli()), 0, 0, 0, false, 0, 0, 0, 0, 0, 0, 0, []any{}, "", "",
		})))
	}
	item := func(id string, i store.StoredItem) func(*bbolt.Tx) error {
		key := store.ItemKey("a", "", id)
		return put(itemsBucket, key, must(i.Encode(key)))
	}
	both := func(first, second func(*bbolt.Tx) error) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return errors.Join(first(tx), second(tx)) }
	}
	for _, tc := range []struct {
		name   string
		change func(tx *bbolt.Tx) error
		say    string
	}{
		{"a bucket more", func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("z")); return err }, "buckets"},
		{"a bucket among the events", func(tx *bbolt.Tx) error {
			_, err := tx.Bucket(eventsBucket).CreateBucket([]byte("a\x001\x002"))
			return err
		}, "a value of 0 bytes"},
		{"more in meta", put(metaBucket, []byte("z"), nil), "meta holds"},
		{"a key that is none", put(eventsBucket, []byte("a\x001"), must((&store.Value{Event: enc.Encode(new(event.Event))}).Encode([]byte("a\x001")))), "not an event's key"},
		{"an invalid event", put(eventsBucket, key, changed(func(e *event.Event) { e.Title = "" })), "no title"},
		{"no value", put(eventsBucket, key, nil), "a value of 0 bytes"},
		{"a value under another key", put(eventsBucket, key, must(store.Seal([]byte("other"), 1))), "checksum"},
		{"a value of another type", put(eventsBucket, key, must(store.Seal(key, "text"))), "cannot unmarshal"},
		{"a value that is too long", put(eventsBucket, key, make([]byte, 32<<20+1)), "a value of 33554433 bytes"},
		{"null for text", put(eventsBucket, key, must(store.Seal(key, []any{0, 0, []any{"x", nil, "2021-01-01", "", "", "", false, "", "", []byte{0x80}}}))), "not as fever writes it"},
		{"a field less", put(eventsBucket, key, must(store.Seal(key, []any{0, 0, []any{"x", "", "2021-01-01", "", "", "", false, "", ""}}))), "cannot unmarshal"},
		{"a field more", put(eventsBucket, key, must(store.Seal(key, []any{0, 0, []any{"x", "", "2021-01-01", "", "", "", false, "", "", []byte{0x80}, 1}}))), "cannot unmarshal"},
		{"a price range that is not that of the zones", put(eventsBucket, key, must(store.Seal(key, []any{0, 0, []any{"x", "", "2021-01-01", "", "", "", false, "1", "2", []byte{0x80}}}))), "not as fever writes it"},
		{"a price with a zero too many", put(eventsBucket, key, must(store.Seal(key, []any{0, 0, []any{"x", "", "2021-01-01", "", "", "", false, "1.0", "", []byte{0x80}}}))), "not as fever writes it"},
		{"a day that does not exist", put(eventsBucket, key, must(store.Seal(key, []any{0, 0, []any{"x", "", "2021-09-31", "", "", "", false, "", "", []byte{0x80}}}))), "2021-09-31"},
		{"zones that are none", put(eventsBucket, key, must(store.Seal(key, []any{0, 0, []any{"x", "", "2021-01-01", "", "", "", false, "", "", []byte{0x01}}}))), "zones"},
		{"an event of no provider", func(tx *bbolt.Tx) error { return tx.Bucket(providersBucket).Delete([]byte("a")) }, "no such provider"},
		{"a provider that has no name", put(providersBucket, []byte("A"), must((&store.Provider{TimeZone: "UTC"}).Encode([]byte("A")))), "provider name"},
		{"a provider without a zone", put(providersBucket, []byte("a"), must((&store.Provider{}).Encode([]byte("a")))), "not as fever writes it"},
		{"a provider with an entity tag that is too long", put(providersBucket, []byte("a"), must(store.Seal([]byte("a"), []any{"UTC", make([]byte, 1025), []byte{}, make([]byte, 32), ""}))), "entity tag of 1025"},
		{"a provider with a short digest", put(providersBucket, []byte("a"), must(store.Seal([]byte("a"), []any{"UTC", []byte{}, []byte{}, []byte{1}, ""}))), "not as fever writes it"},
		{"a provider with text for bytes", put(providersBucket, []byte("a"), must(store.Seal([]byte("a"), []any{"UTC", "tag", []byte{}, make([]byte, 32), ""}))), "cannot unmarshal"},
		{"a job's key that is none", put(jobsBucket, []byte("a\x001"), nil), "not a job's key"},
		{"a job of no provider", job(func(j *store.Job) { j.Provider = "A" }), "provider name"},
		{"a job without an id", job(func(j *store.Job) { j.ID = 0 }), "no id"},
		{"a job that was never begun", job(func(j *store.Job) { j.Provider, j.ID = "b", 3 }), "the newest job is 3, not 2"},
		{"no job", func(tx *bbolt.Tx) error {
			return errors.Join(tx.Bucket(jobsBucket).Delete(store.JobKey("a", 1)), tx.Bucket(jobsBucket).Delete(store.JobKey("a", 2)))
		}, "the newest job is 0, not 2"},
		{"a job with another's id", job(func(j *store.Job) { j.Provider = "b" }), "another job has its id"},
		{"a job under another key", func(tx *bbolt.Tx) error {
			jobs := tx.Bucket(jobsBucket)
			return jobs.Put(store.JobKey("a", 1), jobs.Get(store.JobKey("a", 2)))
		}, "checksum"},
		{"a job that is pending", job(func(j *store.Job) { j.State = store.Pending }), `state "pending"`},
		{"a job that runs no more", job(func(j *store.Job) { j.State, j.Finished = store.Running, time.Time{} }), "job 1 still runs"},
		{"a job with a word for a time", put(jobsBucket, store.JobKey("a", 2), must(store.Seal(store.JobKey("a", 2), []any{"manual", "running", "noon"}))), "cannot unmarshal"},
		{"an event without a revision", put(eventsBucket, key, must((&store.Value{Event: enc.Encode(pointer(sample("a", 1, 2)))}).Encode(key))), "no revision"},
		{"an event of another revision", put(eventsBucket, key, must((&store.Value{Revision: 7, Event: enc.Encode(pointer(sample("a", 1, 2)))}).Encode(key))), "revision 7 says nothing of it"},
		{"a revision of no event", put(revisionsBucket, revisionKey(1, []byte("a\x001\x002")), nil), "a value of 0 bytes"},
		{"a revision too many", put(revisionsBucket, revisionKey(2, key), nil), "the event is of revision 1"},
		{"a revision with a value", put(revisionsBucket, revisionKey(1, key), []byte{1}), "not as fever writes it"},
		{"a revision's key that is none", put(revisionsBucket, []byte("short"), nil), "not as fever writes it"},
		{"a store behind its events", put(revisionsBucket, headKey, must(store.Seal(headKey, &head{}))), "the store of 0"},
		{"changes beyond the store", put(revisionsBucket, headKey, must(store.Seal(headKey, &head{Revision: 1, Rewritten: 2}))), "rewritten 2"},
		{"no head", put(revisionsBucket, headKey, nil), "revision: a value of 0 bytes"},
		{"a current event that is not stored", put(currentBucket, []byte("a\x001\x002"), nil), "current, but not stored"},
		{"a current event with another digest", put(currentBucket, key, markOf(store.Digest{1})), "digest of other values"},
		{"a current event of no item", put(currentBucket, key, []byte{1}), "does not make it"},
		{"a current event of an item that makes another", both(put(currentBucket, key, []byte("1")), item("1", store.StoredItem{Generation: 1})), "does not make it"},
		{"an item's key that is none", put(itemsBucket, []byte("a\x001"), must((&store.StoredItem{Generation: 1}).Encode([]byte("a\x001")))), "not as fever writes it"},
		{"an item of no generation", item("1", store.StoredItem{}), "not as fever writes it"},
		{"an item of a generation to come", item("1", store.StoredItem{Generation: 1}), "generation 1, of 0"},
		{"an item whose name does not find it", both(put(providersBucket, []byte("a"), must((&store.Provider{TimeZone: "UTC", Stream: store.Stream{Generation: 1}}).Encode([]byte("a")))), item("1", store.StoredItem{Generation: 1, Parent: "x"})), "does not find it"},
		{"a name of no item", put(namesBucket, []byte("a\x00x\x00t\x001"), nil), "1 names of items, not 0"},
		{"a name with a value", put(namesBucket, []byte("a\x00x\x00t\x001"), []byte{1}), "names of items"},
		{"a cursor of no generation", put(providersBucket, []byte("a"), must(store.Seal([]byte("a"), []any{"UTC", []byte{}, []byte{}, make([]byte, 32), "", 0, []byte{1}}))), "a cursor of 1 bytes of generation 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(filepath.Join(t.TempDir(), "fever.db"), keep)
			if err != nil {
				t.Fatal(err)
			}
			apply(t, s, snapshot("a", 1, sample("a", 1, 2)))
			begin(t, s, "a")
			if err := s.Check(); err != nil {
				t.Error(err)
			}
			if err := s.db.Update(tc.change); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), tc.say) {
				t.Errorf("error %v says nothing of %q", err, tc.say)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
