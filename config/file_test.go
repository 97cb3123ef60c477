package config

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is refused into the golden file")

// TestRefused holds what is said of every file in testdata/refused.txtar.
func TestRefused(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "refused.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, file := range archive.Files {
		_, err := complete(t, string(file.Data))
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error is %v", file.Name, err)
			continue
		}
		folder := regexp.MustCompile(`/\S*/fever\.yaml`)
		fmt.Fprintf(&got, "%s\n\t%s\n", file.Name, folder.ReplaceAllString(err.Error(), "fever.yaml"))
	}
	golden := filepath.Join("testdata", "refused.golden")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("refused:\n%s\nwant:\n%s", got.String(), want)
	}
}

// complete returns the settings of fever serve with the given file.
func complete(t *testing.T, yaml string, args ...string) (*Serve, error) {
	t.Helper()
	s, flags := serveFlags(t, cmp.Or(yaml, "\n"), args...)
	return s, s.Complete(flags)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s, err := complete(t, `
listen: 127.0.0.1:8081
db: /var/lib/fever/fever.db
workers: 7
keep-jobs: "0x10"
log-format: json
log-level: debug
no-sync: "true"
max-age: 1m
max-in-flight: 9
max-answer: 10
allow-origin: https://a.example, http://localhost:3000
grace: 0s
every: 90s
timezone: Europe/Madrid
timeout: 5s
max-bytes: 1048576
provider-url: https://example.com/feed
`, "--workers", "3", "--max-bytes", "2MiB")
	if err != nil {
		t.Fatal(err)
	}
	p := s.Providers[0]
	got := fmt.Sprintln(s.Listen, s.DB, s.Workers, s.KeepJobs, s.LogFormat, s.LogLevel, s.NoSync, s.MaxAge, s.MaxInFlight, s.MaxAnswer, s.AllowOrigins, s.Grace,
		len(s.Providers), p.Name, p.Every, p.MaxInterval, p.Location, p.Timeout, p.MaxBytes, p.URL)
	want := fmt.Sprintln("127.0.0.1:8081", "/var/lib/fever/fever.db", 3, 16, "json", "DEBUG", true, time.Minute, 9, 10, []string{"https://a.example", "http://localhost:3000"}, time.Duration(0),
		1, "feverup", 90*time.Second, 22*time.Minute+30*time.Second, "Europe/Madrid", 5*time.Second, 2<<20, "https://example.com/feed")
	if got != want {
		t.Errorf("settings\n%s, want\n%s", got, want)
	}
}

// TestEmptyFile takes a file with nothing in it as no file.
func TestEmptyFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing yet\n", "---\n", "{}\n"} {
		s, err := complete(t, text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if len(s.Providers) != 1 || s.Providers[0].URL != defaultURL || s.Providers[0].Every != time.Minute {
			t.Errorf("%q: providers %+v", text, s.Providers)
		}
	}
}

func TestProviders(t *testing.T) {
	t.Parallel()
	s, err := complete(t, `
providers:
  - name: full
    url: https://example.com/feed
    format: json
    timezone: Europe/Madrid
    every: 2m
    timeout: 10s
    max-bytes: 3MiB
    max-interval: 20m
    allow-private-redirects: true
    headers:
      authorization: "Bearer s3cret $1"
      X-Empty: ""
  - name: least
    url: http://example.com/
  - {name: rare, url: http://example.com/, every: 2h}
  - {name: clock, url: http://example.com/, cron: "30 9 * * 1-5", timezone: Europe/Madrid}
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range s.Providers {
		got = append(got, fmt.Sprint(p.Name, " ", p.URL, " ", p.Format.Name, " ", p.Location, " ", p.Every, " ", p.MaxInterval, " ", p.Timeout, " ", p.MaxBytes, " ", p.AllowPrivateRedirects))
	}
	want := []string{
		"full https://example.com/feed fever Europe/Madrid 2m0s 20m0s 10s 3145728 true",
		"least http://example.com/ feverup UTC 1m0s 15m0s 30s 1073741824 false",
		"rare http://example.com/ feverup UTC 2h0m0s 2h0m0s 30s 1073741824 false",
		"clock http://example.com/ feverup Europe/Madrid 1m0s 1h0m0s 30s 1073741824 false",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("providers\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if header := fmt.Sprint(s.Providers[0].Header); header != fmt.Sprint(http.Header{"Authorization": {"Bearer s3cret $1"}, "X-Empty": {""}}) {
		t.Errorf("headers %s", header)
	}
	for _, p := range s.Providers {
		if (p.Next != nil) != (p.Name == "clock") || p.Location == nil || p.Suspect != "warn" {
			t.Errorf("provider %+v", p)
		}
	}
}

// TestCronClocks has a schedule follow the clocks of the provider, not of the machine.
func TestCronClocks(t *testing.T) {
	t.Parallel()
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ spec, after, want string }{
		{"30 9 * * *", "2021-01-15T08:29:59Z", "2021-01-15T08:30:00Z"}, // winter
		{"30 9 * * *", "2021-01-15T08:30:00Z", "2021-01-16T08:30:00Z"},
		{"30 9 * * *", "2021-07-15T07:00:00Z", "2021-07-15T07:30:00Z"}, // summer
		{"30 9 * * *", "2021-03-27T08:30:00Z", "2021-03-28T07:30:00Z"}, // the clocks go forward
		{"*/5 * * * *", "2021-10-31T00:58:00Z", "2021-10-31T01:00:00Z"},
		{"0 0 29 2 *", "2021-01-01T00:00:00Z", "2024-02-28T23:00:00Z"},
		{"0 12 * * MON", "2021-01-15T00:00:00Z", "2021-01-18T11:00:00Z"},
	}
	for _, test := range tests {
		var c crontab
		if err := c.UnmarshalText([]byte(test.spec)); err != nil {
			t.Fatal(err)
		}
		after, err := time.Parse(time.RFC3339, test.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.after(after, madrid).UTC().Format(time.RFC3339); got != test.want {
			t.Errorf("%s after %s is due at %s, want %s", test.spec, test.after, got, test.want)
		}
	}
}

// FuzzConfig looks for a file that brings the program down, or is refused without its
// name.
func FuzzConfig(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := parseFile("fever.yaml", text)
		if err == nil {
			_, err = parsed.list()
		}
		if err != nil && !strings.HasPrefix(err.Error(), "fever.yaml:") {
			t.Errorf("%q: %v", text, err)
		}
	})
}
