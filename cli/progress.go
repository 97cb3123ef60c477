package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/term"
)

// How often progress is shown. On a terminal lines are redrawn several times a second.
// Elsewhere each report adds lines, so only long work is reported, and rarely.
const (
	firstDrawn   = 500 * time.Millisecond
	drawnEvery   = 200 * time.Millisecond
	printedEvery = 10 * time.Second
)

// A screen is what lines must fit on. The zero value has neither bounds nor colours.
type screen struct {
	columns, lines int
	color          bool
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminal returns the screen of w. It returns false if w is not a terminal, or one that
// cannot move its cursor. NO_COLOR is described at https://no-color.org.
func terminal(w io.Writer) (screen, bool) {
	if name := os.Getenv("TERM"); name == "" || name == "dumb" || !isTerminal(w) {
		return screen{}, false
	}
	columns, lines, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return screen{}, false
	}
	if asked, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && asked > 0 {
		columns = asked
	}
	// A terminal that does not know its size is taken for one of the usual size.
	return screen{columns: cmp.Or(columns, 80), lines: cmp.Or(lines, 24), color: os.Getenv("NO_COLOR") == ""}, true
}

// A meter shows the progress of long work. On a terminal it redraws its lines, and removes
// them at the end. Elsewhere it prints plain lines from time to time.
type meter struct {
	w      io.Writer
	out    io.Writer                                         // can be the same terminal: see Write
	screen func() (screen, bool)                             // of w
	lines  func(context.Context, time.Time, screen) []string // none: there is nothing to show

	cancel context.CancelFunc
	ended  sync.WaitGroup // the goroutine that shows the lines

	mu    sync.Mutex
	drawn int // number of our lines above the cursor
}

// showProgress shows on w the lines that a function returns, until stop is called.
func showProgress(ctx context.Context, w, out io.Writer, lines func(context.Context, time.Time, screen) []string) *meter {
	m := &meter{w: w, out: out, lines: lines, screen: func() (screen, bool) { return terminal(w) }}
	m.start(ctx)
	return m
}

func (m *meter) start(ctx context.Context) {
	ctx, m.cancel = context.WithCancel(ctx)
	m.ended.Go(func() {
		pause, every := firstDrawn, drawnEvery
		if _, drawing := m.screen(); !drawing {
			pause, every = printedEvery, printedEvery
		}
		for ; ; pause = every {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
				m.show(ctx)
			}
		}
	})
}

// show draws or prints the current lines. It ignores errors: the work matters more.
func (m *meter) show(ctx context.Context) {
	s, drawing := m.screen()
	lines := m.lines(ctx, time.Now(), s)
	text := ""
	for _, line := range lines {
		text += line + "\n"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.redraw(text)
	if drawing {
		m.drawn = len(lines)
	}
}

// redraw replaces our lines by a text. One write keeps the screen from flickering.
func (m *meter) redraw(text string) {
	if m.drawn > 0 {
		text = fmt.Sprintf("\r\x1b[%dA\x1b[J", m.drawn) + text
	}
	_, _ = io.WriteString(m.w, text)
	m.drawn = 0
}

// Write writes to out. If that is the same terminal, the text goes above our lines.
func (m *meter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.redraw("")
	return m.out.Write(p)
}

// stop ends the meter and removes its lines.
func (m *meter) stop() {
	m.cancel()
	m.ended.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.redraw("")
}
