package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same rules on every machine

	"fever/event"
	"fever/httpapi/server"
	"fever/index"
	"fever/internal/leak"
	"fever/internal/pipe"
)

// client follows no redirect and does not decompress, so that tests see what was sent. It keeps
// connections, so an answer that is framed wrongly spoils the next one.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func TestMain(m *testing.M) {
	os.Exit(leak.Check(m.Run()))
}

var quiet = slog.New(slog.DiscardHandler)

// listen serves h on a free port of the loopback interface until the test ends, and
// returns its URL.
func listen(t testing.TB, h http.Handler) string {
	t.Helper()
	ln, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, h, 30*time.Second, quiet, nil) }()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return "http://" + ln.Addr().String()
}

// search serves an index with the given entries.
func search(t testing.TB, entries ...*event.Entry) string {
	t.Helper()
	return listen(t, NewSearch(Search{Index: loaded(t, entries...), MaxAge: time.Minute, Log: quiet}))
}

func loaded(t testing.TB, entries ...*event.Entry) *index.Index {
	t.Helper()
	x := index.New()
	if err := x.Load(entries); err != nil {
		t.Fatal(err)
	}
	return x
}

// A row is a short form of an event. Its prices are of zones with tickets left.
type row struct {
	id, title  string
	start, end string
	zone       string // UTC when empty
	prices     []string
}

func entry(t testing.TB, r row) *event.Entry {
	t.Helper()
	e := event.Event{Key: event.Key{Provider: "test", BaseID: "base", EventID: r.id}, Title: r.title}
	if e.Title == "" {
		e.Title = r.id
	}
	if err := errors.Join(e.Start.UnmarshalText([]byte(r.start)), e.End.UnmarshalText([]byte(r.end))); err != nil {
		t.Fatal(err)
	}
	for _, text := range r.prices {
		price, err := event.ParsePrice(text)
		if err != nil {
			t.Fatal(err)
		}
		e.Zones = append(e.Zones, event.Zone{Capacity: 1, Price: price})
	}
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation(r.zone)
	if err != nil {
		t.Fatal(err)
	}
	return event.NewEntry(&e, zone)
}

func entries(t testing.TB, rows ...row) []*event.Entry {
	t.Helper()
	var list []*event.Entry
	for _, r := range rows {
		list = append(list, entry(t, r))
	}
	return list
}

// request makes a request with header fields given as "Name: value".
func request(t testing.TB, method, url string, fields ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// get is do for a GET request.
func get(t testing.TB, url string, fields ...string) reply {
	t.Helper()
	return do(t, request(t, http.MethodGet, url, fields...))
}

// A reply is a response that has passed the check against the OpenAPI document.
type reply struct {
	status int
	header http.Header
	body   string // decompressed
	wire   []byte // as it was sent
}

// do sends a request and checks the response. All tests of handlers use it.
func do(t testing.TB, r *http.Request) reply {
	t.Helper()
	return doWith(t, client, r)
}

func doWith(t testing.TB, c *http.Client, r *http.Request) reply {
	t.Helper()
	reply, err := exchange(c, r)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// exchange is do for goroutines, which must not end a test.
func exchange(c *http.Client, r *http.Request) (reply, error) {
	response, err := c.Do(r)
	if err != nil {
		return reply{}, err
	}
	wire, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return reply{}, err
	}
	body, err := check(r, response, wire)
	if err != nil {
		return reply{}, fmt.Errorf("%s %.200s: %d %.200q: %w", r.Method, r.URL, response.StatusCode, body, err)
	}
	return reply{status: response.StatusCode, header: response.Header, body: string(body), wire: wire}, nil
}

// titles returns the titles of the events that a 200 carries, in order.
func (r reply) titles(t testing.TB) []string {
	t.Helper()
	var body struct {
		Data struct {
			Events []struct{ Title string }
		}
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatal(err)
	}
	titles := []string{}
	for _, e := range body.Data.Events {
		titles = append(titles, e.Title)
	}
	return titles
}

// failure returns the code and the message that an error answer carries.
func (r reply) failure(t testing.TB) (code, message string) {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatal(err)
	}
	return body.Error.Code, body.Error.Message
}

// many returns n entries in order: one starts every hour and lasts one, with a title
// and prices as real ones have.
func many(t testing.TB, n int) []*event.Entry {
	t.Helper()
	titles := []string{"Camela en concierto", "Pantomima Full", "Los Morancos", "Tributo a Juanito Valderrama"}
	first := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	const layout = "2006-01-02T15:04:05"
	list := make([]*event.Entry, n)
	for i := range list {
		start := first.Add(time.Duration(i) * time.Hour)
		list[i] = entry(t, row{
			id: strconv.Itoa(i), title: titles[i%len(titles)],
			start: start.Format(layout), end: start.Add(time.Hour).Format(layout),
			prices: []string{strconv.Itoa(15 + i%7), strconv.Itoa(30+i%50) + ".50"},
		})
	}
	return list
}

// A bubble is a server in a synctest bubble.
type bubble struct {
	pipe.Bubble
	counts *server.Connections
}

func inBubble(t *testing.T, h http.Handler, log *slog.Logger, test func(t *testing.T, b bubble)) {
	t.Helper()
	counts := new(server.Connections)
	pipe.InBubble(t, func(ctx context.Context, ln net.Listener) error {
		return server.Serve(ctx, ln, h, time.Minute, log, counts)
	}, func(t *testing.T, b pipe.Bubble) { test(t, bubble{b, counts}) })
}

// cutOff reports whether the server has ended a connection. One that is alive costs a
// millisecond.
func cutOff(t *testing.T, conn net.Conn) bool {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	_, err := io.ReadAll(conn)
	return err == nil
}

const wantSearch = "GET /search HTTP/1.1\r\nHost: x\r\n\r\n"
