package explain

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fever/archive"
	"fever/event"
	"fever/provider/feed"
	"fever/provider/feed/dump"
	"fever/provider/feed/feverup"
	"fever/provider/feed/ical"
	"fever/provider/feed/mapped"
	"fever/provider/feed/rpde"
	"fever/provider/feed/schemaorg"
	"fever/provider/inspect"
	"fever/store"
	"fever/store/bolt"
	"fever/store/storetest"
)

// A page is a document of a job.
type page struct {
	head archive.Head
	body string
}

// archived has the archive in a folder keep a job's documents, and returns when that began.
func archived(t *testing.T, dir string, job uint64, failure feed.Kind, pages ...page) time.Time {
	t.Helper()
	return archivedOf(t, dir, "a", job, failure, pages...)
}

// archivedOf is archived for a provider.
func archivedOf(t *testing.T, dir, provider string, job uint64, failure feed.Kind, pages ...page) time.Time {
	t.Helper()
	a, err := archive.Open(archive.Folder(dir), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now().Truncate(time.Millisecond).Add(time.Duration(job) * time.Second)
	j := a.Begin(t.Context(), provider)
	for i, p := range pages {
		w := j.Document()
		_, _ = io.WriteString(w, p.body)
		p.head.Job, p.head.Started, p.head.Began, p.head.Page = job, started, started, i+1
		w.Keep(p.head)
	}
	if err := errors.Join(j.Sync(), j.End(archive.Outcome{At: started, Failure: failure}), j.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	return started
}

// stored returns a store with an event that a job has brought.
func stored(t *testing.T, key event.Key, started time.Time) *bolt.Store {
	t.Helper()
	st := filled(t, nil, nil)
	e := storetest.Sample("a", 1, 2)
	e.Key = key
	storetest.Apply(t, st, store.Snapshot{Provider: "a", TimeZone: "UTC", Events: []event.Event{e}, Taken: started})
	return st
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	csv, err := mapped.New(mapped.Mapping{CSV: &mapped.CSV{Separator: ',', Header: true}, To: `{base_id: .id, event_id: .id, title: .name, start: .day}`})
	if err != nil {
		t.Fatal(err)
	}
	latin, err := mapped.New(mapped.Mapping{CSV: &mapped.CSV{Separator: ',', Header: true, Charset: "iso-8859-1"}, To: `{base_id: .id, event_id: .id, title: .name, start: .day}`})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := mapped.New(mapped.Mapping{Rows: ".l.e[]", To: `{base_id: ."@id", event_id: ."@id", title: "t", start: "2026-01-02"}`})
	if err != nil {
		t.Fatal(err)
	}
	plain := func(id string) string {
		return `{"provider":"a","base_id":"` + id + `","event_id":"` + id + `","title":"T","start":"2026-01-02","zones":[]}` + "\n"
	}
	const xml = `<?xml version="1.0" encoding="%s"?>
<eventList><output>
<base_event base_event_id="1" sell_mode="online" title="Caf%s"><event event_id="1" event_start_date="2026-01-02T10:00:00" event_end_date="2026-01-02T11:00:00"></event></base_event></output></eventList>`
	vevent := func(id string) string {
		return "BEGIN:VEVENT\r\nUID:" + id + "\r\nSUMMARY:T\r\nDTSTART;VALUE=DATE:" + time.Now().Format("20060102") + "\r\nEND:VEVENT\r\n"
	}
	node := func(id string) string {
		return `{"@context":"https://schema.org","@type":"Event","@id":"` + id + `","name":"T","startDate":"2026-01-02"}`
	}
	for name, tc := range map[string]struct {
		format feed.Format
		pages  []string
		ids    string // of the event
		want   string // page, line, offset, and the text
	}{
		"dump":           {dump.New(), []string{plain("0") + plain("1")}, "1/1", "1 2 " + fmt.Sprint(len(plain("0"))) + " " + strings.TrimSpace(plain("1"))},
		"the later row":  {dump.New(), []string{plain("1") + plain("0") + " " + plain("1")}, "1/1", "1 3 " + fmt.Sprint(2*len(plain("0"))+1) + " " + strings.TrimSpace(plain("1"))},
		"the later page": {dump.New(), []string{plain("1"), plain("0") + plain("1")}, "1/1", "2 2 " + fmt.Sprint(len(plain("0"))) + " " + strings.TrimSpace(plain("1"))},
		"feverup":        {feverup.New(0), []string{fmt.Sprintf(xml, "utf-8", "é")}, "1/1", `1 3 122 <event event_id="1" event_start_date="2026-01-02T10:00:00" event_end_date="2026-01-02T11:00:00"></event>`},
		"converted":      {feverup.New(0), []string{fmt.Sprintf(xml, "iso-8859-1", "\xe9")}, "1/1", `1 3 - <base_event base_event_id="1" sell_mode="online" title="Caf\xe9"><event event_id="1"`},
		"csv":            {csv, []string{"id,name,day\n0,T,2026-01-02\n1,T,2026-01-02\n"}, "1/1", "1 3 27 1,T,2026-01-02"},
		"csv, marked":    {csv, []string{"\ufeffid,name,day\n\n1,T,2026-01-02\n"}, "1/1", "1 3 15 1,T,2026-01-02"},
		"csv, converted": {latin, []string{"id,name,day\n1,\xc9t\xe9,2026-01-02\n"}, "1/1", `1 2 - 1,\xc9t\xe9,2026-01-02`},
		"xml":            {rows, []string{"<l>\n<e id='0'/><e id='1'>x</e></l>"}, "1/1", "1 2 15 <e id='1'>x</e>"},
		"ical": {ical.New(), []string{"BEGIN:VCALENDAR\r\n" + vevent("0") + vevent("1") + "END:VCALENDAR\r\n"}, "1/1", "1 7 " +
			fmt.Sprint(len("BEGIN:VCALENDAR\r\n"+vevent("0"))) + ` BEGIN:VEVENT\r\nUID:1\r\n`},
		"rpde": {rpde.New(nil), []string{`{"next":"x","items":[
{"state":"updated","kind":"k","id":"1","modified":1,"data":` + node("1") + `}]}`}, "1/1", `1 2 22 {"state":"updated","kind":"k","id":"1"`},
		"schema-org": {schemaorg.New(), []string{"[" + node("0") + ",\n" + node("1") + "]"}, "1/1", "1 2 " + fmt.Sprint(3+len(node("0"))) + " " + node("1")},
		"graph":      {schemaorg.New(), []string{`{"@graph":[` + node("0") + "," + node("1") + "]}"}, "1/1", "1 1 " + fmt.Sprint(12+len(node("0"))) + " " + node("1")},
		"html":       {schemaorg.New(), []string{"<p>\n<script type='application/ld+json'>" + node("1") + "</script>"}, "1/1", "1 2 - <script type='application/ld+json'>" + node("1")},
		"controls":   {dump.New(), []string{plain("1") + strings.ReplaceAll(plain("1"), `"T"`, "\"T\u202e\"")}, "1/1", "1 2 " + fmt.Sprint(len(plain("1"))) + ` {"provider":"a","base_id":"1","event_id":"1","title":"T\u202e"`},
		"other rows": {dump.New(), []string{plain("0")}, "1/1", "no document of that job has a row that is read as the event now"},
		"unreadable": {dump.New(), []string{"<"}, "1/1", "a document of that job cannot be read: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var pages []page
			for _, body := range tc.pages {
				pages = append(pages, page{body: body})
			}
			archived(t, dir, 1, feed.KindSuspect, page{body: "not of this job"})
			started := archived(t, dir, 2, "", pages...)
			base, id, _ := strings.Cut(tc.ids, "/")
			key := event.Key{Provider: "a", BaseID: base, EventID: id}
			docs := &Documents{Archive: archive.Folder(dir), Readers: map[string]Reader{"a": NewReader(tc.format, "a", time.UTC)}, Time: time.Minute}
			answer, err := Explain(t.Context(), stored(t, key, started), docs, key.String(), nil)
			if err != nil || len(answer.Events) != 1 {
				t.Fatalf("%+v, %v", answer, err)
			}
			got := answer.Events[0].NoOrigin
			if p := answer.Events[0].Origin; p != nil {
				offset := fmt.Sprint(p.Offset)
				if p.Length == 0 {
					offset = "-"
				}
				got = fmt.Sprintf("%d %d %s %s", p.Page, p.Line, offset, p.Text)
				if p.Length > 0 {
					if p.Job != 2 || !p.Started.Equal(started) || !strings.HasPrefix(escaped([]byte(tc.pages[p.Page-1][p.Offset:][:p.Length])), p.Text) {
						t.Errorf("%+v", p)
					}
				}
			}
			if !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// TestNoOrigin has reasons why no document tells of an event.
func TestNoOrigin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := event.Key{Provider: "a", BaseID: "1", EventID: "1"}
	started := archived(t, dir, 1, "", page{body: "{}"})
	st := stored(t, key, started)
	readers := map[string]Reader{"a": NewReader(dump.New(), "a", time.UTC)}
	for want, docs := range map[string]Documents{
		"no archive is kept":         {Readers: readers, Time: time.Minute},
		"the settings here do not":   {Archive: archive.Folder(dir), Time: time.Minute},
		"the archive in /":           {Archive: archive.Folder(t.TempDir()), Readers: readers, Time: time.Minute},
		"there is no archive in the": {Archive: archive.Folder(filepath.Join(dir, "none")), Readers: readers, Time: time.Minute},
		"there was no time to read ": {Archive: archive.Folder(dir), Readers: readers},
	} {
		answer, err := Explain(t.Context(), st, &docs, key.String(), nil)
		if err != nil || answer.Events[0].Origin != nil || !strings.HasPrefix(answer.Events[0].NoOrigin, want) {
			t.Errorf("%s: %+v, %v", want, answer.Events[0].NoOrigin, err)
		}
	}
}

// TestTurn asks while documents are read for another question: all but the rows is answered.
func TestTurn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := event.Key{Provider: "a", BaseID: "1", EventID: "1"}
	body := `{"base_id":"1","event_id":"1","title":"T","start":"2026-01-02"}`
	st := stored(t, key, archived(t, dir, 1, "", page{body: body}))
	ended := 0
	reader := NewReader(dump.New(), "a", time.UTC)
	reader.Done = func() { ended++ }
	docs := &Documents{Archive: archive.Folder(dir), Readers: map[string]Reader{"a": reader}, Turn: make(chan struct{}, 1)}
	docs.Turn <- struct{}{}
	answer, err := Explain(t.Context(), st, docs, key.String(), nil)
	if err != nil || answer.Events[0].NoOrigin != busy || ended > 0 {
		t.Errorf("%+v, %v", answer, err)
	}
	if answer, err = Explain(t.Context(), st, docs, "a/1/2", nil); err != nil || answer.Archive.Ended != busy || ended > 0 {
		t.Errorf("%+v, %v", answer, err)
	}
	<-docs.Turn
	docs.Time = time.Minute
	if answer, err = Explain(t.Context(), st, docs, key.String(), nil); err != nil || answer.Events[0].Origin.Text != body || ended != 1 {
		t.Errorf("%+v, %v", answer, err)
	}
	if answer, err = Explain(t.Context(), st, docs, "a/1/2", nil); err != nil || answer.Archive.Documents != 1 || ended != 2 {
		t.Errorf("%+v, %v", answer, err)
	}
}

// TestSearched looks for events that are not stored, in documents of several jobs.
func TestSearched(t *testing.T) {
	t.Parallel()
	picky, err := mapped.New(mapped.Mapping{Rows: ".", To: `select(.sold) | {base_id: .id, event_id: .id, title: .name, start: .day}`})
	if err != nil {
		t.Fatal(err)
	}
	row := func(id, day string) string {
		return `{"provider":"a","base_id":"b","event_id":"` + id + `","title":"T","start":"` + day + `","zones":[]}` + "\n"
	}
	item := func(id, state string) string {
		return `{"state":"` + state + `","kind":"k","id":"` + id + `","modified":1}`
	}
	for name, tc := range map[string]struct {
		format feed.Format
		jobs   [][2]string // bodies, with why the job failed
		ask    string
		want   string // of each sighting the job, the line, the fate, how many documents and why
	}{
		"rejected, then gone": {dump.New(), [][2]string{{row("1", "x")}, {row("1", "x")}, {row("2", "2026-01-02")}}, "a/b/1", "2 1 rejected 2 start date \"x\""},
		"other reasons":       {dump.New(), [][2]string{{row("1", "y")}, {row("2", "2026-01-02") + row("1", "x")}}, "a/b/1", "2 2 rejected 1 start date \"x\"; 1 1 rejected 1 start date \"y\""},
		"by its id":           {dump.New(), [][2]string{{row("1", "x")}}, event.Key{Provider: "a", BaseID: "b", EventID: "1"}.ID().String(), "1 1 rejected 1 start"},
		"a job that failed":   {dump.New(), [][2]string{{row("1", "2026-01-02"), "suspect"}}, "a/b/1", "1 1 kept 1 it can be read, but its job has failed: suspect"},
		"removed":             {dump.New(), [][2]string{{row("1", "2026-01-02")}}, "a/b/1", "1 1 kept 1 it can be read, and its job has completed"},
		"a later row counts":  {dump.New(), [][2]string{{row("1", "x") + row("1", "2026-01-02"), "suspect"}}, "a/b/1", "1 2 kept 1"},
		"a broken document":   {dump.New(), [][2]string{{row("1", "x") + "{", "malformed"}}, "a/b/1", "1 1 rejected 1"},
		"not sold online": {
			feverup.New(0),
			[][2]string{{"<eventList><output>\n<base_event base_event_id='b' sell_mode='offline'>\n<event event_id='1'/></base_event></output></eventList>"}},
			"a/b/1", "1 3 ignored 1",
		},
		"cancelled":         {ical.New(), [][2]string{{"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:b\nDTSTART:20260102\nSUMMARY:T\nSTATUS:CANCELLED\nEND:VEVENT\nEND:VCALENDAR\n"}}, "a/b/b", "1 2 ignored 1"},
		"left out by a map": {picky, [][2]string{{`{"id":"0"}` + "\n" + `{"id":"1","sold":false}`}}, "a/1/1", "1 2 ignored 1 the map makes no event of it"},
		"not its id":        {picky, [][2]string{{`{"id":"2","left":1,"of":{"id":1},"sold":false}`}}, "a/1/1", ""},
		"no record":         {picky, [][2]string{{`{"id":1,"sold":true,"name":7}`}}, "a/1/1", "1 1 rejected 1"},
		"deleted":           {rpde.New(nil), [][2]string{{`{"next":"x","items":[` + item("0", "deleted") + "\n," + item("1", "deleted") + `]}`}}, "a/k/1", "1 2 deleted 1"},
		"never there":       {dump.New(), [][2]string{{row("1", "x")}}, "a/b/2", ""},
		"ids with slashes":  {dump.New(), [][2]string{{row("1/2", "x")}}, "a/b/1/2", "1 1 rejected 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for i, job := range tc.jobs {
				archived(t, dir, uint64(i)+1, feed.Kind(job[1]), page{body: job[0]})
			}
			looked := 0
			docs := &Documents{
				Archive: archive.Folder(dir), Readers: map[string]Reader{"a": NewReader(tc.format, "a", time.UTC)}, Time: time.Minute,
				Looked: func(int, time.Time) { looked++ },
			}
			answer, err := Explain(t.Context(), filled(t, nil, nil), docs, tc.ask, nil)
			if err != nil || answer.Archive == nil {
				t.Fatalf("%+v, %v", answer, err)
			}
			var got []string
			for _, s := range answer.Archive.Sightings {
				got = append(got, fmt.Sprintf("%d %d %s %d %s", s.Job, s.Line, s.Fate, s.Documents, s.Why))
			}
			wants := strings.Split(tc.want, "; ")
			for i, text := range got {
				if tc.want == "" || i >= len(wants) || !strings.HasPrefix(text, wants[i]) {
					t.Errorf("%q, want %q", got, tc.want)
				}
			}
			if tc.want != "" && len(got) != len(wants) {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if answer.Archive.Documents != len(tc.jobs) || looked != len(tc.jobs) || answer.Archive.Ended != "" || answer.Archive.Since.IsZero() {
				t.Errorf("%+v after %d", answer.Archive, looked)
			}
			docs.Time = 0
			answer, err = Explain(t.Context(), filled(t, nil, nil), docs, tc.ask, nil)
			if err != nil || answer.Archive.Documents != 0 || !strings.HasPrefix(answer.Archive.Ended, "the search has taken") {
				t.Errorf("without time: %+v, %v", answer.Archive, err)
			}
		})
	}
}

// TestTitle asks for rows that were rejected by a part of their title.
func TestTitle(t *testing.T) {
	t.Parallel()
	csv, err := mapped.New(mapped.Mapping{CSV: &mapped.CSV{Separator: ',', Header: true}, To: `{base_id: .id, event_id: .id, title: .name, start: .day}`})
	if err != nil {
		t.Fatal(err)
	}
	row := func(id, title, day string) string {
		return fmt.Sprintf(`{"provider":"a","base_id":"b","event_id":%q,"title":%q,"start":%q,"zones":[]}`+"\n", id, title, day)
	}
	const xml = `<eventList><output><base_event base_event_id="1" sell_mode="online" title="Café Müller">
<event event_id="1" event_start_date="soon" event_end_date="2026-01-02T11:00:00"></event></base_event></output></eventList>`
	const calendar = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Café Müller\nDTSTART:soon\nEND:VEVENT\nEND:VCALENDAR\n"
	page1 := func(body string) []page { return []page{{body: body}} }
	for name, tc := range map[string]struct {
		format feed.Format
		jobs   [][]page
		failed feed.Kind // why the last job failed
		want   string    // of each sighting the job, the page, the line and why
		read   int       // documents
	}{
		"feverup":          {feverup.New(0), [][]page{page1(xml)}, "", `1 1 2 start date`, 1},
		"map":              {csv, [][]page{page1("id,name,day\n1,Café Müller,soon\n")}, "", `1 1 2 start date "soon"`, 1},
		"ical":             {ical.New(), [][]page{page1(calendar)}, "", `1 1 2 `, 1},
		"dump":             {dump.New(), [][]page{page1(row("1", "Das Café Müller", "x") + row("2", "Other", "y"))}, "", `1 1 1 start date "x"`, 1},
		"the last row":     {dump.New(), [][]page{page1(row("1", "Café Müller", "x") + row("2", "Café Müller", "y"))}, "", `1 1 2 start date "y"`, 1},
		"pages":            {dump.New(), [][]page{{{body: row("1", "Café Müller", "x")}, {body: row("2", "Café Müller", "x")}}}, "", `1 2 1 start date "x"; 1 1 1 start date "x"`, 2},
		"kept":             {dump.New(), [][]page{page1(row("1", "Café Müller", "2026-01-02"))}, "", "", 1},
		"an older job":     {dump.New(), [][]page{page1(row("1", "Café Müller", "x")), page1(row("2", "Other", "x"))}, "", "", 1},
		"after a failure":  {dump.New(), [][]page{page1(row("1", "Café Müller", "x")), page1(row("2", "Café Müller", "y"))}, feed.KindSuspect, `1 1 1 start date "x"`, 1},
		"a row of a table": {dump.New(), [][]page{{{body: row("1", "Café Müller", "x"), head: archive.Head{Table: "t"}}, {body: row("2", "Other", "x")}}}, "", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for i, pages := range tc.jobs {
				failure := tc.failed
				if i < len(tc.jobs)-1 {
					failure = ""
				}
				archived(t, dir, uint64(i)+1, failure, pages...)
			}
			archivedOf(t, dir, "b", 9, "", page{body: row("1", "Other", "x")})
			docs := &Documents{
				Archive: archive.Folder(dir), Time: time.Minute,
				Readers: map[string]Reader{"a": NewReader(tc.format, "a", time.UTC), "b": NewReader(dump.New(), "b", time.UTC), "c": NewReader(dump.New(), "c", time.UTC)},
			}
			answer, err := Explain(t.Context(), filled(t, nil, nil), docs, "cafe  MULLER", nil)
			if err != nil || answer.Archive == nil {
				t.Fatalf("%+v, %v", answer, err)
			}
			var got []string
			for _, s := range answer.Archive.Sightings {
				got = append(got, fmt.Sprintf("%d %d %d %s", s.Job, s.Page, s.Line, s.Why))
				if s.Provider != "a" || s.Fate != inspect.Rejected || s.Documents != 1 {
					t.Errorf("%+v", s)
				}
			}
			wants := strings.Split(tc.want, "; ")
			if (tc.want == "") != (len(got) == 0) || len(got) > 0 && len(got) != len(wants) {
				t.Fatalf("%q, want %q", got, wants)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], wants[i]) {
					t.Errorf("%q, want %q", got, wants)
				}
			}
			if a := answer.Archive; a.Documents != tc.read+1 || a.Unreadable != 0 || a.Damaged != 0 || !strings.HasPrefix(a.Ended, "a title is looked for") {
				t.Errorf("%+v", a)
			}
			docs.Time = 0
			answer, err = Explain(t.Context(), filled(t, nil, nil), docs, "cafe muller", nil)
			if err != nil || answer.Archive.Documents != 0 || !strings.HasPrefix(answer.Archive.Ended, "the search has taken") {
				t.Errorf("without time: %+v, %v", answer.Archive, err)
			}
		})
	}
	t.Run("several providers", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		archivedOf(t, dir, "a", 1, "", page{body: row("1", "Café Müller", "x")})
		archivedOf(t, dir, "b", 2, "", page{body: row("1", "Café Müller", "x")})
		docs := &Documents{
			Archive: archive.Folder(dir), Time: time.Minute,
			Readers: map[string]Reader{"a": NewReader(dump.New(), "a", time.UTC), "b": NewReader(dump.New(), "b", time.UTC)},
		}
		answer, err := Explain(t.Context(), filled(t, nil, nil), docs, "muller", nil)
		if err != nil || answer.Archive == nil || len(answer.Archive.Sightings) != 2 || answer.Archive.Sightings[0].Provider != "b" || answer.Archive.Sightings[1].Provider != "a" {
			t.Errorf("%+v, %v", answer.Archive, err)
		}
	})
}

