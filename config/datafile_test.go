package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestDataFile reads files as commands do that use what is stored: of providers they need the
// names and time zones, and neither the secrets nor what a later version may know.
func TestDataFile(t *testing.T) {
	t.Parallel()
	const list = `
db: from-file.db
providers:
  - name: a
    url: https://${env:FEVER_TEST_UNSET}/
    timezone: Europe/Madrid
    headers: {Authorization: "${env:FEVER_TEST_UNSET}"}
    later: true
  - {name: b}
`
	for _, test := range []struct {
		name, yaml string
		args       []string
		want       string // the data file and the time zones, or the error
	}{
		{"nothing", "\n", nil, "fever.db"},
		{"a list", list, nil, "from-file.db a:Europe/Madrid b:UTC"},
		{"a flag beside it", list, []string{"--db", "x.db"}, "x.db a:Europe/Madrid b:UTC"},
		{"the only provider", "timezone: Europe/Madrid\n", nil, "fever.db feverup:Europe/Madrid"},
		{"a flag for it", "timezone: Europe/Madrid\n", []string{"--timezone", "UTC"}, "fever.db feverup:UTC"},
		{"a flag for it beside a list", list, []string{"--timezone", "UTC"}, "--timezone is for the only provider, but fever.yaml lists providers: say it there, for each"},
		{"no data file", "db: ''\n", nil, "fever.yaml:1: db names no file"},
		{"a bad time zone", "providers: [{name: a, timezone: Mars}]\n", nil, `fever.yaml:1: providers[0].timezone: "Mars": it is not an IANA time zone such as Europe/Madrid or UTC`},
		{"no providers", "providers: [a]\n", nil, "fever.yaml:1: providers[0]: it is text, where keys with values are needed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "fever.yaml")
			if err := os.WriteFile(path, []byte(test.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			var d DataFile
			flags := pflag.NewFlagSet("dump", pflag.ContinueOnError)
			d.Register(flags)
			d.RegisterTimeZone(flags)
			if err := flags.Parse(append(test.args, "--config", path)); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := d.Complete(flags); err != nil {
				got = strings.ReplaceAll(err.Error(), path, "fever.yaml")
			} else {
				got = string(d.DB)
				for _, name := range slices.Sorted(maps.Keys(d.Locations)) {
					got += fmt.Sprintf(" %s:%s", name, d.Locations[name])
				}
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if strings.Contains(test.yaml, "UNSET") && !slices.Contains(d.Variables, "FEVER_TEST_UNSET") {
				t.Errorf("variables %q", d.Variables)
			}
		})
	}
}

// TestUnreadable has files that cannot be read refused.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	big := filepath.Join(folder, "big.yaml")
	if err := os.WriteFile(big, []byte(strings.Repeat("# comment\n", maxFileBytes/10+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(folder, "missing.yaml"): "missing.yaml: no such file or directory",
		folder:                                "is a directory",
		big:                                   "big.yaml has more than 1 MiB",
	} {
		if _, err := readFile(path); err == nil || !strings.HasPrefix(err.Error(), "read the configuration: ") || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// How documents are read needs no secret of the settings.
func TestFormatsOfDataFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fever.yaml")
	text := `
providers:
  - {name: plain, url: "https://a.example/${env:FEVER_NO_SUCH}", headers: {Authorization: "${env:FEVER_NO_SUCH}"}}
  - {name: mapped, url: "https://a.example", format: map, map: {to: "."}, tolerate: leading-blanks}
  - {name: sessions, url: "https://a.example", format: rpde, tables: {superEvent: "https://a.example/${env:FEVER_NO_SUCH}"}}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]map[string]string{
		"":   {"feverup": "feverup"},
		path: {"plain": "feverup", "mapped": "map", "sessions": "rpde"},
	} {
		formats, err := (&DataFile{File: file}).Formats()
		got := make(map[string]string)
		for name, format := range formats {
			got[name] = format.Name
		}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: %v, %v", file, got, err)
		}
	}
}
