package provider

import (
	"bytes"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"fever/provider/feed"
)

// Whether a body is compressed is seen from its first bytes. What headers say of that is
// often wrong.
func TestFetchCompressed(t *testing.T) {
	t.Parallel()
	doc := fixture(t, "plan-list-1.xml")
	bodies := map[string][]byte{"plain": doc, "once": gzipped(t, doc), "twice": gzipped(t, gzipped(t, doc))}
	for _, header := range []http.Header{
		{},
		{"Content-Type": {"application/gzip"}},
		{"Content-Type": {"application/xml"}, "Content-Encoding": {"gzip"}},
		{"Content-Encoding": {"X-GZip"}},
		{"Content-Encoding": {"gzip, gzip"}},
		{"Content-Encoding": {"gzip, identity"}},
		{"Content-Encoding": {"gzip", "identity"}},
		{"Content-Encoding": {", ,gzip ,"}},
		{"Content-Encoding": {""}},
		{"Content-Encoding": {"identity"}},
		{"Content-Encoding": {"none"}},
		{"Content-Encoding": {"UTF-8"}},
		{"Content-Encoding": {"aws-chunked"}},
		{"Content-Encoding": {"aws-chunked,gzip"}},
	} {
		for name, body := range bodies {
			for _, status := range []int{http.StatusOK, http.StatusNonAuthoritativeInfo} {
				snapshot, err := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
					for key, values := range header {
						w.Header()[key] = values
					}
					w.WriteHeader(status)
					write(t, w, body)
				}).fetch(t.Context(), feed.Validators{}, nil)
				if err != nil || len(snapshot.Events) != 4 || snapshot.Bytes != int64(len(doc)) || snapshot.HTTPStatus != status {
					t.Errorf("%s, %v, %d: %+v, %v", name, header, status, snapshot, err)
				}
			}
		}
	}
}

// So it is of a document that is handed over, however it comes.
func TestReadCompressed(t *testing.T) {
	t.Parallel()
	p := newProvider(t, "http://127.0.0.1:1", plenty)
	doc := fixture(t, "mixed.xml")
	plain, err := p.read(t.Context(), bytes.NewReader(doc), nil)
	if err != nil {
		t.Fatal(err)
	}
	once := gzipped(t, doc)
	twice := gzipped(t, once)
	for _, body := range [][]byte{once, twice, append(gzipped(t, doc[:100]), gzipped(t, doc[100:])...)} {
		snapshot, err := p.read(t.Context(), iotest.OneByteReader(bytes.NewReader(body)), nil)
		if err != nil {
			t.Fatal(err)
		}
		snapshot.Page.Began = plain.Page.Began
		if !reflect.DeepEqual(snapshot, plain) {
			t.Errorf("%+v", snapshot)
		}
	}
	for name, test := range map[string]struct {
		body []byte
		kind feed.Kind
		text string
	}{
		"one byte of it":    {once[:1], feed.KindMalformed, ""},
		"two bytes of it":   {once[:2], feed.KindMalformed, "cut short"},
		"half of it":        {once[:len(once)/2], feed.KindMalformed, "cut short"},
		"half of it inside": {gzipped(t, once[:len(once)/2]), feed.KindMalformed, "cut short"},
		"three times":       {gzipped(t, twice), feed.KindDecode, "compressed more than 2 times"},
		"another method":    {append([]byte("\x1f\x8b\x07"), once[3:]...), feed.KindMalformed, "gzip: invalid header"},
		"a bomb":            {gzipped(t, bytes.Repeat([]byte(" "), maxBytes+1)), feed.KindTooLarge, "larger than its limit"},
		"a bomb inside":     {gzipped(t, gzipped(t, bytes.Repeat([]byte(" "), maxBytes+1))), feed.KindTooLarge, "larger than its limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snapshot, err := p.read(t.Context(), bytes.NewReader(test.body), nil)
			wantFailure(t, snapshot, err, test.kind, 0)
			if !strings.Contains(err.Error(), test.text) || bytesOf(err) > maxBytes+1 {
				t.Errorf("%v, %d bytes", err, bytesOf(err))
			}
		})
	}
}

// The limit holds for what is in between, too.
func TestReadCompressedLimit(t *testing.T) {
	t.Parallel()
	p := newProvider(t, "http://127.0.0.1:1", plenty)
	middle := bytes.Repeat(gzipped(t, nil), maxBytes/20) // more than the limit, of nothing
	snapshot, err := p.read(t.Context(), bytes.NewReader(gzipped(t, middle)), nil)
	wantFailure(t, snapshot, err, feed.KindTooLarge, 0)
}