// TestLatestRow has an event that is not in the latest snapshot, though a document of that has its row.
func TestLatestRow(t *testing.T) {
	t.Parallel()
	picky, err := mapped.New(mapped.Mapping{Rows: ".", To: `select(.sold) | {base_id: .id, event_id: .id, title: .name, start: .day}`})
	if err != nil {
		t.Fatal(err)
	}
	row := func(id, day, more string) string {
		return `{"provider":"a","base_id":"b","event_id":"` + id + `","title":"T","start":"` + day + `","zones":[]` + more + "}\n"
	}
	calendar := func(status string) string {
		return "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:b\nDTSTART:20300102\nSUMMARY:T\nSTATUS:" + status + "\nEND:VEVENT\nEND:VCALENDAR\n"
	}
	excluded := time.Now().Format("20060102") // within the window in which rules are expanded
	series := "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:b\nDTSTART:" + excluded + "\nSUMMARY:T\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:" + excluded + "\nEND:VEVENT\nEND:VCALENDAR\n"
	const has = "no: the latest snapshot of a has its row, which was "
	for name, tc := range map[string]struct {
		format feed.Format
		pages  []string
		ids    string
		want   string // the beginning of the fact, or place and fact
	}{
		"rejected":       {dump.New(), []string{row("2", "2026-01-02", "") + row("1", "x", "")}, "b/1", `page 1, line 2: ` + has + `rejected: start date "x"`},
		"no longer sold": {dump.New(), []string{row("1", "2026-01-02", `,"current":false`)}, "b/1", "page 1, line 1: " + has + "kept: it says that it is no longer sold; searches"},
		"on two pages":   {dump.New(), []string{row("1", "x", ""), row("1", "y", "")}, "b/1", `page 2, line 1: ` + has + `rejected: start date "y"`},
		"not sold online": {
			feverup.New(0),
			[]string{"<eventList><output>\n<base_event base_event_id='b' sell_mode='offline'>\n<event event_id='1'/></base_event></output></eventList>"},
			"b/1", "page 1, line 3: " + has + "ignored: it is not sold online",
		},
		"cancelled":              {ical.New(), []string{calendar("CANCELLED")}, "b/b", "page 1, line 2: " + has + "ignored: it is cancelled"},
		"left out by an EXDATE":  {ical.New(), []string{series}, "b/" + excluded, "page 1, line 2: " + has + "ignored: an EXDATE leaves it out"},
		"its series is rejected": {ical.New(), []string{strings.Replace(series, "COUNT=3", "BYNOPE=3", 1)}, "b/" + excluded, "page 1, line 2: " + has + "rejected: the rule's part"},
		"left out by a map":      {picky, []string{`{"id":"0"}` + "\n" + `{"id":"1","sold":false}`}, "1/1", "page 1, line 2: " + has + "ignored: the map makes no event of it"},
		"other rows":             {dump.New(), []string{row("2", "x", "")}, "b/1", "no: it is not in the latest snapshot of a, and"},
		"a row that would do":    {dump.New(), []string{row("1", "2026-01-02", "")}, "b/1", "no: it is not in the latest snapshot of a, and"},
		"the documents are gone": {dump.New(), nil, "b/1", "no: it is not in the latest snapshot of a, and"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			base, id, _ := strings.Cut(tc.ids, "/")
			e := made(t, id, "T", "2026-01-02", "")
			e.BaseID = base
			st := filled(t, []event.Event{e}, nil)
			var pages []page
			for _, body := range tc.pages {
				pages = append(pages, page{body: body})
			}
			archived(t, dir, 1, "", page{body: row(id, "z", "")}) // of another time
			if pages != nil {
				job, err := st.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Manual, Started: archived(t, dir, 3, "", pages...)})
				if err != nil {
					t.Fatal(err)
				}
				job.State = store.Completed
				if _, _, err := st.Apply(t.Context(), store.Snapshot{Provider: "a", TimeZone: "UTC", Taken: job.Started}, job); err != nil {
					t.Fatal(err)
				}
			}
			docs := &Documents{Archive: archive.Folder(dir), Readers: map[string]Reader{"a": NewReader(tc.format, "a", time.UTC)}, Time: time.Minute}
			answer, err := Explain(t.Context(), st, docs, e.String(), nil)
			if err != nil || len(answer.Events) != 1 {
				t.Fatalf("%+v, %v", answer, err)
			}
			got := answer.Events[0].sold()
			if r := answer.Events[0].LatestRow; r != nil {
				got = fmt.Sprintf("page %d, line %d: %s", r.Page, r.Line, got)
				if r.Job != 3 || r.Text == "" {
					t.Errorf("%+v", r)
				}
			}
			if !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// TestTornTail has a process killed while it wrote a document.
func TestTornTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	body := `{"provider":"a","base_id":"b","event_id":"1","title":"T","start":"x","zones":[]}`
	archived(t, dir, 1, "", page{body: body})
	archived(t, dir, 2, "", page{body: body + "\n"})
	paths, err := filepath.Glob(filepath.Join(dir, "a", "*"))
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	info, err := os.Stat(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	docs := &Documents{Archive: archive.Folder(dir), Readers: map[string]Reader{"a": NewReader(dump.New(), "a", time.UTC)}, Time: time.Minute}
	before := 2
	for size := info.Size(); size > 0; size-- {
		if err := os.Truncate(paths[0], size); err != nil {
			t.Fatal(err)
		}
		answer, err := Explain(t.Context(), filled(t, nil, nil), docs, "a/b/1", nil)
		if err != nil || answer.Archive.Documents > before || answer.Archive.Unreadable > 0 {
			t.Fatalf("%d bytes: %+v, %v", size, answer.Archive, err)
		}
		before = answer.Archive.Documents
		size -= 20
	}
	if before != 0 {
		t.Errorf("%d documents are left", before)
	}
}

// TestTableOrigin has the row of a table change an event, whose own row came with an earlier job.
func TestTableOrigin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const (
		own     = `{"state":"updated","kind":"Session","id":"1","modified":1,"data":{"@type":"Event","@id":"s","superEvent":"w","startDate":"2026-01-02"}}`
		other   = `{"state":"updated","kind":"Series","id":"8","modified":1,"data":{"@type":"EventSeries","@id":"v","name":"Other"}}`
		changed = `{"state":"updated","kind":"Series","id":"9","modified":2,"data":{"@type":"EventSeries","@id":"w","name":"New"}}`
	)
	body := func(items ...string) string { return `{"next":"x","items":[` + strings.Join(items, ",\n") + `]}` }
	taken := time.Now().Truncate(time.Millisecond).Add(time.Hour) // the page of the table that changed the event
	head := func(table string, at time.Time) archive.Head {
		return archive.Head{Table: table, Generation: 1, Taken: at}
	}
	archived(t, dir, 1, "", page{head("superEvent", taken.Add(-3*time.Minute)), body(other)}, page{head("", taken.Add(-2*time.Minute)), body(own)})
	archived(t, dir, 2, "", page{head("", taken.Add(-time.Minute)), "{"}) // it cannot be read
	archived(t, dir, 3, "", page{head("superEvent", taken), body(other, changed)}, page{head("", taken.Add(time.Minute)), body(own)})
	st := filled(t, nil, nil)
	format := rpde.New([]string{"superEvent"})
	e := made(t, "s", "New", "2026-01-02", "")
	e.BaseID = "w"
	storetest.Apply(t, st, store.Snapshot{Provider: "a", TimeZone: "UTC", Events: []event.Event{e}, Taken: taken, Changes: &store.Changes{
		Stream: store.Stream{Generation: 1, Cursor: []byte("{}")},
		Items: []store.Item{
			{Table: "superEvent", Item: feed.Item{ID: "Series/9", Name: "superEvent w", Row: []byte(changed)}},
			{Item: feed.Item{ID: "Session/1", Keys: []event.Key{e.Key}, Parent: "superEvent w", Row: []byte(own)}},
		},
	}})
	docs := &Documents{Archive: archive.Folder(dir), Readers: map[string]Reader{"a": NewReader(format, "a", time.UTC)}, Time: time.Minute}
	answer, err := Explain(t.Context(), st, docs, e.String(), nil)
	if err != nil || len(answer.Events) != 1 {
		t.Fatalf("%+v, %v", answer, err)
	}
	got := &answer.Events[0]
	if got.Origin == nil || got.TableRow == nil {
		t.Fatalf("%+v", got)
	}
	if p := got.Origin; p.Job != 1 || p.Page != 2 || p.Table != "" || p.Text != own {
		t.Errorf("its own row is %+v", p)
	}
	if p := got.TableRow; p.Job != 3 || p.Page != 1 || p.Table != "superEvent" || p.Line != 2 || p.Text != changed {
		t.Errorf("the row of the table is %+v", p)
	}
	if facts := fmt.Sprint(got.Facts()); !strings.Contains(facts, "{with values of job 3, page 1 of the table superEvent, line 2, ") {
		t.Error(facts)
	}
}

