package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
)

const dateTime = "2006-01-02T15:04:05"

func TestParseLocal(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"2021-06-30", "2021-06-30T21:00:00", "2021-06-30T00:00:00", "2021-06-30T23:59:59",
		"2020-02-29", "2000-02-29", "0000-02-29", "0000-01-01T00:00:00", "9999-12-31T23:59:59",
		"2021-01-31", "2021-03-31", "2021-04-30", "2021-05-31", "2021-07-31", "2021-08-31", "2021-09-30", "2021-10-31", "2021-11-30", "2021-12-31",
	} {
		l, err := event.ParseLocal(s)
		if err != nil || l.String() != s {
			t.Errorf("ParseLocal(%q) = %q, %v", s, l, err)
			continue
		}
		if l.IsZero() {
			t.Errorf("%q is zero", s)
		}
	}
}

func TestParseLocalRefuses(t *testing.T) {
	t.Parallel()
	const (
		form  = "is not a date and time like 2021-06-30T21:00:00"
		day   = "names a day that does not exist"
		clock = "names a time of day that does not exist"
	)
	for s, want := range map[string]string{
		"2021-09-31T20:00:00": day, "2021-09-31": day, "2021-02-29": day, "1900-02-29": day, "2020-02-30": day,
		"2021-00-10": day, "2021-13-10": day, "2021-99-99": day, "2021-06-00": day, "2021-06-31": day, "2021-01-32": day,

		"2021-06-30T24:00:00": clock, "2021-06-30T23:60:00": clock, "2021-06-30T23:59:60": clock, "2021-06-30T99:99:99": clock,

		"": form, " ": form, "now": form, "2021": form, "2021-06": form, "20210630": form, "2021-6-30": form, "2021-06-3": form, "21-06-30": form,
		"2021-06-30T": form, "2021-06-30T21": form, "2021-06-30T21:00": form, "2021-06-30T9:00:00": form, "2021-06-30T21:00:0": form,
		"2021-06-30T21:00:00Z": form, "2021-06-30T21:00:00+02:00": form, "2021-06-30+02:00": form, "2021-06-30Z": form,
		"2021-06-30T21:00:00.5": form, "2021-06-30T21:00:00,5": form, "2021-06-30T1:00:00.5": form, "2021-06-30T210000": form,
		" 2021-06-30": form, "2021-06-30 ": form, "2021-06-30T21:00:00 ": form, "2021-06- 1": form, "2021-06-30T 1:00:00": form,
		"+021-06-30": form, "-021-06-30": form, "2021-+6-30": form, "12021-06-30": form, "30-06-2021": form, "2021-W26-3": form,
		"2021-06-30t21:00:00": form, "2021-06-30 21:00:00": form,
		"２０２１-06": form, "2021-06-3٠": form, "2021-06-30T21:00:0٠": form, "2021-06-30T21:00:00\x00": form, "2021–06-30": form,
	} {
		l, err := event.ParseLocal(s)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("ParseLocal(%q) = %q, %v; want an error that it %s", s, l, err, want)
		}
		if l != (event.Local{}) {
			t.Errorf("ParseLocal(%q) returned %q beside its error", s, l)
		}
	}
}

// TestParseLocalEveryPosition puts a wrong byte at every place of a good time.
func TestParseLocalEveryPosition(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"2021-06-20", "2021-06-20T21:00:00"} {
		for i := range good {
			for _, c := range []byte("\x00 +-./:TZtx\xff") {
				if good[i] == c {
					continue
				}
				bad := good[:i] + string([]byte{c}) + good[i+1:]
				if l, err := event.ParseLocal(bad); err == nil {
					t.Errorf("ParseLocal(%q) = %q, want an error", bad, l)
				}
			}
		}
	}
}

func TestLocalErrorIsShort(t *testing.T) {
	t.Parallel()
	_, err := event.ParseLocal(strings.Repeat("\x00", 1<<20))
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func TestLocalZero(t *testing.T) {
	t.Parallel()
	var l event.Local
	if !l.IsZero() || l.String() != "" {
		t.Errorf("the zero value: %q", l)
	}
	l = mustLocal("2021-06-30")
	if err := l.UnmarshalText(nil); err != nil || !l.IsZero() {
		t.Errorf("of no text: %q, %v", l, err)
	}
	l = mustLocal("2021-06-30")
	if err := l.UnmarshalText([]byte("2021-09-31")); err == nil || l != mustLocal("2021-06-30") {
		t.Errorf("bad text: %q, %v", l, err)
	}
}

func TestLocalRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := anyLocal.Draw(t, "local")
		unmarked, fold := strings.CutSuffix(l.String(), "[fold=1]")
		if got, err := event.ParseLocal(unmarked); err != nil || got.String() != unmarked || !fold && got != l {
			t.Fatalf("ParseLocal(%q) = %q, %v", unmarked, got, err)
		}
		if got, err := event.ParseLocal(l.String()); fold != (err != nil) {
			t.Fatalf("ParseLocal(%q) = %q, %v", l, got, err)
		}
		text, err := json.Marshal(l)
		if err != nil || string(text) != `"`+l.String()+`"` {
			t.Fatalf("%q as JSON is %s, %v", l, text, err)
		}
		var got event.Local
		if err := json.Unmarshal(text, &got); err != nil || got != l {
			t.Fatalf("%s from JSON is %q, %v", text, got, err)
		}
	})
}

// FuzzParseLocal compares ParseLocal with time.Parse, which also accepts a fraction of a second
// and an hour of one digit. Such a text has another length than the layout.
func FuzzParseLocal(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		want, err := time.Parse(dateTime, s)
		layout := dateTime
		if err != nil {
			layout = time.DateOnly
			want, err = time.Parse(layout, s)
		}
		accept := err == nil && len(s) == len(layout)

		got, err := event.ParseLocal(s)
		if accept != (err == nil) {
			t.Fatalf("ParseLocal(%q) = %q, %v; want accepted: %t", s, got, err, accept)
		}
		if accept && (got.String() != want.Format(layout) || (clock(got) != "") != (layout == dateTime)) {
			t.Fatalf("ParseLocal(%q) = %q, want %s", s, got, want.Format(layout))
		}
	})
}

// TestLocalAllocates holds what a start depends on: it reads two local times of every event.
func TestLocalAllocates(t *testing.T) {
	text := mustLocal("2026-10-25T02:30:00[fold=1]").String()
	if n := testing.AllocsPerRun(100, func() {
		var l event.Local
		if l.UnmarshalText([]byte(text)) != nil {
			t.Error(text)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
