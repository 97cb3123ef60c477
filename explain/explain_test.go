package explain

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/google/uuid"

	"fever/event"
	"fever/index"
	"fever/internal/leak"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
	"fever/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

// filled returns a store in which two jobs brought events of a provider in Madrid.
func filled(t *testing.T, first, second []event.Event, rejections ...feed.Rejection) *bolt.Store {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "fever.db"), 9)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, events := range [][]event.Event{first, second} {
		job, err := st.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Manual, Started: storetest.Noon.Add(time.Duration(i) * time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		job.State, job.Rejected, job.Rejections = store.Completed, len(rejections), rejections
		if _, _, err := st.Apply(t.Context(), store.Snapshot{Provider: "a", TimeZone: "Europe/Madrid", Events: events, Taken: job.Started}, job); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

func made(t *testing.T, id, title, start, end string, zones ...event.Zone) event.Event {
	t.Helper()
	e := event.Event{Key: event.Key{Provider: "a", BaseID: "b", EventID: id}, Title: title, Zones: zones}
	for text, to := range map[string]*event.Local{start: &e.Start, end: &e.End} {
		if err := to.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func price(t *testing.T, text string) event.Price {
	t.Helper()
	p, err := event.ParsePrice(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestExplain asks by each kind of name.
func TestExplain(t *testing.T) {
	t.Parallel()
	opera := made(t, "1", "The Opera", "2026-03-27T20:00:00", "2026-03-27T22:00:00",
		event.Zone{ID: "x", Capacity: 3, Price: price(t, "20")}, event.Zone{ID: "y", Price: price(t, "5")}, event.Zone{ID: "z", Available: true})
	gone := made(t, "2", "Opera", "2026-03-28", "")
	accents := made(t, "6", "Galería  de Dalí\u00a0", "2026-03-29", "")
	folds := made(t, "7", "ΣΊΣΥΦΟΣ, Großer Straßenlauf", "2026-03-30", "")
	slashes := made(t, "4/5", "Either/Or/x/b/1", "2026-03-29", "")
	later := opera
	later.SellTo = "soon"
	st := filled(t, []event.Event{opera, gone}, []event.Event{later, slashes, accents, folds}, feed.Rejection{BaseID: "b", EventID: "3", Line: 7, Reason: "no title"})

	for text, want := range map[string]string{
		"a/b/1":              "The Opera",
		opera.ID().String():  "The Opera",
		"the opera":          "The Opera",
		"OPERA":              "Opera", // the whole title counts alone
		"pera":               "The Opera, Opera",
		"a/b/3":              "job 2 line 7 no title 2",
		"a/b/4":              "",
		"a/b/4/5":            "Either/Or/x/b/1",
		"x/b/1":              "Either/Or/x/b/1", // no such provider
		"b/c/d/e":            "",
		"nothing like it":    "",
		" ":                  "", // all titles have it
		"GALERIA de\tdali":   accents.Title,
		"de Dali\u0301":      accents.Title,
		"σισυφος":            folds.Title,
		"GROSSER STRASSEN":   folds.Title,
		"große":              folds.Title,
		gone.String():        "Opera",
		uuid.Nil.String():    "", // no event has it
		later.ID().URN()[9:]: "The Opera",
	} {
		answer, err := Explain(t.Context(), st, new(Documents), text, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range answer.Events {
			got = append(got, e.Title)
		}
		for _, r := range answer.Rejections {
			got = append(got, fmt.Sprintf("job %d line %d %s %d", r.Job, r.Line, r.Reason, r.Jobs))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	answer, err := Explain(t.Context(), st, new(Documents), "a/b/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	e := answer.Events[0]
	if e.FirstJob != 1 || e.LastJob != 2 || e.StartsAt != "2026-03-27T19:00:00Z" || e.EndsAt != "2026-03-27T21:00:00Z" ||
		e.CountedIn != "Europe/Madrid" || e.OwnZone || e.MinPrice.String() != "20" ||
		fmt.Sprintf("%q", e.Uncounted) != `["" "it has no tickets left" "its provider gives no price"]` {
		t.Errorf("%+v", e)
	}
}

// TestAmbiguous has two events whose ids look alike with a slash between them.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	one := made(t, "4/5", "One", "2026-01-02", "")
	other := made(t, "5", "Other", "2026-01-01", "")
	other.BaseID = "b/4"
	st := filled(t, []event.Event{one, other}, nil)
	answer, err := Explain(t.Context(), st, new(Documents), "a/b/4/5", nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range answer.Events {
		for _, fact := range e.Facts() {
			if fact.Name == "event" {
				got = append(got, fact.Value)
			}
		}
	}
	want := []string{
		`a/b/4/5, base id "b", event id "4/5", id ` + one.ID().String(),
		`a/b/4/5, base id "b/4", event id "5", id ` + other.ID().String(),
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for text, want := range map[string]string{
		"a/b/4/5": `a/b/4/5 names 2 events: ask for one by its public id: ` +
			one.ID().String() + ` (base id "b", event id "4/5"), ` + other.ID().String() + ` (base id "b/4", event id "5")`,
		one.ID().String():   "One",
		other.ID().String(): "Other",
	} {
		var got []string
		for v, err := range Versions(t.Context(), st, text) {
			if err != nil {
				got = append(got, err.Error())
				continue
			}
			got = append(got, v.Title)
		}
		if got[0] != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestRenamed asks for an event by what named it before its provider was renamed, twice.
func TestRenamed(t *testing.T) {
	t.Parallel()
	st := filled(t, []event.Event{made(t, "1", "T", "2026-01-02", ""), made(t, "2", "U", "2026-01-02", "")}, nil)
	var records []store.Job
	for _, names := range [][2]string{{"a", "b"}, {"b", "c"}} {
		done, err := st.Rename(t.Context(), store.Renaming{From: names[0], To: names[1]})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, done.Record)
	}
	key := func(provider string) event.Key { return event.Key{Provider: provider, BaseID: "b", EventID: "2"} }
	for ask, want := range map[string]*Renamed{
		key("c").ID().String(): nil,
		key("b").ID().String(): {"b", records[1].ID, records[1].Started},
		key("a").ID().String(): {"a", records[0].ID, records[0].Started},
		"a/b/2":                {"a", records[0].ID, records[0].Started},
	} {
		answer, err := Explain(t.Context(), st, new(Documents), ask, nil)
		if err != nil || len(answer.Events) != 1 || answer.Events[0].Key != key("c") || !reflect.DeepEqual(answer.Events[0].Renamed, want) {
			t.Errorf("%s: %+v, %v", ask, answer, err)
			continue
		}
		told := slices.ContainsFunc(answer.Events[0].Facts(), func(f Fact) bool { return strings.Contains(f.Value, "was renamed") })
		if told != (want != nil) {
			t.Errorf("%s: %v", ask, answer.Events[0].Facts())
		}
	}
	for _, ask := range []string{"a/b/3", "d/b/2", key("d").ID().String()} {
		if answer, err := Explain(t.Context(), st, new(Documents), ask, nil); err != nil || len(answer.Events) > 0 {
			t.Errorf("%s: %+v, %v", ask, answer, err)
		}
	}
}

// TestMany names more events than an answer has.
func TestMany(t *testing.T) {
	t.Parallel()
	var all []event.Event
	for i := range MaxEvents + 5 {
		all = append(all, made(t, fmt.Sprint(i), fmt.Sprintf("Show %d", i), "2026-03-27", ""))
	}
	answer, err := Explain(t.Context(), filled(t, all, all), new(Documents), "show", nil)
	if err != nil || len(answer.Events) != MaxEvents || answer.More != 5 {
		t.Errorf("%d events and %d more, %v", len(answer.Events), answer.More, err)
	}
}

// TestVerdict says why a search does not find an event from 20:00 to 22:00 in Madrid, which is an
// hour ahead of UTC then.
func TestVerdict(t *testing.T) {
	t.Parallel()
	e := made(t, "1", "Opera", "2026-03-27T20:00:00", "2026-03-27T22:00:00")
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	own := e
	own.TimeZone = "Asia/Tokyo"
	endless := made(t, "2", "Opera", "2026-03-27T20:00:00", "")
	for _, test := range []struct {
		e                  *event.Event
		starts, ends, mode string
		want               string
	}{
		{&e, "2026-03-27T19:00:00Z", "2026-03-27T21:00:00Z", "", "true: it starts at or after starts_at, and ends at or before ends_at; if its local times were UTC the answer would be the opposite, but they count in Europe/Madrid"},
		{&e, "2026-03-27T18:00:00Z", "2026-03-27T23:00:00Z", "", "true: it starts at or after starts_at, and ends at or before ends_at"},
		{&e, "2026-03-27T19:00:00.1Z", "", "", "false: it starts 2026-03-27T19:00:00Z, 1s before starts_at; with match=overlap the search finds it; if its local times were UTC the answer would be the opposite, but they count in Europe/Madrid"},
		{&e, "2026-03-27T19:30:00Z", "2026-03-27T20:30:00Z", "within", "false: it starts 2026-03-27T19:00:00Z, 30m before starts_at, and it ends 2026-03-27T21:00:00Z, 30m after ends_at; with match=overlap the search finds it"},
		{&e, "2026-04-27T19:30:00Z", "", "", "false: it starts 2026-03-27T19:00:00Z, 31 days before starts_at"},
		{&e, "", "2026-03-27T18:59:59Z", "overlap", "false: it starts 2026-03-27T19:00:00Z, 1s after ends_at"},
		{&e, "2026-03-27T21:00:00Z", "", "overlap", "true: it starts at or before ends_at, and ends at or after starts_at"},
		{&own, "2026-03-27T19:00:00Z", "", "overlap", "false: it ends 2026-03-27T13:00:00Z, 6h before starts_at; if its local times were UTC the answer would be the opposite, but they count in Asia/Tokyo"},
		{&endless, "", "2026-03-27T18:00:00Z", "", "false: it has no end, so it ends when it starts: 2026-03-27T19:00:00Z, 1h after ends_at"},
		{&e, "", "", "within", "true: it starts at or after starts_at, and ends at or before ends_at"},
	} {
		s, err := ParseSearch(test.starts, test.ends, test.mode)
		if err != nil {
			t.Fatal(err)
		}
		if v := s.judge(test.e, madrid); fmt.Sprintf("%t: %s", v.Found, v.Why) != test.want {
			t.Errorf("%s to %s %s: %t: %s\nwant %s", test.starts, test.ends, test.mode, v.Found, v.Why, test.want)
		}
	}
}

// TestFoundBy searches as an answer proposes.
func TestFoundBy(t *testing.T) {
	t.Parallel()
	for _, times := range [][3]string{
		{"2026-03-27T20:00:00", "2026-03-27T22:00:00", "Europe/Madrid"},
		{"2026-03-27", "", "Europe/Madrid"},
		{"1600-01-01", "9999-12-31", "Asia/Tokyo"},
		{"9999-12-31", "9999-12-31T23:00:00", "America/Los_Angeles"},
		{"9999-12-31T23:00:00", "", "America/Los_Angeles"},
	} {
		loc, err := time.LoadLocation(times[2])
		if err != nil {
			t.Fatal(err)
		}
		r := event.Record{Event: made(t, "1", "Opera", times[0], times[1])}
		e := explained(&r, loc)
		u, err := url.Parse(e.FoundBy)
		if err != nil || u.Path != "/search" {
			t.Fatal(e.FoundBy, err)
		}
		s, err := ParseSearch(u.Query().Get("starts_at"), u.Query().Get("ends_at"), "")
		if err != nil {
			t.Errorf("%s: %v", e.FoundBy, err)
			continue
		}
		if v := s.judge(&r.Event, loc); !v.Found {
			t.Errorf("%s does not find %v: %s", e.FoundBy, times, v.Why)
		}
	}
}

// TestParseSearch refuses what a search refuses.
func TestParseSearch(t *testing.T) {
	t.Parallel()
	for _, test := range [][4]string{
		{"yesterday", "", "", "starts_at"},
		{"", "2026-03-27", "", "ends_at"},
		{"", "", "touch", "overlap"},
		{"2026-03-27T21:00:00Z", "2026-03-27T20:59:59.9Z", "", "is after"},
	} {
		if s, err := ParseSearch(test[0], test[1], test[2]); err == nil || !strings.Contains(err.Error(), test[3]) {
			t.Errorf("%q: %v, %v", test[:3], s, err)
		}
	}
	if s, err := ParseSearch("", "", ""); s != nil || err != nil {
		t.Errorf("%v, %v", s, err)
	}
}

// TestVerdictProperty compares verdicts with what the index finds.
func TestVerdictProperty(t *testing.T) {
	t.Parallel()
	zones := rapid.SampledFrom([]string{"UTC", "Europe/Madrid", "Asia/Tokyo", "America/Los_Angeles"})
	second := rapid.Int64Range(1_770_000_000, 1_770_000_000+3*24*60*60)
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(zones.Draw(t, "zone of the provider"))
		if err != nil {
			t.Fatal(err)
		}
		at := func(name string) string {
			return time.Unix(second.Draw(t, name)/1800*1800, 0).UTC().Format("2006-01-02T15:04:05")
		}
		e := event.Event{Key: event.Key{Provider: "a", BaseID: "b", EventID: "c"}, Title: "x"}
		if rapid.Bool().Draw(t, "zone of its own") {
			e.TimeZone = zones.Draw(t, "its zone")
		}
		times := []string{at("start"), at("end")}
		if times[0] > times[1] {
			times[0], times[1] = times[1], times[0]
		}
		if err := e.Start.UnmarshalText([]byte(times[0])); err != nil {
			t.Fatal(err)
		}
		if err := e.End.UnmarshalText([]byte(times[1])); err != nil {
			t.Fatal(err)
		}
		from, to := at("from")+"Z", at("to")+"Z"
		if from > to {
			from, to = to, from
		}
		s, err := ParseSearch(from, to, rapid.SampledFrom([]string{"", "within", "overlap"}).Draw(t, "match"))
		if err != nil {
			t.Fatal(err)
		}
		x := index.New()
		if err := x.Load([]*event.Entry{event.NewEntry(&e, loc)}); err != nil {
			t.Fatal(err)
		}
		var found index.Result
		x.Snapshot().Search(index.Query{Window: s.window, Overlap: s.overlap}, &found)
		if v := s.judge(&e, loc); v.Found != (found.Events == 1) {
			t.Errorf("%s to %s in %s: %+v, and the index finds %d", from, to, loc, v, found.Events)
		}
	})
}

// TestRejected has an event that a job brought as of the second of 10, and jobs that rejected rows, the newest first.
func TestRejected(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return storetest.Noon.Add(time.Duration(second) * time.Second) }
	free := feed.Rejection{BaseID: "b", EventID: "1", Line: 4, Reason: "free!"}
	late := feed.Rejection{BaseID: "b", EventID: "1", Line: 9, Reason: "late"}
	other := feed.Rejection{BaseID: "b", EventID: "2", Line: 5, Reason: "other"}
	half := feed.Rejection{BaseID: "b", Line: 6, Reason: "half"}
	type rows []feed.Rejection
	for name, tc := range map[string]struct {
		jobs [][2]int // when they began and ended, in seconds; 0: it runs
		rows []rows   // that each rejected
		want string
	}{
		"a later one":                 {[][2]int{{20, 21}, {10, 11}}, []rows{{free}, nil}, "the same ids, and nothing of that row is stored: job 2, 2021-02-01T12:00:20.000Z, line 4: free!"},
		"the last row":                {[][2]int{{20, 21}}, []rows{{free, late, other}}, "line 9: late"},
		"several":                     {[][2]int{{30, 31}, {25, 26}, {20, 21}, {10, 11}}, []rows{{late}, {other}, {free, late}, nil}, "job 4, 2021-02-01T12:00:30.000Z, line 9: late; so did jobs before, back to 2021-02-01T12:00:20.000Z (2 in all)"},
		"one before":                  {[][2]int{{20, 21}, {10, 11}, {0, 1}}, []rows{nil, nil, {free}}, ""},
		"one that ended then":         {[][2]int{{10, 11}, {9, 10}}, []rows{nil, {free}}, ""},
		"the one that brought it":     {[][2]int{{10, 11}}, []rows{{free}}, "line 4: free!"},
		"one that was on":             {[][2]int{{8, 12}}, []rows{{free}}, "line 4: free!"},
		"one that runs":               {[][2]int{{8, 0}}, []rows{{free}}, "line 4: free!"},
		"a row of another":            {[][2]int{{20, 21}}, []rows{{other}}, ""},
		"a row with the base id only": {[][2]int{{20, 21}}, []rows{{half}}, "one of its ids, and nothing"},
	} {
		e := Event{Record: event.Record{Event: event.Event{Key: event.Key{Provider: "a", BaseID: "b", EventID: "1"}}, LastChanged: at(10)}}
		for i, times := range tc.jobs {
			job := store.Job{ID: uint64(len(tc.jobs) - i), Provider: "a", Started: at(times[0]), Rejections: tc.rows[i]}
			if times[1] > 0 {
				job.Finished = at(times[1])
			}
			e.rejectedBy(&job)
			job.Provider = "z"
			e.rejectedBy(&job)
		}
		facts := fmt.Sprint(e.Facts())
		if strings.Contains(facts, "{rejected") != (tc.want != "") || !strings.Contains(facts, tc.want) {
			t.Errorf("%s: %s, want %q", name, facts, tc.want)
		}
	}
}

// TestRefused has jobs whose snapshots were refused as suspect, before and after one that was not.
func TestRefused(t *testing.T) {
	t.Parallel()
	e := made(t, "1", "T", "2026-01-02", "")
	st := filled(t, []event.Event{e}, nil)
	refuse := func() {
		job, err := st.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Manual, Started: storetest.Noon.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		job.State, job.Finished, job.Kind, job.Message = store.Failed, job.Started, feed.KindSuspect, "it has no events"
		if err := st.Finish(t.Context(), job, nil); err != nil {
			t.Fatal(err)
		}
	}
	says := func() string {
		answer, err := Explain(t.Context(), st, new(Documents), e.String(), nil)
		if err != nil || len(answer.Events) != 1 {
			t.Fatalf("%+v, %v", answer, err)
		}
		facts := answer.Events[0].Facts()
		at := slices.IndexFunc(facts, func(f Fact) bool { return f.Name == "sold now" })
		return facts[at+1].Value
	}
	const want = "a newer snapshot was refused as suspect, job 3, 2021-02-01T13:00:00.000Z: it has no events"
	if refuse(); says() != want {
		t.Error(says())
	}
	if refuse(); says() != strings.Replace(want, "job 3", "job 4", 1)+"; so were those of jobs before (2 in all)" {
		t.Error(says())
	}
	storetest.Apply(t, st, store.Snapshot{Provider: "a", TimeZone: "UTC", Events: []event.Event{e}, Taken: storetest.Noon.Add(2 * time.Hour)})
	if strings.Contains(says(), "refused") {
		t.Error(says())
	}
}

// TestEqualRejections has jobs reject two rows with the same ids, for the same two reasons, and then for one.
func TestEqualRejections(t *testing.T) {
	t.Parallel()
	free, late := feed.Rejection{BaseID: "b", EventID: "1", Line: 4, Reason: "free!"}, feed.Rejection{BaseID: "b", EventID: "1", Line: 9, Reason: "page 2: late"}
	answer, err := Explain(t.Context(), filled(t, nil, nil, free, late, free), new(Documents), "a/b/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := answer.Missing("a/b/1")[1:]
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "line 4: free!; so did jobs before, back to 2021-02-01T12:00:00.000Z (2 in all)") || !strings.Contains(lines[1], "late; so did") {
		t.Errorf("%q", lines)
	}
	found := Sighting{Row: Row{Place: Place{Started: storetest.Noon.Add(time.Minute)}, Fate: "rejected", Why: "late"}, Documents: 2, Since: storetest.Noon}
	answer.Archive = &Searched{Sightings: []Sighting{found}, Documents: 2}
	if lines := strings.Join(answer.Missing("a/b/1"), "\n"); strings.Count(lines, "late") != 1 || strings.Count(lines, "free!") != 1 {
		t.Error(lines)
	}
	answer.Archive.Sightings[0].Since = storetest.Noon.Add(time.Minute) // it does not go back so far
	if lines := strings.Join(answer.Missing("a/b/1"), "\n"); strings.Count(lines, "late") != 2 {
		t.Error(lines)
	}
}

// TestBring has jobs, the newest first, and which of them brought what counts as of the second of 10.
func TestBring(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return storetest.Noon.Add(time.Duration(second) * time.Second) }
	for name, tc := range map[string]struct {
		jobs [][2]int // when they began and ended, in seconds; 0: it runs
		want uint64   // counted from the oldest one; 0: none
	}{
		"one that began then":   {[][2]int{{20, 21}, {10, 11}, {0, 1}}, 2},
		"one that was on":       {[][2]int{{20, 21}, {8, 12}, {0, 1}}, 2},
		"one that runs":         {[][2]int{{8, 0}, {1, 2}}, 2},
		"none":                  {[][2]int{{11, 12}, {8, 9}}, 0},
		"the pages of a replay": {[][2]int{{5, 14}, {5, 12}, {5, 9}}, 2},
		"one that was interrupted until the next":   {[][2]int{{10, 12}, {3, 10}}, 2},
		"a page at which the job that has it began": {[][2]int{{10, 14}, {10, 12}}, 1},
	} {
		var id uint64
		var began time.Time
		for i, times := range tc.jobs {
			job := store.Job{ID: uint64(len(tc.jobs) - i), Started: at(times[0])}
			if times[1] > 0 {
				job.Finished = at(times[1])
			}
			bring(&id, &began, &job, at(10))
		}
		if id != tc.want {
			t.Errorf("%s: job %d, want %d", name, id, tc.want)
		}
	}
}