// TestChangesOrigin has a job of a feed of changes bring two pages, each as of its own time, and end before it could
// record what it had brought.
func TestChangesOrigin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st := filled(t, nil, nil)
	began := time.Now().Truncate(time.Millisecond)
	job, err := st.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Manual, Started: began})
	if err != nil {
		t.Fatal(err)
	}
	item := func(id string) string {
		return `{"state":"updated","kind":"k","id":"` + id + `","modified":1,"data":{"@type":"Event","@id":"` + id + `","name":"T","startDate":"2030-01-02"}}`
	}
	var pages []page
	for n, ids := range [][]string{{"1", "2"}, {"2", "3"}} {
		taken := began.Add(time.Duration(n+1) * time.Minute)
		snap := store.Snapshot{Provider: "a", TimeZone: "UTC", Taken: taken, Changes: &store.Changes{Stream: store.Stream{Generation: 1, Cursor: []byte("{}")}, GoesOn: true}}
		for _, id := range ids {
			e := made(t, id, "T"+fmt.Sprint(n), "2030-01-02", "")
			e.BaseID = id
			snap.Events = append(snap.Events, e)
			snap.Changes.Items = append(snap.Changes.Items, store.Item{Item: feed.Item{ID: "k/" + id, Keys: []event.Key{e.Key}}})
		}
		if _, job, err = st.Apply(t.Context(), snap, job); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page{archive.Head{Generation: 1, Taken: taken}, `{"next":"x","items":[` + item(ids[0]) + ",\n" + item(ids[1]) + `]}`})
	}
	archived(t, dir, job.ID, "", pages...)
	interrupted := job
	interrupted.New, interrupted.Changed = 0, 0
	interrupted.Interrupt(began.Add(time.Hour))
	if err := st.Finish(t.Context(), interrupted, nil); err != nil {
		t.Fatal(err)
	}
	docs := &Documents{Archive: archive.Folder(dir), Readers: map[string]Reader{"a": NewReader(rpde.New(nil), "a", time.UTC)}, Time: time.Minute}
	for id, want := range map[string]string{"1": "page 1, line 1", "2": "page 2, line 1", "3": "page 2, line 2"} {
		answer, err := Explain(t.Context(), st, docs, "a/"+id+"/"+id, nil)
		if err != nil || len(answer.Events) != 1 {
			t.Fatalf("%+v, %v", answer, err)
		}
		e := &answer.Events[0]
		if e.FirstJob != job.ID || e.LastJob != job.ID {
			t.Errorf("%s is of the jobs %d and %d, not of %d", id, e.FirstJob, e.LastJob, job.ID)
		}
		if e.Origin == nil || !strings.Contains(e.Origin.String(), want) || e.Origin.Text != item(id) {
			t.Errorf("%s: %v, %s; want %s", id, e.Origin, e.NoOrigin, want)
		}
	}
}

