//go:build linux

package main

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// A behaviour answers a request. whole says whether the feed is sent to its end: a search must
// never find one that is not.
type behaviour struct {
	whole  bool
	answer func(w http.ResponseWriter, r *http.Request, feed []byte)
}

var (
	well = behaviour{true, func(w http.ResponseWriter, _ *http.Request, feed []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(feed)))
		_, _ = w.Write(feed) // a client that is gone asks again, as everywhere here
	}}
	compressed = behaviour{true, func(w http.ResponseWriter, _ *http.Request, feed []byte) {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // a level that there is
		_, _ = z.Write(feed)
		_ = z.Close()
	}}
	// tagged has one version, and answers 304 when the client has it.
	tagged = behaviour{true, func(w http.ResponseWriter, r *http.Request, feed []byte) {
		w.Header().Set("ETag", `"same"`)
		if r.Header.Get("If-None-Match") == `"same"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(feed)
	}}
	broken = behaviour{false, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		http.Error(w, "out of order", http.StatusInternalServerError)
	}}
	limited = behaviour{false, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "not so fast", http.StatusTooManyRequests)
	}}
	page = behaviour{false, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>Back soon</body></html>")
	}}
	unfinished = behaviour{false, func(w http.ResponseWriter, _ *http.Request, feed []byte) {
		_, _ = w.Write(feed[:len(feed)*9/10])
	}}
	cut = behaviour{false, func(w http.ResponseWriter, _ *http.Request, feed []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(feed)))
		_, _ = w.Write(feed[:len(feed)/2])
		panic(http.ErrAbortHandler)
	}}
	silent = behaviour{false, func(_ http.ResponseWriter, r *http.Request, _ []byte) {
		<-r.Context().Done()
	}}
	trickling = behaviour{false, func(w http.ResponseWriter, r *http.Request, feed []byte) {
		control := http.NewResponseController(w)
		for ; len(feed) > 0; feed = feed[1:] {
			_, err := w.Write(feed[:1])
			if errors.Join(err, control.Flush()) != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}}
)
