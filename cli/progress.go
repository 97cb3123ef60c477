package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"
)

// How often progress is shown: on a terminal soon and many times a second, elsewhere,
// where each time is one more line to keep, only of what takes long.
const (
	firstDrawn   = 500 * time.Millisecond
	drawnEvery   = 200 * time.Millisecond
	printedEvery = 10 * time.Second
)

// A screen is what lines have to fit on. The zero value has no bounds and no colours.
type screen struct {
	columns, lines int
	color          bool
}

// terminal returns the screen of w, and false when it is no terminal, or one on which
// nothing can be drawn again. NO_COLOR is as https://no-color.org says.
func terminal(w io.Writer) (screen, bool) {
	f, ok := w.(*os.File)
	if term := os.Getenv("TERM"); !ok || term == "" || term == "dumb" {
		return screen{}, false
	}
	columns, lines, ok := terminalSize(f)
	if !ok {
		return screen{}, false
	}
	if asked, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && asked > 0 {
		columns = asked
	}
	return screen{columns: columns, lines: lines, color: os.Getenv("NO_COLOR") == ""}, true
}

// A meter shows how far something is that takes its time: on a terminal as lines that
// are drawn again and again and go in the end, elsewhere as plain lines now and then.
type meter struct {
	w      io.Writer
	out    io.Writer                                         // may be the same terminal, see Write
	screen func() (screen, bool)                             // of w
	lines  func(context.Context, time.Time, screen) []string // no lines are nothing to show

	cancel context.CancelFunc
	done   chan struct{} // closed when nothing more is drawn

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
	m.done = make(chan struct{})
	go func() {
		defer close(m.done)
		m.run(ctx)
	}()
}

func (m *meter) run(ctx context.Context) {
	first, every := firstDrawn, drawnEvery
	if _, drawing := m.screen(); !drawing {
		first, every = printedEvery, printedEvery
	}
	for timer := time.NewTimer(first); ; timer.Reset(every) {
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			m.show(ctx)
		}
	}
}

// show draws or prints the lines as they are now. What goes wrong with that is no
// reason to end the work.
func (m *meter) show(ctx context.Context) {
	s, drawing := m.screen()
	lines := m.lines(ctx, time.Now(), s)
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	if drawing {
		b.WriteString(m.home())
		m.drawn = len(lines)
	}
	for _, line := range lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	_, _ = m.w.Write(b.Bytes()) // at once, or it flickers
}

// home returns what takes the cursor to where our lines begin, and them away.
func (m *meter) home() string {
	if m.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", m.drawn)
}

// Write writes to out, above our lines if that is the same terminal.
func (m *meter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear()
	return m.out.Write(p)
}

func (m *meter) clear() {
	_, _ = io.WriteString(m.w, m.home())
	m.drawn = 0
}

// stop takes our lines away and shows no more.
func (m *meter) stop() {
	m.cancel()
	<-m.done
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear()
}
