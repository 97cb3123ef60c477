package archive

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A market makes versions of a feed of a size, of whose events so many of a hundred change each time.
type market struct {
	random *rand.Rand
	events []string
}

func newMarket(size int) *market {
	m := &market{random: rand.New(rand.NewPCG(1, 2))}
	for n := 0; n < size; {
		m.events = append(m.events, m.event(len(m.events)))
		n += len(m.events[len(m.events)-1])
	}
	return m
}

func (m *market) event(n int) string {
	r := m.random
	text := fmt.Sprintf(`<base_plan base_plan_id="%d" sell_mode="online" title="Concert %x of the %x"><plan plan_id="1" plan_start_date="2030-%02d-%02dT%02d:30:00" sold_out="false">`,
		n, r.Uint32(), r.Uint32(), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24))
	for z := range 1 + r.IntN(8) {
		text += fmt.Sprintf(`<zone zone_id="%d" capacity="%d" price="%d.%02d" name="Platea" numbered="true"/>`, z, r.IntN(1000), r.IntN(100), r.IntN(100))
	}
	return text + "</plan></base_plan>\n"
}

func (m *market) next(percent int) []byte {
	for range len(m.events) * percent / 100 {
		n := m.random.IntN(len(m.events))
		m.events[n] = m.event(n)
	}
	var b bytes.Buffer
	b.WriteString("<planList><output>\n")
	for _, e := range m.events {
		b.WriteString(e)
	}
	b.WriteString("</output></planList>\n")
	return b.Bytes()
}

// put stores a document as the only one of its job.
func put(tb testing.TB, a *Archive, n uint64, body []byte) {
	tb.Helper()
	j := a.Begin(tb.Context(), "feverup")
	w := j.Document()
	for rest := body; len(rest) > 0; {
		n, _ := w.Write(rest[:min(len(rest), 64<<10)])
		rest = rest[n:]
	}
	w.Keep(Head{Job: n, Started: time.UnixMilli(int64(n)).UTC(), Page: 1, Op: "fetch from example.com", ContentType: "application/xml"})
	if err := j.Sync(); err != nil {
		tb.Fatal(err)
	}
	if err := j.End(Outcome{At: time.UnixMilli(int64(n)).UTC()}); err != nil {
		tb.Fatal(err)
	}
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
}

func folderSize(tb testing.TB, dir string) (size int64) {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"+extension))
	if err != nil {
		tb.Fatal(err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			tb.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// What a document costs of its size, over the segment that it is in, and what it takes to store and
// to read one.
func BenchmarkArchive(b *testing.B) {
	for _, size := range []int{20 << 10, 100 << 10, 1 << 20, 10 << 20, 100 << 20} {
		b.Run(fmt.Sprintf("store-%dKiB", size>>10), func(b *testing.B) {
			dir := b.TempDir()
			a, err := Open(Folder(dir), 0, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer a.Close()
			m := newMarket(size)
			total, n := 0, uint64(0)
			b.SetBytes(int64(size))
			for b.Loop() {
				b.StopTimer()
				body := m.next(1)
				b.StartTimer()
				n++
				total += len(body)
				put(b, a, n, body)
			}
			b.ReportMetric(100*float64(folderSize(b, dir))/float64(total), "%")
			b.ReportMetric(float64(n), "docs")
		})
		b.Run(fmt.Sprintf("read-%dKiB", size>>10), func(b *testing.B) {
			dir := b.TempDir()
			a, err := Open(Folder(dir), 0, 0)
			if err != nil {
				b.Fatal(err)
			}
			m := newMarket(size)
			for n := range 40 {
				put(b, a, uint64(n+1), m.next(1))
			}
			if err := a.Close(); err != nil {
				b.Fatal(err)
			}
			var last Document
			for doc, err := range Documents(b.Context(), Folder(dir), "feverup") {
				if err != nil {
					b.Fatal(err)
				}
				last = doc
			}
			b.SetBytes(int64(size))
			for b.Loop() {
				in, err := last.Open(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, in); err != nil {
					b.Fatal(err)
				}
				in.Close()
			}
		})
	}
}
