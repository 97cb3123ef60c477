package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"fever/config"
	"fever/event"
	"fever/ingest/sandbox"
	"fever/internal/feedtest"
	"fever/internal/leak"
	"fever/internal/postgrestest"
	"fever/provider"
)

// asProgram is the environment variable that has the binary of these tests be the program.
const asProgram = "TEST_AS_FEVER"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == decodeName {
		if err := sandbox.Serve(os.Stdin, os.NewFile(3, "answers"), os.Stdout, fragile, sandbox.Confine()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitFailed)
		}
		os.Exit(exitDone)
	}
	if os.Getenv(asProgram) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	for _, setting := range os.Environ() { // of those who run the tests
		name, _, _ := strings.Cut(setting, "=")
		if strings.HasPrefix(name, "FEVER_") || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	runewidth.DefaultCondition.EastAsianWidth = false // whatever their language is
	os.Exit(leak.Check(postgrestest.Run(m)))
}

// fragile makes a provider of a recipe whose format has bugs that the formats here do not have: so a test
// can tell who decodes.
func fragile(recipe []byte) (*provider.Provider, error) {
	p, err := config.ReadRecipe(recipe)
	if err == nil {
		p.Format = feedtest.Fragile(p.Format)
	}
	return p, err
}

// feeds returns the paths of the three answers in one dialect.
func feeds(dialect string) []string {
	var names []string
	for n := 1; n <= 3; n++ {
		names = append(names, filepath.Join("..", "testdata", "feeds", fmt.Sprintf("%s-%d.xml", dialect, n)))
	}
	return names
}

// run runs the program and returns what it printed.
func run(t *testing.T, wantCode int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	if code := Main(t.Context(), args, strings.NewReader(""), &out, &errOut); code != wantCode {
		t.Fatalf("fever %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, wantCode, out.String(), errOut.String())
	}
	return out.String(), errOut.String()
}

// synced returns a data file that holds the three answers in one dialect.
func synced(t *testing.T, dialect string) (db string) {
	t.Helper()
	db = filepath.Join(t.TempDir(), "fever.db")
	run(t, exitDone, append([]string{"sync", "--once", "--db", db}, feeds(dialect)...)...)
	return db
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "fever.db")
	foreign := filepath.Join(dir, "foreign.db")
	if err := os.WriteFile(foreign, []byte(strings.Repeat("not a data file\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // after the parallel subtests
	taken := listener.Addr().String()

	tests := []struct {
		args   string
		code   int
		stderr string // part of it
	}{
		{"", exitDone, ""},
		{"--help", exitDone, ""},
		{"help serve", exitDone, ""},
		{"help help", exitDone, ""},
		{"help completion zsh", exitDone, ""},
		{"version", exitDone, ""},
		{"completion zsh", exitDone, ""},
		{"nonsense", exitUsage, `unknown command "nonsense"`},
		{"help nonsense", exitUsage, "unknown command \"nonsense\"\nRun 'fever --help'"},
		{"help srve", exitUsage, "did you mean serve?"},
		{"help serve extra", exitUsage, `unknown command "extra" of fever serve`},
		{"help completion nonsense", exitUsage, `unknown command "nonsense" of fever completion`},
		{"completion", exitDone, ""},
		{"completion nonsense", exitUsage, `unknown command "nonsense" of fever completion`},
		{"version extra", exitUsage, "fever version --help"},
		{"completion zsh extra", exitUsage, "fever completion zsh --help"},
		{"dump --nonsense", exitUsage, "unknown flag"},
		{"dump -limit=5", exitUsage, "unknown flag: -limit; write flags with two dashes\nRun 'fever dump --help'"},
		{"dump -x", exitUsage, "unknown flag: -x;"},
		{"dump --limit x", exitUsage, `--limit: "x": it is not a whole number`},
		{"check fever.db", exitUsage, `"fever.db" is too much: the command takes flags and no arguments`},
		{"dump --starts-at=", exitUsage, "--starts-at is empty"},
		{"sync --once --provider=", exitUsage, "--provider is empty"},
		{"forget --provider feverup --gone-before=", exitUsage, "--gone-before is empty"},
		{"dump --config=", exitUsage, "--config is empty"},
		{"serve --no-sync --listen 127.0.0.1:0 --ops-listen= --db " + foreign, exitFailed, "foreign.db"},
		{"dump --db " + filepath.Join(dir, "missing.db"), exitFailed, "missing.db: no such file or directory; fever serve and fever sync make it"},
		{"dump --db " + foreign, exitFailed, "foreign.db"},
		{"serve --no-sync --listen " + taken + " --db " + db, exitFailed, taken},
		{"serve --no-sync --listen 127.0.0.1:0 --ops-listen " + taken + " --db " + db, exitFailed, taken},
		{"serve --no-sync --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 --db " + foreign, exitFailed, "foreign.db"},
		{"serve --ops-listen 9090", exitUsage, "--ops-listen"},
		{"serve --ops-listen :9090", exitUsage, "FEVER_OPS_TOKEN"},
		{"serve --ops-listen 0.0.0.0:9090", exitUsage, "FEVER_OPS_TOKEN"},
		{"serve --ops-listen example.com:9090", exitUsage, "FEVER_OPS_TOKEN"},
		{"serve --ops-token ñ", exitUsage, "--ops-token must"},
		{"serve --max-in-flight 0", exitUsage, "--max-in-flight"},
		{"serve --max-age -1s", exitUsage, "--max-age must not be negative"},
		{"serve --max-age 500ms", exitUsage, "--max-age 500ms is less than a second"},
		{"serve --stale-while-revalidate 1ns", exitUsage, "--stale-while-revalidate 1ns is less than a second"},
		{"serve --stale-if-error -1s", exitUsage, "--stale-if-error must not be negative"},
		{"serve --grace -1s", exitUsage, "--grace"},
		{"sync --timeout 0", exitUsage, "timeout"},
		{"sync --once --db " + db + " " + filepath.Join(dir, "missing.xml"), exitFailed, ""},
		{"sync --once --db " + filepath.Join(dir, "no", "such", "folder.db") + " x.xml", exitFailed, "folder.db"},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			if _, stderr := run(t, test.code, strings.Fields(test.args)...); !strings.Contains(stderr, test.stderr) {
				t.Errorf("stderr %q has no %q", stderr, test.stderr)
			}
		})
	}
}

// TestHelp asks each command for help: it has an example, and fits on a terminal.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := newRoot()
	mendDefaults(root)
	for _, cmd := range root.Commands() {
		if cmd.Hidden {
			continue
		}
		if !strings.Contains(cmd.Example, "  fever ") && cmd.Name() != "completion" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Long) {
			if len(line) > 90 {
				t.Errorf("%s: this line is long: %s", cmd.CommandPath(), line)
			}
		}
		asHelp, _ := run(t, exitDone, "help", cmd.Name())
		asFlag, _ := run(t, exitDone, cmd.Name(), "--help")
		if asHelp != asFlag || !strings.Contains(asFlag, "Examples:\n"+cmd.Example) {
			t.Errorf("fever %s --help says\n%s\nand fever help %[1]s\n%s", cmd.Name(), asFlag, asHelp)
		}
	}
}

