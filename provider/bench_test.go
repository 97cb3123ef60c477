package provider

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/provider/feed/feverup"
)

// BenchmarkAnswer is what becomes of an answer that is there: of one that is new, and
// of one that was the last, too. The bytes are those after decompression.
func BenchmarkAnswer(b *testing.B) {
	p, err := New(Config{Format: feverup.New(0), Name: "bench", URL: "http://a", Timeout: plenty, MaxBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	for coding, body := range map[string][]byte{"identity": feedtest.Big(), "gzip": gzipped(b, feedtest.Big())} {
		answer := func(last feed.Validators) *feed.Feed {
			t := p.newTransfer(b.Context(), 0, feed.Page{Number: 1}, "fetch", nil)
			t.exchange = &exchange{response: &http.Response{
				StatusCode: http.StatusOK,
				Header:     http.Header{"Content-Encoding": {coding}},
				Body:       io.NopCloser(bytes.NewReader(body)),
				Request:    &http.Request{},
			}}
			err := t.receive(last)
			if err != nil {
				b.Fatal(err)
			}
			snapshot, err := p.Decode(t.doc)
			if err := errors.Join(err, t.Close()); err != nil {
				b.Fatal(err)
			}
			return snapshot
		}
		last := answer(feed.Validators{}).Validators
		b.Run(coding+"/new", func(b *testing.B) {
			b.SetBytes(int64(len(feedtest.Big())))
			b.ReportAllocs()
			for b.Loop() {
				feedtest.CheckBig(b, answer(feed.Validators{}).Events)
			}
		})
		b.Run(coding+"/same", func(b *testing.B) {
			b.SetBytes(int64(len(feedtest.Big())))
			b.ReportAllocs()
			for b.Loop() {
				if snapshot := answer(last); !snapshot.NotModified || snapshot.Events != nil {
					b.Fatalf("%+v", snapshot)
				}
			}
		})
	}
}
