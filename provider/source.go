package provider

import (
	"context"
	"fmt"
	"io"

	"fever/provider/feed"
)

// A source is a document's bytes under its limits. Once it has returned an error it
// returns the same one again.
type source struct {
	ctx   context.Context
	r     io.Reader
	limit int64
	n     int64 // bytes read
	err   error

	progress *feed.Progress
}

func (s *source) Read(p []byte) (int, error) {
	if s.err == nil {
		s.err = s.ctx.Err()
	}
	if s.err != nil {
		return 0, s.err
	}
	// One byte past the limit tells a document that ends there from one that goes on.
	if left := s.limit - s.n; int64(len(p)) > left {
		p = p[:left+1]
	}
	n, err := s.r.Read(p)
	s.n += int64(n)
	if s.n > s.progress.Bytes.Load() { // only this fetch writes it
		s.progress.Bytes.Store(s.n)
	}
	if s.n > s.limit {
		err = tooLarge(s.limit)
	}
	s.err = err
	return n, err
}

func tooLarge(limit int64) error {
	return &fault{feed.KindTooLarge, fmt.Sprintf("the feed is larger than its limit of %d bytes", limit)}
}