// decoded reads what dump prints as NDJSON, with the times of the first sight and
// the last change, which differ from run to run, checked and taken out.
func decoded(t *testing.T, ndjson string) (all []event.Record) {
	t.Helper()
	ndjson, begins := strings.CutPrefix(ndjson, `{"dump":"begin"}`+"\n")
	ndjson, ends := strings.CutSuffix(ndjson, fmt.Sprintf(`{"dump":"end","events":%d}`+"\n", max(0, strings.Count(ndjson, "\n")-1)))
	if !begins || !ends {
		t.Errorf("the dump has no marks around %s", ndjson)
	}
	for line := range strings.Lines(ndjson) {
		var d dumped
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if d.ID != d.Record.ID() {
			t.Errorf("%s has id %s", d.Key, d.ID)
		}
		if d.FirstSeen.IsZero() || d.LastChanged.Before(d.FirstSeen) {
			t.Errorf("%s was first seen %v and last changed %v", d.Key, d.FirstSeen, d.LastChanged)
		}
		d.FirstSeen, d.LastChanged = time.Time{}, time.Time{}
		all = append(all, d.Record)
	}
	return all
}

// TestDialectsAgree shows that the three answers give the same ids and values in both
// dialects. Only the planList form of the first has a second occurrence of 322.
func TestDialectsAgree(t *testing.T) {
	t.Parallel()
	fromEvents, _ := run(t, exitDone, "dump", "--format", "ndjson", "--db", synced(t, "event-list"))
	fromPlans, _ := run(t, exitDone, "dump", "--format", "ndjson", "--db", synced(t, "plan-list"))
	events, plans := decoded(t, fromEvents), decoded(t, fromPlans)
	if len(events) != 3 || len(plans) != 4 {
		t.Fatalf("%d events and %d plans, want 3 and 4", len(events), len(plans))
	}
	second := slices.IndexFunc(plans, func(r event.Record) bool { return r.EventID == "1643" })
	if second < 0 || plans[second].BaseID != "322" {
		t.Fatalf("no occurrence 322/1643 in %v", plans)
	}
	if plans = slices.Delete(plans, second, second+1); !reflect.DeepEqual(events, plans) {
		t.Errorf("eventList:\n%+v\nplanList:\n%+v", events, plans)
	}
}

