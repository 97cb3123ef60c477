package cli

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fever/internal/postgrestest"
)

// moments are what differs from run to run: instants and durations.
var moments = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z| in [0-9.]+ m?s`)

// TestDatabase runs the commands on a database: they print what they print of a file, and never the
// password.
func TestDatabase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "fever.db")
	place, err := url.Parse(postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	query := place.Query()
	query.Set("password", "s3cret")
	place.RawQuery = query.Encode()
	database := place.String()
	if _, stderr := run(t, exitFailed, "dump", "--db", database); !strings.Contains(stderr, "fever serve and fever sync make its schema") || strings.Contains(stderr, "s3cret") {
		t.Errorf("an empty database: %s", stderr)
	}
	for _, command := range []string{
		"sync --once " + strings.Join(feeds("event-list"), " "),
		"dump --format json",
		"dump --format csv --starts-at 2021-06-01T00:00:00Z --limit 2",
		"rename --dry-run feverup other",
		"rename feverup other",
		"dump --format ndjson --provider other",
		"forget --provider other --dry-run",
		"forget --provider other",
		"dump --format json",
	} {
		var printed []string
		for _, db := range []string{file, database} {
			stdout, stderr := run(t, exitDone, append(strings.Fields(command), "--db", db)...)
			if strings.Contains(stdout+stderr, "s3cret") {
				t.Errorf("%s: it tells the password: %s%s", command, stdout, stderr)
			}
			printed = append(printed, moments.ReplaceAllString(stdout, "NOW"))
		}
		if printed[0] != printed[1] {
			t.Errorf("%s: of a file it prints\n%sand of a database\n%s", command, printed[0], printed[1])
		}
	}
	if _, stderr := run(t, exitUsage, "health", "--db", database); !strings.Contains(stderr, "say the --url") || strings.Contains(stderr, "s3cret") {
		t.Errorf("health: %s", stderr)
	}
}

// TestReplayDatabase replays what is stored in a file into a database, and what is stored in the database into a
// file: each has the same events, outcomes and history.
func TestReplayDatabase(t *testing.T) {
	t.Parallel()
	file, database := synced(t, "event-list"), postgrestest.Database(t)
	archive := file + ".archive"
	history := func(db string) string {
		stdout, _ := run(t, exitDone, "dump", "--db", db, "--history", "feverup/291/291")
		return stdout
	}
	want, wantHistory := dumps(t, file), history(file)
	run(t, exitDone, "replay", "--db", file, "--into", database)
	if got := dumps(t, database); got != want {
		t.Errorf("the database dumps\n%s\nnot\n%s", got, want)
	}
	if got := history(database); got != wantHistory {
		t.Errorf("the history in the database is\n%s\nnot\n%s", got, wantHistory)
	}
	run(t, exitDone, "check", "--db", database)
	run(t, exitDone, "replay", "--db", database, "--archive", archive, "--compare")
	if stdout, stderr := run(t, exitFailed, "replay", "--db", file, "--into", database); !strings.Contains(stderr, "something is stored there") || stdout != "" {
		t.Errorf("into a database that is in use: %s%s", stdout, stderr)
	}
	back := filepath.Join(t.TempDir(), "back.db")
	run(t, exitDone, "replay", "--db", database, "--archive", archive, "--into", back)
	if got := dumps(t, back); got != want {
		t.Errorf("back in a file it dumps\n%s\nnot\n%s", got, want)
	}
}
