//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"fever/internal/harness"
)

// The content codings that requests ask for.
const (
	identity = "identity"
	gzipped  = "gzip"
)

// A lesson has verified answers to some windows.
type lesson struct {
	questions map[string][]question // by encoding
	events    float64               // mean of an answer
	bytes     float64               // mean of a body, not compressed
}

// learn asks for each window and verifies the answer against the events, in a version of the
// changing feed. It returns the questions with their answers. With a limit it asks for pages of
// that many events: each page is a question.
func learn(ctx context.Context, server *process, d dataset, version, limit int, windows []window) (*lesson, error) {
	transport := &http.Transport{DisableCompression: true} // else it would ask for gzip by itself
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	l := &lesson{questions: make(map[string][]question)}
	pages, events, size := 0, 0, 0
	for _, w := range windows {
		want := d.find(w)
		for query := w.query(limit); query != ""; pages++ {
			page := want
			if limit > 0 {
				page = want[:min(limit, len(want))]
			}
			want = want[len(page):]
			plain, next, err := fetch(ctx, client, server, query, identity)
			if err != nil {
				return nil, err
			}
			if err := verify(plain, page, version); err != nil {
				return nil, &wrongAnswer{query, err.Error()}
			}
			if (next != "") != (len(want) > 0) {
				return nil, &wrongAnswer{query, fmt.Sprintf("%d events are to follow, and its Link leads to %q", len(want), next)}
			}
			packed, alsoNext, err := fetch(ctx, client, server, query, gzipped)
			if err != nil {
				return nil, err
			}
			if !bytes.Equal(packed, plain) { // a small answer may be sent as it is
				unpacked, err := unpack(packed)
				if err != nil {
					return nil, &wrongAnswer{query, "gzip: " + err.Error()}
				}
				if !bytes.Equal(unpacked, plain) {
					return nil, &wrongAnswer{query, "gzip: another answer than without"}
				}
			}
			if alsoNext != next {
				return nil, &wrongAnswer{query, fmt.Sprintf("gzip: its Link leads to %q, and not to %q", alsoNext, next)}
			}
			for encoding, body := range map[string][]byte{identity: plain, gzipped: packed} {
				q := question{request("/search", query, encoding == gzipped), len(body), crc32.Checksum(body, castagnoli)}
				l.questions[encoding] = append(l.questions[encoding], q)
			}
			events += len(page)
			size += len(plain)
			query = next
		}
	}
	l.events, l.bytes = float64(events)/float64(pages), float64(size)/float64(pages)
	return l, nil
}

// fetch returns the body of an answer as it was sent, and the query of the next page, if there is
// one.
func fetch(ctx context.Context, client *http.Client, server *process, query, encoding string) (body []byte, next string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server.address.String()+"/search?"+query, http.NoBody)
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("Accept-Encoding", encoding)
	response, err := client.Do(request)
	if err != nil {
		return nil, "", err
	}
	body, err = io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, "", err
	}
	if response.StatusCode != http.StatusOK {
		return nil, "", &wrongAnswer{query, fmt.Sprintf("%s: %.100q", response.Status, body)}
	}
	if link := response.Header.Get("Link"); link != "" {
		var begins, ends bool
		next, begins = strings.CutPrefix(link, "<?")
		next, ends = strings.CutSuffix(next, `>; rel="next"`)
		if !begins || !ends {
			return nil, "", &wrongAnswer{query, fmt.Sprintf("its Link is %q", link)}
		}
	}
	return body, next, nil
}

// unpack decompresses a gzip stream. It must have one member: browsers ignore others.
func unpack(packed []byte) ([]byte, error) {
	rest := bytes.NewReader(packed)
	z, err := gzip.NewReader(rest)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	unpacked, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	if rest.Len() > 0 {
		return nil, fmt.Errorf("%d bytes after the first member", rest.Len())
	}
	return unpacked, nil
}

// verify compares a body with the expected events.
func verify(body []byte, want dataset, version int) error {
	var got harness.Answer
	if err := json.Unmarshal(body, &got); err != nil {
		return err
	}
	if got.Error != nil || got.Data == nil || got.Data.Events == nil {
		return fmt.Errorf("not the shape of an answer: %.100q", body)
	}
	if len(got.Data.Events) != len(want) {
		return fmt.Errorf("it has %d events, and not %d", len(got.Data.Events), len(want))
	}
	for i, e := range want {
		if s := e.summary(version); got.Data.Events[i] != s {
			return fmt.Errorf("event %d is %v, and not %v", i+1, got.Data.Events[i], s)
		}
	}
	return nil
}
