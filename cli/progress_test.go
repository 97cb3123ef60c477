package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-runewidth"

	"fever/store"
)

func TestJobLines(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	jobs := []jobProgress{
		{"waits", store.Pending, 0, 0, 0, 0, time.Time{}, ""},
		{"feverup", store.Running, 1, 1, 12_345_678, 4512, ago(4 * time.Second), ""},
		{"retried", store.Running, 12, 2, 104_857_600, 1_000_000, ago(75 * time.Minute), ""},
		{"another-provider-with-a-long-name", store.Running, 12, 1, 0, 0, now, ""},
	}
	for _, test := range []struct {
		name   string
		jobs   []jobProgress
		screen screen
		want   string
	}{
		{"none", nil, screen{80, 24, true}, ""},
		{"usual", jobs, screen{80, 24, false}, `
feverup            running       12.3 MB     4512 rows     3.1 MB/s         4 s
retried            attempt 2    104.9 MB  1000000 rows     0.0 MB/s  1 h 15 min
another-provider…  page 12        0.0 MB        0 rows     0.0 MB/s         0 s
waits              waiting
`},
		{"wide, in colours", jobs, screen{120, 24, true}, `
feverup                            running       12.3 MB     4512 rows     3.1 MB/s         4 s
` + yellow + `retried                            attempt 2    104.9 MB  1000000 rows     0.0 MB/s  1 h 15 min` + plain + `
another-provider-with-a-long-name  page 12        0.0 MB        0 rows     0.0 MB/s         0 s
` + faint + `waits                              waiting` + plain + `
`},
		{"narrow", jobs, screen{40, 24, false}, `
feverup       running       12.3 MB   …
retried       attempt 2    104.9 MB  1…
another-pro…  page 12        0.0 MB   …
waits         waiting
`},
		{"low", jobs, screen{80, 4, true}, `
feverup  running       12.3 MB     4512 rows     3.1 MB/s         4 s
` + yellow + `retried  attempt 2    104.9 MB  1000000 rows     0.0 MB/s  1 h 15 min` + plain + `
` + faint + `and 2 more` + plain + `
`},
		{"just high enough", jobs[:2], screen{80, 3, false}, `
feverup  running       12.3 MB     4512 rows     3.1 MB/s         4 s
waits    waiting
`},
		{"a file with an odd name", []jobProgress{{"漢字漢字漢字漢字/\x1b[2J\n.xml", store.Running, 1, 1, 0, 0, now, ""}}, screen{80, 24, false}, `
漢字漢字漢字漢字…  running        0.0 MB        0 rows     0.0 MB/s         0 s
`},
		{"behind another", []jobProgress{{"a.xml", store.Running, 1, 1, 12_345_678, 4512, now, "job 12 (schedule)"}, {"b.xml", store.Pending, 0, 0, 0, 0, time.Time{}, "a job (schedule)"}}, screen{80, 24, true}, `
` + faint + `a.xml  waiting for job 12 (schedule)` + plain + `
` + faint + `b.xml  waiting for a job (schedule)` + plain + `
`},
		{"no screen", jobs, screen{}, `
feverup                            running       12.3 MB     4512 rows     3.1 MB/s         4 s
retried                            attempt 2    104.9 MB  1000000 rows     0.0 MB/s  1 h 15 min
another-provider-with-a-long-name  page 12        0.0 MB        0 rows     0.0 MB/s         0 s
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lines := jobLines(test.jobs, now, test.screen)
			if got, want := strings.Join(lines, "\n"), strings.Trim(test.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for _, line := range lines {
				for _, sequence := range []string{faint, yellow, plain} {
					line = strings.ReplaceAll(line, sequence, "")
				}
				if columns := runewidth.StringWidth(line); test.screen.columns > 0 && columns >= test.screen.columns {
					t.Errorf("%q has %d columns", line, columns)
				}
			}
			if s := test.screen; s.lines > 0 && len(lines) >= s.lines {
				t.Errorf("%d lines", len(lines))
			}
		})
	}
}

func TestEventLine(t *testing.T) {
	t.Parallel()
	if got, want := eventLine(27_255, 500*time.Millisecond, screen{80, 24, true}), "27255 events  54510/s  1 s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := eventLine(27_255, time.Hour, screen{10, 24, true}), "27255 ev…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMeter shows what comes to a terminal, where the outcomes are printed too, and to
// what is none. Times are of the bubble.
func TestMeter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		drawing bool
		sleeps  time.Duration // at last
		want    []string
	}{
		{"terminal", true, 350 * time.Millisecond, []string{
			"at 0.5s\ntwo\n",
			"\r\x1b[2A\x1b[J", "outcome\n", "detail\n",
			"at 0.7s\ntwo\n",
			"\r\x1b[2A\x1b[J" + "at 0.9s\n",
			"\r\x1b[1A\x1b[J",
		}},
		{"terminal, quickly done", true, 0, []string{
			"at 0.5s\ntwo\n",
			"\r\x1b[2A\x1b[J", "outcome\n", "detail\n",
		}},
		{"file", false, 25 * time.Second, []string{"outcome\n", "detail\n", "at 10.0s\n", "at 20.0s\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var written writes
				began := time.Now()
				m := &meter{
					w: &written, out: &written,
					screen: func() (screen, bool) { return screen{}, test.drawing },
					lines: func(_ context.Context, now time.Time, _ screen) []string {
						took := now.Sub(began)
						lines := []string{fmt.Sprintf("at %.1fs", took.Seconds()), "two"}
						if took > 800*time.Millisecond {
							return lines[:1]
						}
						return lines
					},
				}
				m.start(t.Context())
				time.Sleep(600 * time.Millisecond)
				for _, text := range []string{"outcome\n", "detail\n"} {
					if _, err := io.WriteString(m, text); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(test.sleeps)
				m.stop()
				time.Sleep(time.Minute)
				if !slices.Equal(written, test.want) {
					t.Errorf("written %q, want %q", []string(written), test.want)
				}
			})
		})
	}
}

// writes keeps what is written, apart, and leaves out nothings.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	if len(p) > 0 {
		*w = append(*w, string(p))
	}
	return len(p), nil
}
