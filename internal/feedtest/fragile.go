package feedtest

import (
	"bytes"
	"io"

	"fever/provider/feed"
)

// Fragile returns a format with bugs: a document with the word panic makes it panic, and one with the
// word loop never ends.
func Fragile(f feed.Format) feed.Format {
	decode := f.Decode
	f.Decode = func(doc *feed.Document, b *feed.Builder) error {
		text, err := io.ReadAll(doc.Body)
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte("panic")) {
			panic("a bug")
		}
		for n := 0; bytes.Contains(text, []byte("loop")); n++ {
			_ = n
		}
		read := *doc
		read.Body = io.NopCloser(bytes.NewReader(text))
		return decode(&read, b)
	}
	return f
}
