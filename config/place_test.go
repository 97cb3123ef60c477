package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestPlace prints places, of which none may tell a password.
func TestPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"fever.db":                                        "fever.db",
		"/var/lib/fever.db?password=secret":               "/var/lib/fever.db?password=secret", // a file
		"postgres://db.example.org/fever":                 "postgres://db.example.org/fever",
		"postgres://u:secret@db.example.org:5432/fever":   "postgres://db.example.org:5432/fever",
		"postgresql://u@h/fever?password=secret":          "postgresql://h/fever",
		"postgres://u:se@secret@db.example.org:5432/x":    "postgres://db.example.org:5432/x",
		"postgres://u:se/secret@db.example.org:5432/x":    "the database",
		"postgres://u:%zz-secret@db.example.org:5432/x":   "the database",
		"postgres:///fever?host=/run/postgresql&user=one": "postgres:///fever",
	} {
		if got := fmt.Sprint(Place(text)); got != want {
			t.Errorf("%s is printed as %s, want %s", text, got, want)
		}
	}
}

// TestPlaceFromFile takes --db from a file: a URL may refer to the environment, and so may a whole
// value, but the name of a file is taken as it is.
func TestPlaceFromFile(t *testing.T) {
	t.Setenv("PW", "p@ss/word")
	t.Setenv("PLACE", "postgres://u:secret@h/fever")
	complete := func(text string) (string, error) {
		path := filepath.Join(t.TempDir(), "fever.yaml")
		if err := os.WriteFile(path, []byte("db: "+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var d DataFile
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		d.Register(flags)
		d.File = path
		err := d.Complete(flags)
		return string(d.DB), err
	}
	for text, want := range map[string]string{
		"postgres://u:${env:PW}@h/fever": "postgres://u:p%40ss%2Fword@h/fever",
		"${env:PLACE}":                   "postgres://u:secret@h/fever",
		"/var/${env:PW}/fever.db":        "/var/${env:PW}/fever.db",
	} {
		if got, err := complete(text); err != nil || got != want {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
	if got, err := complete("postgres://u:secret${env:NONE}@h/fever"); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "NONE") {
		t.Errorf("it became %s, %v", got, err)
	}
}
