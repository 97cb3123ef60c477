package page

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"fever/store"
)

// TestReplicas shows replicas: one that is well, one that is behind, and one that was not heard of.
func TestReplicas(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	r := Replicas{Self: "1", Now: now, All: []store.Replica{
		{ID: "1", Host: "<one>", Version: "v1", Revision: 1234, Settings: "abc", Seen: now.Add(-2 * time.Second)},
		{ID: "2", Host: "two", Version: "v2", Revision: 1200, Settings: "abc", Seen: now, Behind: 20 * time.Second},
		{ID: "3", Host: "three", Version: "v1", Revision: 7, Settings: "other", Seen: now.Add(-15 * time.Second)},
	}}
	if r.differ() {
		t.Error("the settings of one that was lost count")
	}
	show := func(differ bool) string {
		t.Helper()
		var b bytes.Buffer
		if err := pageTemplate().ExecuteTemplate(&b, "replicas", view{Replicas: r.rows(), Differ: differ}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	text := show(false)
	for _, want := range []string{
		`<tr class="ok"><td>&lt;one&gt; <small>this one</small></td><td>v1</td><td class="id">abc</td><td class="number">1234</td><td>–</td><td>2 s ago</td></tr>`,
		`<tr class="wait"><td>two</td><td>v2</td><td class="id">abc</td><td class="number">1200</td><td>20 s</td><td>just now</td></tr>`,
		`<tr class="bad"><td>three</td><td>v1</td><td class="id">other</td><td class="number">7</td><td>–</td><td>15 s ago: lost</td></tr>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "different settings") {
		t.Error("it warns of settings that are the same")
	}
	r.All[1].Settings = "other"
	if !r.differ() || !strings.Contains(show(true), "different settings") {
		t.Error("it does not warn of other settings")
	}
}

// TestJudgeShared sums up an outage, and settings that differ.
func TestJudgeShared(t *testing.T) {
	t.Parallel()
	now := time.Now()
	down := outage(&store.Stats{Down: now.Add(-time.Minute), Why: errors.New("no route")}, now)
	if v := judge("ready", []error{errors.New("a question in vain")}, down, Traffic{}, nil, true, 0); v.Level != levelBad ||
		v.Headline != "The database does not answer" || v.Detail != "It has not answered for 1 min: no route. Searches are answered from memory. Nothing is collected." {
		t.Errorf("%+v", v)
	}
	if v := judge("draining", nil, down, Traffic{}, nil, false, 0); v.Headline != "Draining" {
		t.Errorf("%+v", v)
	}
	if v := judge("ready", nil, outage(&store.Stats{}, now), Traffic{}, nil, true, 0); v.Level != levelWait || v.Headline != "Replicas have different settings" {
		t.Errorf("%+v", v)
	}
	if v := judge("ready", nil, "", Traffic{}, nil, false, 0); v.Level != levelOK {
		t.Errorf("%+v", v)
	}
}
