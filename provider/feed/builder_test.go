package feed

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"fever/event"
)

// valid returns a valid event with the given ids.
func valid(baseID, eventID string) event.Event {
	e := event.Event{Key: event.Key{BaseID: baseID, EventID: eventID}, Title: "t"}
	e.Start, _ = event.ParseLocal("2026-01-01")
	return e
}

// What is kept of a feed is bounded, however small its document is.
func TestBuilderBounds(t *testing.T) {
	t.Parallel()
	tooLarge := func(err error) bool {
		failure, ok := errors.AsType[*Error](err)
		return ok && failure.Kind == KindTooLarge
	}
	e := valid("1", "1")
	e.Zones = make([]event.Zone, 2)
	b := newBuilder("test", time.UTC, new(Progress), nil)
	b.zones = maxZones - 2
	if err := b.Keep(e, 1); err != nil {
		t.Errorf("at the limit of zones: %v", err)
	}
	if err := b.Keep(e, 2); !tooLarge(err) {
		t.Errorf("past the limit of zones: %v", err)
	}

	b = newBuilder("test", time.UTC, new(Progress), nil)
	b.feed.Events = make([]event.Event, maxRows-1, maxRows)
	if err := b.Keep(e, 1); err != nil {
		t.Errorf("at the limit of events: %v", err)
	}
	if err := b.KeepPast(valid("1", "2"), 2); !tooLarge(err) {
		t.Errorf("past the limit of events: %v", err)
	}
}

// A document may be bounded more closely.
func TestMaxEvents(t *testing.T) {
	t.Parallel()
	rows := 0
	format := Format{Decode: func(_ *Document, b *Builder) error {
		for {
			rows++
			if err := b.Keep(valid("1", fmt.Sprint(rows)), rows); err != nil {
				return err
			}
		}
	}}
	_, err := Decode(&Document{Body: io.NopCloser(strings.NewReader("")), Op: "read", MaxEvents: 3}, format, "test", time.UTC)
	if failure, ok := errors.AsType[*Error](err); !ok || failure.Kind != KindTooLarge || rows != 4 || !strings.Contains(err.Error(), "more than 3 events, or 12 zones") {
		t.Errorf("after %d rows: %v", rows, err)
	}
}

// TestDecode makes a feed of what a format gives to the builder.
func TestDecode(t *testing.T) {
	t.Parallel()
	var next url.URL
	var progress Progress
	format := Format{Decode: func(doc *Document, b *Builder) error {
		b.Unknown(1, "%s", "of no interest: there are rows")
		err := errors.Join(b.Keep(valid("1", "1"), 2), b.KeepPast(valid("1", "2"), 3), b.Keep(valid("1", "2"), 4), b.KeepPast(valid("1", "3"), 5))
		b.Ignore(5)
		b.Reject("1", "a\x1bb", 6, "why")
		b.Next(&next)
		_, readErr := io.ReadAll(doc.Body)
		return errors.Join(err, readErr, b.Keep(event.Event{}, 7)) // not valid
	}}
	doc := Document{Body: io.NopCloser(strings.NewReader("12345")), Op: "read", HTTPStatus: 203, Validators: Validators{ETag: "tag"}, Progress: &progress}
	got, err := Decode(&doc, format, "test", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Events) != 2 || len(got.Past) != 1 || got.Past[0].EventID != "3" || got.Events[0].Provider != "test" || got.Seen != 7 || got.Ignored != 1 || got.Rejected != 3 {
		t.Errorf("%+v", got)
	}
	want := []Rejection{{"1", "2", 3, "replaced by a later row with the same ids, on line 4"}, {"1", "a b", 6, "why"}, {"", "", 7, "no base id"}}
	for i := range want {
		if got.Rejections[i] != want[i] {
			t.Errorf("%+v, want %+v", got.Rejections[i], want[i])
		}
	}
	if got.Next == nil || got.Next.URL != &next || got.Rows != 7 || got.Bytes != 5 || got.HTTPStatus != 203 || got.Validators.ETag != "tag" || progress.Rows.Load() != 7 {
		t.Errorf("%+v, %d rows counted", got, progress.Rows.Load())
	}
}

// An error says whose it is and what was being done, and has the kind of its cause.
func TestDecodeFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		kind Kind
		text string
	}{
		"with a kind":    {Errorf(KindMalformed, "line 1: %w", io.ErrUnexpectedEOF), KindMalformed, "provider test: read: line 1: unexpected EOF"},
		"without a kind": {io.ErrNoProgress, KindInternal, "provider test: read: multiple Read calls return no data or error"},
		"not printable":  {Errorf(KindDecode, "a\nb\x1b[2J\xff%s", strings.Repeat("x", 1000)), KindDecode, "provider test: read: a?b?[2J?" + strings.Repeat("x", 504) + "..."},
	} {
		format := Format{Decode: func(doc *Document, _ *Builder) error {
			_, _ = doc.Body.Read(make([]byte, 3))
			return test.err
		}}
		got, err := Decode(&Document{Body: io.NopCloser(strings.NewReader("12345")), Op: "read", HTTPStatus: 200}, format, "test", time.UTC)
		failure, ok := errors.AsType[*Error](err)
		if got != nil || !ok || failure.Kind != test.kind || failure.Bytes != 3 || failure.HTTPStatus != 200 || !errors.Is(err, test.err) || err.Error() != test.text {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