func TestDump(t *testing.T) {
	t.Parallel()
	db := synced(t, "event-list")
	lines, _ := run(t, exitDone, "dump", "--db", db) // not a terminal: ndjson
	all := decoded(t, lines)
	var keys []string
	for _, r := range all {
		keys = append(keys, r.String())
	}
	if want := []string{"feverup/322/1642", "feverup/291/291", "feverup/1591/1642"}; !slices.Equal(keys, want) {
		t.Fatalf("dumped %v, want %v", keys, want)
	}
	// What is gone is no longer current, and has kept its zones.
	if all[0].Current || !all[1].Current || len(all[0].Zones) != 1 || all[0].Zones[0].Capacity != 2 || len(all[2].Zones) != 2 {
		t.Errorf("dumped %+v", all)
	}

	array, _ := run(t, exitDone, "dump", "--db", db, "--format", "json")
	var elements []json.RawMessage
	if err := json.Unmarshal([]byte(array), &elements); err != nil {
		t.Fatal(err)
	}
	for i, line := range slices.Collect(strings.Lines(lines))[1 : len(elements)+1] {
		if string(elements[i]) != strings.TrimSpace(line) {
			t.Errorf("json has %s, ndjson %s", elements[i], line)
		}
	}

	table, _ := run(t, exitDone, "dump", "--db", db, "--format", "csv")
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 || rows[2][4] != "Camela en concierto" || rows[2][11] != "20" || rows[2][12] != "30" {
		t.Errorf("csv: %q", rows)
	}
	for i, row := range rows[1:] {
		var zones []event.Zone
		if err := json.Unmarshal([]byte(row[13]), &zones); err != nil || !reflect.DeepEqual(zones, all[i].Zones) {
			t.Errorf("csv has the zones %s, %v", row[13], err)
		}
	}
}

func TestDumpFilters(t *testing.T) {
	t.Parallel()
	db := synced(t, "event-list")
	tests := []struct {
		args string
		want []string // base ids
	}{
		{"", []string{"322", "291", "1591"}},
		{"--limit 2", []string{"322", "291"}},
		{"--provider feverup", []string{"322", "291", "1591"}},
		{"--provider other", nil},
		{"--starts-at 2021-02-10T20:00:00Z", []string{"322", "291", "1591"}},
		{"--starts-at 2021-02-10T20:00:00.1Z", []string{"291", "1591"}},
		{"--ends-at 2021-06-30T21:30:00Z", []string{"322", "291"}},
		{"--ends-at 2021-06-30T23:29:59+02:00", []string{"322"}},
		{"--starts-at 2021-03-01T00:00:00Z --ends-at 2021-07-01T00:00:00Z --limit 9", []string{"291"}},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			out, _ := run(t, exitDone, append([]string{"dump", "--db", db, "--format", "ndjson"}, strings.Fields(test.args)...)...)
			var got []string
			for _, r := range decoded(t, out) {
				got = append(got, r.BaseID)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("dumped %v, want %v", got, test.want)
			}
		})
	}
}

// TestStrangeRows takes a document whose rows are rejected, with ids that would move the
// cursor or look like lines of ours.
func TestStrangeRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	document := filepath.Join(dir, "strange.xml")
	const rows = `<eventList><output><base_event base_event_id="a` + "\u009b" + `31m" sell_mode="online" title="t">` +
		`<event event_id="b&#10;  rejected: none&#9;" event_start_date="2021-06-30T21:00:00"></event></base_event></output></eventList>`
	if err := os.WriteFile(document, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _ := run(t, exitFailed, "sync", "--once", "--db", filepath.Join(dir, "fever.db"), document)
	if want := "  rejected: line 1, event a 31m/b rejected: none: base id holds a control character\n"; !strings.HasSuffix(stdout, "\n"+want) {
		t.Errorf("printed %q, not %q", stdout, want)
	}
}

func TestDumpOfNothing(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "fever.db")
	empty := filepath.Join(t.TempDir(), "empty.xml")
	if err := os.WriteFile(empty, []byte("<planList><output/></planList>"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, exitDone, "sync", "--once", "--db", db, empty)
	for format, want := range map[string]string{"ndjson": "{\"dump\":\"begin\"}\n{\"dump\":\"end\",\"events\":0}\n", "json": "[]\n", "table": "No events.\n"} {
		if got, _ := run(t, exitDone, "dump", "--db", db, "--format", format); got != want {
			t.Errorf("%s of nothing is %q, want %q", format, got, want)
		}
	}
}
