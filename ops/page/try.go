package page

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fever/event"
	"fever/explain"
	"fever/index"
)

// A trial is the form to try a search, with the answer.
type trial struct {
	From, To string // as typed, without a time zone
	Match    string // overlap, or empty
	Event    string // that somebody asks about
	// Explained is what is known of it, unless Unexplained says why not.
	Explained   *explain.Answer
	Unexplained string

	Stored  stored // its choices stay when the form is sent
	Asked   bool
	Request string // to the public handler
	Status  int
	Took    time.Duration
	Events  int
	Bytes   int64
	Rows    []row  // the first events
	Code    string // of an error
	Message string
}

// A row is an EventSummary of the public API. Null values are empty.
type row struct {
	Title     string      `json:"title"`
	StartDate string      `json:"start_date"`
	StartTime string      `json:"start_time"`
	EndDate   string      `json:"end_date"`
	EndTime   string      `json:"end_time"`
	MinPrice  json.Number `json:"min_price"`
	MaxPrice  json.Number `json:"max_price"`
}

// trialRows is the number of events of an answer that are shown.
const trialRows = 20

// try sends the search of the form to the public handler, within this process. The answer
// and its time are those that everybody gets, but for the network.
func (p *Page) try(r *http.Request, s stored) trial {
	form := r.URL.Query()
	t := trial{Stored: s, Match: form.Get("match"), Event: form.Get("event")}
	query := url.Values{}
	t.From = bound(query, "starts_at", form.Get("starts_at"))
	t.To = bound(query, "ends_at", form.Get("ends_at"))
	if t.Match != "" {
		query.Set("match", t.Match)
	}
	if t.Event != "" {
		t.explain(r.Context(), p, query)
	}
	sent := form.Has("starts_at") || form.Has("ends_at") || form.Has("match")
	if t.Asked = sent && (t.Event == "" || len(query) > 0); !t.Asked { // the empty form searches for all
		return t
	}
	t.Request = "/search"
	if len(query) > 0 {
		t.Request += "?" + query.Encode()
	}
	t.ask(r.Context(), p.Search)
	if t.Status == http.StatusOK {
		t.Events = p.count(query)
	}
	return t
}

// explain finds out what is known of the event, and of a search for it.
func (t *trial) explain(ctx context.Context, p *Page, query url.Values) {
	search, err := explain.ParseSearch(query.Get("starts_at"), query.Get("ends_at"), query.Get("match"))
	var answer explain.Answer
	if err == nil {
		answer, err = explain.Explain(ctx, p.Store, p.Documents, t.Event, search)
	}
	if err != nil {
		t.Unexplained = err.Error()
		return
	}
	t.Explained = &answer
}

// count returns the number of events that a search finds now. It was answered a moment ago.
func (p *Page) count(query url.Values) int {
	window := event.Always
	if from, err := event.ParseInstant(query.Get("starts_at")); err == nil {
		window.From = from.Ceil()
	}
	if to, err := event.ParseInstant(query.Get("ends_at")); err == nil {
		window.To = to.Floor()
	}
	var found index.Result
	p.Index.Snapshot().Search(index.Query{Window: window, Overlap: query.Get("match") == "overlap"}, &found)
	return found.Events
}

// bound adds a bound to the query unless it is empty, and returns the value that the form
// shows. Browsers send a time without a zone, which counts as UTC, and leave out seconds
// that are 0. Other values are not changed.
func bound(query url.Values, name, value string) string {
	if value == "" {
		return ""
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, value); err == nil {
			query.Set(name, at.Format(time.RFC3339))
			return value
		}
	}
	query.Set(name, value)
	return strings.TrimSuffix(value, "Z")
}

func (t *trial) ask(ctx context.Context, search http.Handler) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Request, http.NoBody)
	if err != nil {
		t.Message = err.Error()
		return
	}
	answer := recorder{header: make(http.Header), status: http.StatusOK}
	began := time.Now()
	search.ServeHTTP(&answer, request)
	t.Took, t.Status, t.Bytes = time.Since(began), answer.status, answer.bytes
	t.Rows, t.Code, t.Message = answer.read()
}

// A recorder keeps the beginning of an answer. A whole answer may be as large as the index.
type recorder struct {
	header http.Header
	status int
	head   []byte
	bytes  int64
}

// recorderHead is how many bytes of an answer are kept: enough for trialRows of the longest
// events.
const recorderHead = 256 << 10

func (a *recorder) Header() http.Header { return a.header }

func (a *recorder) WriteHeader(status int) { a.status = status }

func (a *recorder) Write(b []byte) (int, error) {
	a.bytes += int64(len(b))
	a.head = append(a.head, b[:min(len(b), recorderHead-len(a.head))]...)
	return len(b), nil
}

// read returns the first events of an answer, or its error.
func (a *recorder) read() (rows []row, code, message string) {
	if a.status != http.StatusOK {
		var failure struct {
			Error struct{ Code, Message string } `json:"error"`
		}
		if err := json.Unmarshal(a.head, &failure); err != nil {
			return nil, "", "The answer cannot be read: " + err.Error()
		}
		return nil, failure.Error.Code, failure.Error.Message
	}
	decoder := json.NewDecoder(bytes.NewReader(a.head))
	for range 5 { // {"data":{"events":[
		if _, err := decoder.Token(); err != nil {
			return nil, "", "The answer cannot be read: " + err.Error()
		}
	}
	for len(rows) < trialRows && decoder.More() {
		var r row
		if decoder.Decode(&r) != nil { // the head ends within an event
			break
		}
		rows = append(rows, r)
	}
	return rows, "", ""
}
