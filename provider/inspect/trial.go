package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// A Trial is what one document was read as, for somebody who tries it.
type Trial struct {
	*Report        // nil: it could not be made
	Error   string `json:"error,omitempty"` // why the document cannot be read to its end
	// Whole is the row that was asked for. It is nil if the document has no such row.
	Whole *Whole `json:"row,omitempty"`
}

// A Whole is a row with all that was made of it.
type Whole struct {
	Line       int              `json:"line"`
	In         any              `json:"in"` // as the mapping program reads it; nil in other formats
	Out        []event.Event    `json:"out"`
	Rejections []feed.Rejection `json:"rejections"`
}

// Trial returns what a document was read as, after its last row: see [Inspection.Report]. The error is
// that of decoding it.
func (i *Inspection) Trial(got *feed.Feed, failed error, location *time.Location, now time.Time) *Trial {
	t := &Trial{Report: i.Report(got, location, now)}
	if failed != nil {
		t.Error = failed.Error()
	}
	if r := i.whole; r != nil {
		t.Whole = &Whole{r.Line, r.Value, r.Events, r.Rejections}
	}
	return t
}

// ReadTrial reads a trial in JSON, of a provider at the location.
func ReadTrial(text []byte, location *time.Location) (*Trial, error) {
	t := new(Trial)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(t); err != nil {
		return nil, fmt.Errorf("read what a document was read as: %w", err)
	}
	if t.Report != nil {
		for at := range t.List {
			t.List[at].timeZone = location.String()
		}
	}
	return t, nil
}