// TestLatestChange has events that a page of a feed of changes has taken off sale, each in another way.
func TestLatestChange(t *testing.T) {
	t.Parallel()
	format, err := mapped.New(mapped.Mapping{Changes: true, To: `if .removed then {base_id: .id, current: false}
		else {base_id: .id, title: .name, start: "2030-01-02", current: (.state != "cancelled")} end`})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	st := filled(t, nil, nil)
	st.History = time.Hour
	sold := func(id string) event.Event {
		e := made(t, id, "T", "2030-01-02", "")
		e.BaseID = id
		return e
	}
	item := func(id string, events ...event.Event) store.Item {
		i := store.Item{Item: feed.Item{ID: id + "/" + id}}
		for _, e := range events {
			i.Keys = append(i.Keys, e.Key)
		}
		return i
	}
	apply := func(snap store.Snapshot, body string) {
		job, err := st.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Manual, Started: snap.Taken})
		if err != nil {
			t.Fatal(err)
		}
		snap.Provider, snap.TimeZone, snap.Changes.Stream = "a", "UTC", store.Stream{Generation: 1, Cursor: []byte("{}")}
		archived(t, dir, job.ID, "", page{archive.Head{Generation: 1, Taken: snap.Taken}, body})
		job.State = store.Completed
		if _, _, err := st.Apply(t.Context(), snap, job); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Now().Truncate(time.Millisecond).UTC()
	apply(store.Snapshot{
		Taken: at.Add(time.Minute), Events: []event.Event{sold("1"), sold("2"), sold("3")},
		Changes: &store.Changes{Items: []store.Item{item("1", sold("1")), item("2", sold("2")), item("3", sold("3"))}},
	}, `[{"id": 1, "name": "T"}, {"id": 2, "name": "T"}, {"id": 3, "name": "T"}]`)
	apply(store.Snapshot{
		Taken: at.Add(2 * time.Minute), Past: []event.Event{sold("1")},
		Changes: &store.Changes{Items: []store.Item{item("1", sold("1")), item("2"), item("3")}},
	}, `[{"id": 1, "name": "T", "state": "cancelled"},`+"\n"+`{"id": 2, "removed": true},`+"\n"+`{"id": 3, "name": "x"}]`)
	docs := &Documents{Archive: archive.Folder(dir), Readers: map[string]Reader{"a": NewReader(format, "a", time.UTC)}, Time: time.Minute}
	const has = "no: the feed of changes of a has its row, which was "
	for id, want := range map[string]string{
		"1": "1 " + has + "kept: it says that it is no longer sold; searches find it all the same",
		"2": "2 " + has + "deleted: the provider says that it is no longer there; searches find it all the same",
		"3": "0 no: it is not in the feed of changes of a, and searches find it all the same: it was deleted or cancelled there, or changed so that it makes no such event", // with other settings than now
	} {
		answer, err := Explain(t.Context(), st, docs, "a/"+id+"/"+id, nil)
		if err != nil || len(answer.Events) != 1 {
			t.Fatalf("%+v, %v", answer, err)
		}
		e := &answer.Events[0]
		line := 0
		if e.LatestRow != nil {
			line = e.LatestRow.Line
		}
		if got := fmt.Sprint(line, " ", e.sold()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestDamaged has bits of the archive flipped: what is damaged is told apart from documents that cannot
// be read.
func TestDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	archived(t, dir, 1, "", page{body: `{"provider":"a","base_id":"b","event_id":"1","title":"T","start":"x","zones":[]}`})
	archived(t, dir, 2, "", page{body: `{"provider":"a","base_id":"b","event_id":"2","title":"Other","start":"2026-01-02","zones":[]}`})
	paths, err := filepath.Glob(filepath.Join(dir, "a", "*"))
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	text[40] ^= 1 // in the block of the first document
	if err := os.WriteFile(paths[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	docs := &Documents{Archive: archive.Folder(dir), Readers: map[string]Reader{"a": NewReader(dump.New(), "a", time.UTC)}, Time: time.Minute}
	answer, err := Explain(t.Context(), filled(t, nil, nil), docs, "a/b/1", nil)
	if s := answer.Archive; err != nil || s.Documents != 2 || s.Damaged != 1 || s.Unreadable != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	lines := answer.Archive.Lines()
	if got := lines[len(lines)-1]; !strings.Contains(got, "of which 1 could not be read as a feed; places where the archive is damaged: 1. That is all") {
		t.Error(got)
	}
}
