package mapped

import (
	"io"
	"runtime"
)

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// A watched reader looks at something after each so many bytes.
type watched struct {
	io.Reader
	every, read int
	look        func()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if before := w.read; (before+n)/w.every > before/w.every {
		w.look()
	}
	w.read += n
	return n, err
}
