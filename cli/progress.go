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

// How often progress is shown: on a terminal soon and many times a second, elsewhere,
// where each time is one more line to keep, only of what takes long.
const (
	firstDrawn   = 500 * time.Millisecond
	drawnEvery   = 200 * time.Millisecond
	printedEvery = 10 * time.Second
)

// A screen is what lines must fit on. The zero value has no bounds and no colours.
type screen struct {
	columns, lines int
	color          bool
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminal returns the screen of w, and false when w is no terminal, or one that cannot
// move its cursor. NO_COLOR is as https://no-color.org says.
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
	// A terminal that does not know its size has the usual one.
	return screen{columns: cmp.Or(columns, 80), lines: cmp.Or(lines, 24), color: os.Getenv("NO_COLOR") == ""}, true
}

// A meter shows how far something is that takes its time: on a terminal as lines that
// are drawn again and again and removed in the end, elsewhere as plain lines now and then.
type meter struct {
	w      io.Writer
	out    io.Writer                                         // may be the same terminal, see Write
	screen func() (screen, bool)                             // of w
	lines  func(context.Context, time.Time, screen) []string // no lines are nothing to show

	cancel context.CancelFunc
	ended  sync.WaitGroup // of the goroutine that shows

	mu    sync.Mutex
	drawn int // lines above the cursor that are ours
}

// showProgress shows on w what lines returns, until stop is called.
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

// show draws or prints the lines as they are now. A failure is no reason to end the work.
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

// redraw writes a text in the place of our lines, at once, or it flickers.
func (m *meter) redraw(text string) {
	if m.drawn > 0 {
		text = fmt.Sprintf("\r\x1b[%dA\x1b[J", m.drawn) + text
	}
	_, _ = io.WriteString(m.w, text)
	m.drawn = 0
}

// Write writes to out, above our lines if that is the same terminal.
func (m *meter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.redraw("")
	return m.out.Write(p)
}

// stop removes our lines and shows no more.
func (m *meter) stop() {
	m.cancel()
	m.ended.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.redraw("")
}
