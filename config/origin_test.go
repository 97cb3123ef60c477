package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
)

// serveFlags parses a command line of fever serve with the given file, or none.
func serveFlags(t *testing.T, yaml string, args ...string) (*Serve, *pflag.FlagSet) {
	t.Helper()
	var s Serve
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.Register(flags)
	if yaml != "" {
		path := filepath.Join(t.TempDir(), "fever.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &s, flags
}

// TestPrecedence sets one value in each place, and takes one place away after the other.
func TestPrecedence(t *testing.T) {
	const yaml = "workers: 3\ngrace: 3s\n"
	for _, test := range []struct {
		name, env, yaml string
		args            []string
		workers         int
		origin          string
	}{
		{"flag", "2", yaml, []string{"--workers", "1"}, 1, "--workers"},
		{"environment", "2", yaml, nil, 2, "FEVER_WORKERS"},
		{"file", "", yaml, nil, 3, "fever.yaml:1: workers"},
		{"default", "", "", nil, 8, "--workers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("FEVER_WORKERS", test.env)
			s, flags := serveFlags(t, test.yaml, test.args...)
			if err := Environment(flags); err != nil {
				t.Fatal(err)
			}
			if err := s.Complete(flags); err != nil {
				t.Fatal(err)
			}
			origin := Origin(flags, "workers")
			if s.File != "" && filepath.Dir(origin) != "." {
				origin = filepath.Base(origin)
			}
			if s.Workers != test.workers || origin != test.origin {
				t.Errorf("workers are %d from %s, want %d from %s", s.Workers, origin, test.workers, test.origin)
			}
			given := Given(flags)
			if fromLine := len(given) > 0 && given[len(given)-1] == "workers"; fromLine != (test.name == "flag") {
				t.Errorf("given are %q", given)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("FEVER_NO_SYNC", "true")
	t.Setenv("FEVER_DB", "") // counts as unset
	t.Setenv("FEVER_OPS_LISTEN", "")
	t.Setenv("FEVER_HELP", "true") // nobody's setting
	s, flags := serveFlags(t, "")
	if err := Environment(flags); err != nil {
		t.Fatal(err)
	}
	if !s.NoSync || s.DB != DefaultDB || s.OpsListen != "" {
		t.Errorf("settings %+v", s)
	}

	for _, test := range []struct{ name, value, want string }{
		{"FEVER_WORKERS", "many", `FEVER_WORKERS: "many": it is not a whole number`},
		{"FEVER_NO_SYNC", "perhaps", `FEVER_NO_SYNC: "perhaps": it is neither true nor false`},
		{"FEVER_GRACE", "10", `FEVER_GRACE: "10": it is not a duration such as 90s or 5m`},
		{"FEVER_LOG_LEVEL", "loud", `FEVER_LOG_LEVEL: "loud": it is none of debug, info, warn and error`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(test.name, test.value)
			_, flags := serveFlags(t, "")
			if err := Environment(flags); err == nil || err.Error() != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}

	for want, args := range map[string][]string{
		"--db is empty: give it a value, or leave it out":       {"--db="},
		"--provider is empty: give it a value, or leave it out": {"--provider", "a", "--provider", ""},
	} {
		_, flags := serveFlags(t, "")
		flags.StringArray("provider", nil, "")
		if err := flags.Parse(args); err != nil {
			t.Fatal(err)
		}
		if err := Environment(flags); err == nil || err.Error() != want {
			t.Errorf("%q: %v", args, err)
		}
	}
	_, flags = serveFlags(t, "", "--ops-listen=")
	if err := Environment(flags); err != nil {
		t.Errorf("--ops-listen=: %v", err)
	}
}
