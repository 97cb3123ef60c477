package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"fever/explain"
)

// children returns the ids of the processes that a process has started and that have not ended.
func children(t *testing.T, pid int) []string {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(threads) == 0 {
		t.Fatal(threads, err)
	}
	var all []string
	for _, name := range threads {
		ids, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a thread may have ended
			t.Fatal(err)
		}
		all = append(all, strings.Fields(string(ids))...)
	}
	return all
}

// noTime is what an answer says when reading the documents has taken too long.
const noTime = "there was no time to read the documents of that job"

// TestExplainApart asks a real fever serve about events while other people search. The decoder in its
// child has bugs that its own has not: whoever asks is told of them, and nobody else notices.
func TestExplainApart(t *testing.T) {
	t.Parallel()
	p := newPerson(t, program(t))
	p.put(t, "fever.yaml", `{providers: [{name: a, url: "http://127.0.0.1:9/", format: fever}]}`)
	for _, title := range []string{"plain", "panic", "loop"} {
		p.put(t, title, fmt.Sprintf(`{"base_id":"b","event_id":%q,"title":%[1]q,"start":"2031-01-01T20:00:00"}`, title))
		p.run(t, exitDone, "sync", "--once", "--config", "fever.yaml", title)
	}
	s := p.serve(t, "--config", "fever.yaml", "--no-sync", "--ops-listen", "127.0.0.1:0")
	defer s.stop()
	about := func(title string) string { return fmt.Sprintf("http://%s/explain?event=a/b/%s", s.ops, title) }
	ask := func(title, want string) {
		status, body := fetch(t, about(title))
		for want != noTime && strings.Contains(body, noTime) { // the machine is busy, and the process has the lowest priority
			status, body = fetch(t, about(title))
		}
		var answer struct{ Data explain.Answer }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || len(answer.Data.Events) != 1 {
			t.Errorf("%s: %d %s: %v", title, status, body, err)
			return
		}
		got := answer.Data.Events[0].NoOrigin
		if at := answer.Data.Events[0].Origin; at != nil {
			got = at.Text
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", title, got, want)
		}
	}
	ask("plain", `"title":"plain"`)
	ask("panic", "the process that decodes has ended: panic: a bug")
	ask("loop", noTime)
	if all := children(t, s.Process.Pid); len(all) > 0 {
		t.Errorf("processes are left behind: %v", all)
	}

	// The process ends with the client that has asked.
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, about("loop"), http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		if response, err := http.DefaultClient.Do(r); err == nil {
			_ = response.Body.Close() // nobody reads it
		}
	}()
	for len(children(t, s.Process.Pid)) == 0 {
	}
	leave()
	<-left
	for len(children(t, s.Process.Pid)) > 0 {
	}

	// Many ask at once: one process decodes at a time, and people search meanwhile.
	var asking sync.WaitGroup
	for n := range 50 {
		title, want := "plain", `"title":"plain"`
		if n%10 == 0 {
			title, want = "panic", "panic: a bug"
		}
		asking.Go(func() {
			status, body := fetch(t, about(title))
			if status != http.StatusOK || !strings.Contains(body, strings.ReplaceAll(want, `"`, `\"`)) && !strings.Contains(body, "ask again in a moment") && !strings.Contains(body, noTime) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		asking.Wait()
	}()
	for searched := 0; ; searched++ {
		select {
		case <-answered:
			t.Logf("%d searches meanwhile", searched)
			return
		default:
		}
		if all := children(t, s.Process.Pid); len(all) > 1 {
			// One may have ended while the other one began: threads are listed one after the other.
			after := children(t, s.Process.Pid)
			if all = slices.DeleteFunc(all, func(id string) bool { return !slices.Contains(after, id) }); len(all) > 1 {
				t.Fatalf("processes that decode: %v", all)
			}
		}
		if status, body := fetch(t, "http://"+s.address+"/search"); status != http.StatusOK || strings.Count(body, `"title"`) != 3 {
			t.Fatalf("search: %d %s", status, body)
		}
	}
}
