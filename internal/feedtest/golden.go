package feedtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// began is when documents are asked for: some formats expand rules from its month on.
var began = time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)

// Read decodes a document as one of the provider test, whose local times are in UTC.
func Read(format feed.Format, r io.Reader, charset string) (*feed.Feed, error) {
	return feed.Decode(&feed.Document{Op: "read", Body: io.NopCloser(r), Charset: charset, Page: feed.Page{Began: began}}, format, "test", time.UTC)
}

// Golden decodes the documents of a format and compares what comes of each with
// testdata/golden/NAME.json, and a digest of it all with testdata/revision. Formats embed
// that, so that with other results they have another revision. With update it writes the
// files anew.
func Golden(t *testing.T, format feed.Format, update bool, documents map[string][]byte) {
	t.Helper()
	GoldenOf(t, func(string) feed.Format { return format }, update, documents)
}

// GoldenOf is [Golden] with a format for each document, by its name.
func GoldenOf(t *testing.T, formatOf func(name string) feed.Format, update bool, documents map[string][]byte) {
	t.Helper()
	digest := sha256.New()
	golden := func(path string, got []byte) {
		t.Helper()
		if update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("it differs from %s, which -update writes anew:\n%s", path, got)
		}
	}
	var format feed.Format
	for _, name := range Names(documents) {
		format = formatOf(name)
		got, err := Read(format, bytes.NewReader(documents[name]), "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(struct {
			Events                  []event.Event
			Past                    []event.Event `json:",omitempty"`
			Seen, Ignored, Rejected int
			Rejections              []feed.Rejection
			Items                   []goldenItem `json:",omitempty"`
		}{got.Events, got.Past, got.Seen, got.Ignored, got.Rejected, got.Rejections, goldenItems(got.Items)}); err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(name, filepath.Ext(name)) + ".json"
		golden(filepath.Join("testdata", "golden", base), text.Bytes())
		fmt.Fprintf(digest, "%s %d\n%s", base, text.Len(), text.Bytes())
	}
	golden(filepath.Join("testdata", "revision"), []byte(hex.EncodeToString(digest.Sum(nil)[:8])))
	if want, err := os.ReadFile(filepath.Join("testdata", "revision")); err != nil || !update && !strings.HasPrefix(format.Revision, string(want)) {
		t.Errorf("the revision is %q, not %q, %v", format.Revision, want, err)
	}
	entries, err := os.ReadDir(filepath.Join("testdata", "golden"))
	if err != nil || len(entries) != len(documents) {
		t.Errorf("%d golden files of %d documents, %v", len(entries), len(documents), err)
	}
}

// A goldenItem is an item in a golden file, with its row as a text.
type goldenItem struct {
	feed.Item
	Keys []string `json:",omitempty"`
	Row  string   `json:",omitempty"`
}

func goldenItems(items []feed.Item) (golden []goldenItem) {
	for _, item := range items {
		g := goldenItem{Item: item, Row: string(item.Row)}
		for _, key := range item.Keys {
			g.Keys = append(g.Keys, key.BaseID+" "+key.EventID)
		}
		golden = append(golden, g)
	}
	return golden
}
