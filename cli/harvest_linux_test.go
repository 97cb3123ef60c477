package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"fever/provider/simulator"
)

var kills = flag.Int("kills", 10, "kills of a first harvest, of 12 pages for each")

// session returns the data of an item: a session of a series, whose name it has, or of none.
func session(id, version int) string {
	data := map[string]any{"@type": "ScheduledSession", "@id": fmt.Sprintf("https://feed.example/sessions/%d", id), "startDate": fmt.Sprintf("2030-01-01T%02d:00:00Z", version%24)}
	if id%2 == 0 {
		data["name"] = fmt.Sprintf("session %d", id)
	} else {
		data["superEvent"] = fmt.Sprintf("https://feed.example/series/%d", id%7)
	}
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // it has nothing that could fail
	}
	return string(text)
}

// TestHarvestKilled kills the program again and again, at any instant of the first harvest of a
// feed of changes that moves on meanwhile. In the end it has exactly what the provider sells, each
// event was new once, and no page was asked for twice but the one under way at a kill.
//
// Not parallel: see [person].
func TestHarvestKilled(t *testing.T) {
	const size, perKill = 5, 12
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	p := newPerson(t, program(t))
	feed, series := simulator.NewChanges("/sessions", size), simulator.NewChanges("/series", size)
	sim := simulator.New(t, simulator.Feeds(feed, series))
	for i := range 7 {
		series.Put(fmt.Sprint(i), fmt.Sprintf(`{"@type":"SessionSeries","@id":"https://feed.example/series/%d","name":"series %d"}`, i, i))
	}
	items := *kills * perKill * size
	for i := range items {
		feed.Put(fmt.Sprint(i), session(i, 0))
	}
	p.put(t, "fever.yaml", fmt.Sprintf(`
db: fever.db
keep-jobs: 10000
providers:
  - {name: a, url: "%s/sessions", format: rpde, every: 1h, tables: {superEvent: "%s/series"}}
`, sim.URL, sim.URL))
	killed := 0
	for killed < *kills {
		// Each process asks for what is new in the table first.
		arrived := sim.Arrived(len(sim.Requests()) + 1 + random.IntN(2*perKill-4))
		cmd := p.command(t, "sync", "--config", "fever.yaml")
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-arrived
		work := make([]byte, 64<<10)
		for range random.IntN(500) { // some milliseconds, as long as a few pages take
			_ = crc32.ChecksumIEEE(work)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the error says what the next line finds out
		if got := cmd.ProcessState.String(); got != "signal: killed" {
			t.Fatalf("it ended by itself: %s\n%s", got, said.String())
		}
		killed++
		if len(feed.Asked()) > items/size-2*perKill { // the rest would be too little for another kill
			break
		}
		for range random.IntN(5) {
			id := random.IntN(items)
			if random.IntN(3) == 0 {
				feed.Delete(fmt.Sprint(id))
			} else {
				feed.Put(fmt.Sprint(id), session(id, killed))
			}
		}
	}
	t.Log(p.run(t, 0, "sync", "--once", "--config", "fever.yaml"))

	current, all := 0, 0
	live := feed.Live()
	for line := range strings.Lines(p.run(t, 0, "dump", "--config", "fever.yaml", "--format", "ndjson")) {
		var e struct {
			EventID string `json:"event_id"`
			BaseID  string `json:"base_id"`
			Title   string
			Start   string
			Current bool
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Start == "" {
			continue // what the dump says of itself
		}
		if all++; !e.Current {
			continue
		}
		current++
		var id, hour int
		if _, err := fmt.Sscanf(e.EventID, "https://feed.example/sessions/%d", &id); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		title := fmt.Sprintf("session %d", id)
		if id%2 != 0 {
			title = fmt.Sprintf("series %d", id%7)
		}
		if _, err := fmt.Sscanf(e.Start, "2030-01-01T%d:", &hour); err != nil || e.Title != title || live[fmt.Sprint(id)] != session(id, hour) {
			t.Errorf("%s is sold as %s, %v", line, live[fmt.Sprint(id)], err)
		}
	}
	if current != len(live) {
		t.Errorf("%d events are current, and %d are sold", current, len(live))
	}
	added, interrupted := 0, 0
	for line := range strings.Lines(p.run(t, 0, "dump", "--config", "fever.yaml", "--jobs", "--format", "ndjson")) {
		var job struct {
			New  int
			Kind string
		}
		if err := json.Unmarshal([]byte(line), &job); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		added += job.New
		if job.Kind == "interrupted" {
			interrupted++
		}
	}
	if added != all {
		t.Errorf("jobs say that %d events were new, and %d are stored", added, all)
	}
	again := asked(t, sim)
	if again > killed {
		t.Errorf("%d pages were asked for again, after %d kills", again, killed)
	}
	t.Logf("%d kills, %d jobs interrupted; %d pages, %d of them asked for again; %d events, %d of them sold", killed, interrupted, len(feed.Asked()), again, all, current)
}

// asked returns how many pages of the feed were asked for a second time. Each must be the one
// that was under way at a kill: the last one before it.
func asked(t *testing.T, sim *simulator.Server) (again int) {
	t.Helper()
	had := make(map[string]bool)
	last := ""
	for _, request := range sim.Requests() {
		target := request.RequestURI
		switch {
		case !strings.HasPrefix(target, "/sessions"):
			continue
		case target == last:
			again++
		case had[target]:
			t.Errorf("%s was asked for again", target)
		}
		had[target], last = true, target
	}
	return again
}

// TestHarvestOnce has sync --once take a feed of changes in several jobs, and force be for the
// first of them alone. What a job has stored before it fails is shown.
func TestHarvestOnce(t *testing.T) {
	p := newPerson(t, program(t))
	feed := simulator.NewChanges("/sessions", 5)
	sim := simulator.New(t, simulator.Feeds(feed))
	for i := range 40 {
		feed.Put(fmt.Sprint(2*i), session(2*i, 0))
	}
	p.put(t, "fever.yaml", fmt.Sprintf("db: fever.db\nproviders:\n  - {name: a, url: %q, format: rpde, every: 1h, max-bytes: 3KiB}\n", sim.URL+"/sessions"))
	for _, args := range [][]string{{}, {"--force"}} {
		before := feed.Asked()["/sessions"]
		said := p.run(t, 0, append([]string{"sync", "--once", "--config", "fever.yaml"}, args...)...)
		if n := strings.Count(said, "; the feed goes on\n"); n < 2 || strings.Count(said, "a: completed in ") != n+1 || before > 1 {
			t.Errorf("%v: %s", args, said)
		}
	}
	if n := feed.Asked()["/sessions"]; n != 2 {
		t.Errorf("the first page was asked for %d times", n)
	}
	sim.Play(simulator.Feeds(feed), simulator.Status(404))
	if said := p.run(t, 1, "sync", "--once", "--force", "--config", "fever.yaml"); !strings.Contains(said, "http_status: provider a: fetch page 2 from") ||
		!strings.Contains(said, "  stored before that: 5 seen: 0 new, 0 changed, 5 unchanged, 0 not online, 0 rejected; 0 gone\n") {
		t.Error(said)
	}
}
