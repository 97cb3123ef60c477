package config

import (
	"strings"
	"testing"
	"time"
)

// TestCrontabNights has the nights on which clocks change. What a clock skips is due all
// the same, and no day is left out.
func TestCrontabNights(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone, spec, after string
		want              []string
	}{
		{"Europe/Madrid", "30 2 * * *", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"Europe/Madrid", "30 2 * * *", "2026-10-24T12:00:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"}},
		{"Europe/Madrid", "*/30 * * * *", "2026-03-29T01:00:00+01:00", []string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"}},
		{"Europe/Madrid", "*/30 * * * *", "2026-10-25T02:00:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{"America/New_York", "0 2 * * *", "2026-03-07T12:00:00-05:00", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"}},
		{"Australia/Lord_Howe", "0 0 * * *", "2026-04-04T12:00:00+11:00", []string{"2026-04-05T00:00:00+11:00", "2026-04-06T00:00:00+10:30", "2026-04-07T00:00:00+10:30"}},
		{"Australia/Lord_Howe", "30 1 * * *", "2026-10-03T12:00:00+10:30", []string{"2026-10-04T01:30:00+10:30", "2026-10-05T01:30:00+11:00"}},
		{"Europe/Dublin", "15 1 * * *", "2026-03-28T12:00:00Z", []string{"2026-03-29T02:15:00+01:00", "2026-03-30T01:15:00+01:00"}},
		{"America/Santiago", "0 0 * * *", "2026-09-05T12:00:00-04:00", []string{"2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"}},
		{"Pacific/Apia", "0 12 * * *", "2011-12-29T00:00:00-10:00", []string{"2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00", "2012-01-01T12:00:00+14:00"}},
		{"Europe/Madrid", "0 12 * * *", "2040-12-30T13:00:00+01:00", []string{"2040-12-31T12:00:00+01:00", "2041-01-01T12:00:00+01:00"}},
		{"UTC", "0 0 29 2 *", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
	} {
		t.Run(test.zone+" "+test.spec, func(t *testing.T) {
			t.Parallel()
			location, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			var c crontab
			if err := c.UnmarshalText([]byte(test.spec)); err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, test.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if at = c.after(at, location); at.Format(time.RFC3339) != want {
					t.Fatalf("due at %s, want %s", at.Format(time.RFC3339), want)
				}
			}
		})
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	good := map[string]size{"1": 1, "1B": 1, "2KiB": 2048, "512MiB": 512 << 20, "1GiB": 1 << 30, "1048576": 1 << 20, "1 KiB": 1024, "1kb": 1000, "1.5GiB": 3 << 29}
	for text, want := range good {
		var got size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "B", "1e3", "0.5", "NaN", "Inf", "9999999999999999999", "9999999999GiB", "GiB", "1GiBB", "1,5GiB", "1,000", "1,5", ",5GiB"} {
		var got size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %d", text, got)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // the origins, or what is wrong
		"*":                                "*",
		"https://events.example.com":       "https://events.example.com",
		"http://localhost:3000":            "http://localhost:3000",
		"http://[::1]:3000":                "http://[::1]:3000",
		"capacitor://localhost":            "capacitor://localhost",
		"https://a.example , http://b:81":  "https://a.example,http://b:81",
		"":                                 "",
		"null":                             "has a scheme",
		"*.example.com":                    "has a scheme",
		"https://":                         "has a scheme",
		"https://:443":                     "has a scheme",
		"https://a.example/":               "has a scheme",
		"https://a.example/x":              "has a scheme",
		"https://a.example?x":              "has a scheme",
		"https://user@a.example":           "has a scheme",
		"https://a.example,":               "has a scheme",
		"https://a.example https://b.test": "has a scheme",
		"https://a.example\r\nX: y":        "has a scheme",
		"https://A.example":                "lower case",
		"https://a.example:443":            "usual port",
		"http://a.example:80":              "usual port",
		"https://*.example":                "compared as a whole",
		"https://ñ.example":                "ASCII",
		"*,https://a.example":              "alone",
		"https://a.example,*":              "alone",
	} {
		var o origins
		got, err := o.MarshalText()
		if refused := o.UnmarshalText([]byte(text)); refused != nil {
			got, err = []byte(refused.Error()), nil
		} else if text != "" {
			got, err = o.MarshalText()
		}
		if err != nil || !strings.Contains(string(got), want) || want == "" && len(got) > 0 {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
}
