//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"fever/internal/harness"
)

// state returns what a source has after version v, when that comes right after another.
func state(s *source, v int) (found []harness.Summary) {
	for n := range s.events {
		last := v
		if absent(n, v) {
			last--
		}
		found = append(found, s.summary(n, last))
	}
	return found
}

// small is a market of two sources with few events, which have sent versions up to 12,
// the last of them not to its end.
func small() *market {
	m := &market{hours: 40}
	for i, name := range []string{"a", "b"} {
		s := &source{catalogue: catalogue{provider: name, first: 20 * i, events: 20, zones: 3}, whole: make(map[int]bool)}
		for v := range 12 {
			s.whole[v] = true
		}
		m.sources = append(m.sources, s)
	}
	return m
}

func answer(t *testing.T, events []harness.Summary) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{"data": map[string]any{"events": events}, "error": nil})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestCheck(t *testing.T) {
	t.Parallel()
	m := small()
	a, b := m.sources[0], m.sources[1]
	c := newChecker(m)
	for v := range 10 { // the sources are at versions of their own
		if err := c.check(answer(t, append(state(a, v), state(b, v+2)...)), 0, 40); err != nil {
			t.Fatal(err)
		}
		if err := c.check(answer(t, state(b, v+2)[3:17]), 23, 37); err != nil {
			t.Fatal(err)
		}
	}
	// One that is absent from the latest version says nothing of what that is.
	if err := c.check(answer(t, state(a, 5)[5:6]), 5, 6); err != nil {
		t.Error(err)
	}
}

// TestCheckRefuses has one thing wrong at a time.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	const v = 7
	for name, test := range map[string]struct {
		spoil func(found []harness.Summary) []harness.Summary
		says  string
	}{
		"one is missing": {func(f []harness.Summary) []harness.Summary { return f[1:] }, "19 events"},
		"one too many":   {func(f []harness.Summary) []harness.Summary { return append(f, f[0]) }, "21 events"},
		"the order":      {func(f []harness.Summary) []harness.Summary { f[4], f[5] = f[5], f[4]; return f }, "not {ID"},
		"another's id":   {func(f []harness.Summary) []harness.Summary { f[4].ID = f[5].ID; return f }, "not {ID"},
		"a price":        {func(f []harness.Summary) []harness.Summary { f[4].MinPrice += "1"; return f }, "not {ID"},
		"a time":         {func(f []harness.Summary) []harness.Summary { f[4].EndTime = "00:00:00"; return f }, "not {ID"},
		"a title":        {func(f []harness.Summary) []harness.Summary { f[4].Title = "a 4"; return f }, "nobody has"},
		"half of a snapshot": {func(f []harness.Summary) []harness.Summary {
			return append(f[:10], state(small().sources[0], v-1)[10:]...)
		}, "beside others of version"},
		"an older version":       {func([]harness.Summary) []harness.Summary { return state(small().sources[0], v-2) }, "after version"},
		"what was cut short":     {func([]harness.Summary) []harness.Summary { return state(small().sources[0], 12) }, "never sent to its end"},
		"one that should be old": {func(f []harness.Summary) []harness.Summary { f[3] = small().sources[0].summary(3, v); return f }, "beside others of version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := small()
			c := newChecker(m)
			if err := c.check(answer(t, state(m.sources[0], v-1)), 0, 20); err != nil {
				t.Fatal(err)
			}
			err := c.check(answer(t, test.spoil(state(m.sources[0], v))), 0, 20)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, where %q was to be said", err, test.says)
			}
		})
	}
	for _, body := range []string{"", "{}", `{"data":null,"error":null}`, `{"data":{"events":[]},"error":{"code":"internal","message":"x"}}`, `{"data":{"events":[],"more":1}}`} {
		if err := newChecker(small()).check([]byte(body), 0, 0); err == nil {
			t.Errorf("%s is taken for an answer", body)
		}
	}
}
