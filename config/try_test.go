package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

const twoProviders = `
db: other.db
providers:
  - name: one
    url: http://one.example/
    headers: {X-Key: "${env:NOT_SET}"}
  - name: two
    url: http://two.example/
    format: fever
    timezone: Europe/Madrid
`

// completeTry returns the settings of fever try with the given file after a flag.
func completeTry(t *testing.T, flag, yaml string, args ...string) (*Try, error) {
	t.Helper()
	var try Try
	flags := pflag.NewFlagSet("try", pflag.ContinueOnError)
	try.Register(flags)
	if yaml != "" {
		path := filepath.Join(t.TempDir(), "fever.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, flag, path)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &try, try.Complete(flags)
}

func TestTry(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flag, yaml string
		args       []string
		want       string // name, URL, format and time zone
	}{
		"nothing":   {"", "", nil, "feverup " + defaultURL + " feverup UTC"},
		"flags":     {"", "", []string{"--provider-url", "http://me.example/", "--timezone", "Europe/Paris"}, "feverup http://me.example/ feverup Europe/Paris"},
		"only one":  {"--config", "timezone: Europe/Paris\nevery: 2m\n", []string{"--provider", "feverup"}, "feverup " + defaultURL + " feverup Europe/Paris"},
		"of two":    {"--config", twoProviders, []string{"--provider", "two"}, "two http://two.example/ fever Europe/Madrid"},
		"one in it": {"--config", "providers: [{name: a, url: 'http://a.example/'}]\n", nil, "a http://a.example/ feverup UTC"},
		"entry":     {"--entry", "name: a\nurl: http://a.example/\nevery: 5m\n", nil, "a http://a.example/ feverup UTC"},
		"short":     {"--entry", "format: fever\n", nil, unnamed + " " + noURL + " fever UTC"},
		"of a list": {"--entry", "- {format: fever, timezone: Europe/Paris}\n", nil, unnamed + " " + noURL + " fever Europe/Paris"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try, err := completeTry(t, test.flag, test.yaml, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			p := &try.Provider
			if got := strings.Join([]string{p.Name, p.URL, p.Format.Name, p.Location.String()}, " "); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if p.HasURL() == strings.Contains(test.want, noURL) {
				t.Error(p.HasURL())
			}
		})
	}
}

func TestTryRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flag, yaml string
		args       []string
		want       string
	}{
		"no file":          {"", "", []string{"--config", "missing.yaml"}, "read the configuration: open missing.yaml"},
		"which":            {"--config", twoProviders, nil, "fever.yaml lists 2 providers: say with --provider which one: one, two"},
		"another":          {"--config", twoProviders, []string{"--provider", "three"}, `--provider "three" is none of one, two`},
		"its secret":       {"--config", twoProviders, []string{"--provider", "one"}, "fever.yaml:6: providers[0].headers.X-Key: the environment variable NOT_SET is not set"},
		"the only one":     {"", "", []string{"--provider", "three"}, "--provider: there is only the provider feverup"},
		"flags and list":   {"--config", twoProviders, []string{"--timezone", "UTC", "--provider", "two"}, "--timezone is for the only provider"},
		"flags and entry":  {"--entry", "format: fever\n", []string{"--provider-url", "http://a.example/"}, "--provider-url is for the only provider"},
		"entry and name":   {"--entry", "format: fever\n", []string{"--provider", "two"}, "--entry is all that is needed"},
		"empty entry":      {"--entry", "\n", nil, "fever.yaml is empty, where the keys of a provider are needed"},
		"wrong key":        {"--entry", "fromat: fever\n", nil, "fever.yaml:1: fromat: there is no such key"},
		"wrong value":      {"--entry", "name: a\nformat: fevr\n", nil, `fever.yaml:2: format: "fevr" is none of feverup, fever`},
		"secret of entry":  {"--entry", "url: http://a.example/${env:NOT_SET}\n", nil, "fever.yaml:1: url: the environment variable NOT_SET is not set"},
		"list of settings": {"--entry", "- {}\n- {}\n", nil, "fever.yaml:1: it is a list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := completeTry(t, test.flag, test.yaml, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// An entry that somebody pastes reads no file and no variable.
func TestParseEntry(t *testing.T) {
	t.Parallel()
	p, err := ParseEntry([]byte("name: a b\nurl: http://x.example/${env:NOT_SET}\nca: /etc/passwd\nheaders: {A: '${env:HOME}'}\nformat: fever\ntimezone: Europe/Madrid\n"), 5)
	if err != nil || p.Name != unnamed || p.URL != noURL || p.MaxBytes != 5 || p.Header.Get("A") != "" || p.Format.Name != "fever" || p.Location.String() != "Europe/Madrid" {
		t.Errorf("%+v, %v", p, err)
	}
	for text, want := range map[string]string{
		"":                                  "entry is empty",
		"format: fever\nfromat: fever\n":    "entry:2: fromat: there is no such key",
		"url: http://x.example/\ncas: /x\n": "entry:2: cas: there is no such key",
		"format: x":                         `entry:1: format: "x" is none of`,
		"format: map\nmap:\n  to: |\n    {base_id: .a,\n     title: nothing(1)}": "entry:5:",
		"[":                              "it is not YAML",
		"timezone: Mars/Olympus":         "entry:1: timezone:",
		strings.Repeat("#", 1<<20) + "#": "entry has more than 1 MiB",
	} {
		if _, err := ParseEntry([]byte(text), 5); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}
