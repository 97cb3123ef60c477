package main

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed says which packages of ours each package may import. Data flows one way,
// provider -> ingest -> store -> index -> httpapi, and arrows point only downwards:
// what searches must not know who collects, and nothing below knows the command line.
// Tests may import more: a benchmark of the store loads an index, too.
var allowed = map[string][]string{
	".":                     {"cli"},
	"cli":                   {"archive", "config", "explain", "ops", "ops/control", "ops/human", "httpapi", "httpapi/server", "ingest", "ingest/sandbox", "provider", "provider/feed", "provider/inspect", "replay", "store", "store/bolt", "store/postgres", "index", "index/follow", "event"},
	"archive":               {"provider/feed", "event"},
	"config":                {"provider", "provider/feed", "provider/feed/dump", "provider/feed/feverup", "provider/feed/ical", "provider/feed/mapped", "provider/feed/rpde", "provider/feed/schemaorg", "provider/xmlscan", "event"},
	"internal/caches":       {"internal/harness"},
	"internal/clients":      {"internal/harness"},
	"internal/published":    {"internal/harness"},
	"internal/demo":         {"internal/harness"},
	"internal/deploy":       {"internal/harness", "internal/postgrestest"},
	"httpapi":               {"httpapi/server", "index", "index/deflate", "event"},
	"httpapi/server":        {},
	"internal/pipe":         {}, // for tests, too
	"ops":                   {"ops/page", "ops/control", "ops/publish", "httpapi/server", "ingest", "ingest/sandbox", "provider", "provider/feed", "store", "index", "index/follow"},
	"ops/control":           {"httpapi/server", "explain", "ingest", "provider", "provider/feed", "store", "index", "event"},
	"ops/human":             {},
	"ops/publish":           {"ops/control", "httpapi/server", "store", "event"},
	"ops/page":              {"httpapi/server", "ops/human", "explain", "event", "ingest", "ingest/sandbox", "provider/feed", "provider/inspect", "store", "index"},
	"ingest":                {"archive", "provider/feed", "store"},
	"ingest/sandbox":        {"event", "provider", "provider/feed", "provider/inspect", "store"},
	"internal/leak":         {}, // for tests, which these rules leave alone
	"internal/harness":      {},
	"internal/load":         {"internal/harness", "internal/plot", "internal/postgrestest"},
	"internal/plot":         {},
	"internal/feedtest":     {"provider/feed", "event"}, // for tests, too
	"provider":              {"provider/feed", "provider/jsonscan", "provider/spool", "provider/xmlscan", "event"},
	"provider/feed":         {"event"},
	"provider/inspect":      {"provider/feed", "event"},
	"provider/simulator":    {}, // for tests, too
	"provider/jsonscan":     {},
	"provider/spool":        {},
	"provider/rrule":        {},
	"internal/votes":        {"internal/harness", "provider/rrule"},
	"provider/xmlscan":      {"provider/spool"},
	"internal/soak":         {"internal/harness", "internal/plot"},
	"store":                 {"provider/feed", "event"},
	"store/bolt":            {"store", "store/bolt/boltfile", "provider/feed", "event"},
	"store/postgres":        {"store", "provider/feed", "event"},
	"index":                 {"index/deflate", "event"},
	"index/follow":          {"store", "index", "event"},
	"index/deflate":         {},
	"event":                 {},
	"internal/postgrestest": {}, // for tests, too
	"internal/replicas":     {"internal/harness", "internal/plot", "internal/postgrestest"},
	"replay":                {"archive", "ingest", "provider/feed", "store", "event"},
	"explain":               {"archive", "store", "provider/feed", "provider/inspect", "event"},
	"internal/torture":      {"internal/harness", "archive", "store", "store/bolt"}, // to check the files that it has a process leave behind

	"provider/feed/dump":      {"provider/feed", "provider/jsonscan", "event"},
	"provider/feed/schemaorg": {"provider/feed", "provider/jsonscan", "provider/rrule", "event"},
	"provider/feed/rpde":      {"provider/feed", "provider/feed/schemaorg", "provider/jsonscan"},
	"provider/feed/ical":      {"provider/feed", "provider/rrule", "provider/xmlscan", "event"},
	"provider/feed/feverup":   {"provider/feed", "provider/xmlscan", "event"},
	"provider/feed/mapped":    {"provider/feed", "provider/feed/dump", "provider/jsonscan", "provider/xmlscan", "event"},

	"store/bolt/boltfile": {},
	"store/storetest":     {"store", "provider/feed", "event"},
}

// only says which packages alone may import a module, so that it can be replaced by
// changing those.
var only = map[string]string{
	"github.com/spf13/cobra":              "cli",
	"github.com/spf13/pflag":              "cli config",
	"go.yaml.in/yaml/v4":                  "config",
	"github.com/dustin/go-humanize":       "config cli ops/page provider/inspect",
	"github.com/robfig/cron/v3":           "config",
	"go.etcd.io/bbolt":                    "store/bolt",
	"github.com/jackc/pgx/v5":             "store/postgres",
	"github.com/fxamacker/cbor/v2":        "store",
	"github.com/google/btree":             "index",
	"github.com/julienschmidt/httprouter": "httpapi",
	"github.com/cespare/xxhash/v2":        "index",
	"github.com/govalues/decimal":         "event",
	"github.com/klauspost/compress":       "archive",
	"github.com/aws/aws-sdk-go-v2":        "archive",
	"github.com/aws/smithy-go":            "archive",
	"github.com/elastic/go-seccomp-bpf":   "ingest/sandbox",
	"github.com/prometheus/client_golang": "ops",
	"go.uber.org/goleak":                  "internal/leak",
	"golang.org/x/term":                   "cli",
	"github.com/mattn/go-runewidth":       "cli",
	"golang.org/x/text":                   "provider/inspect provider/xmlscan",
	"golang.org/x/net":                    "provider/feed/schemaorg",
	"github.com/itchyny/gojq":             "provider/feed/mapped",
}

// TestHouse holds the import rules, and asks every package for its comment, and those
// with tests to look for goroutines that are left behind.
func TestHouse(t *testing.T) {
	t.Parallel()
	packages := map[string]*ast.File{} // folder -> a file with the package comment, nil when none has one
	looks := map[string]bool{}         // folder with tests -> whether they look
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(path))
		if strings.HasSuffix(path, "_test.go") {
			looks[folder] = looks[folder] || slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool {
				return spec.Path.Value == `"fever/internal/leak"`
			}) || folder == "internal/leak"
			return nil
		}
		if _, known := packages[folder]; !known || file.Doc != nil {
			packages[folder] = file
		}
		checkImports(t, folder, path, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, file := range packages {
		if _, known := allowed[folder]; !known {
			t.Errorf("package %s has no line in the import rules: add one", folder)
		}
		want := "Package " + file.Name.Name + " "
		if file.Name.Name == "main" {
			want = "" // a command's comment says what the command does
		}
		if file.Doc == nil || !strings.HasPrefix(file.Doc.Text(), want) {
			t.Errorf("package %s has no comment that starts with %q", folder, want)
		}
	}
	for folder, ok := range looks {
		if !ok {
			t.Errorf("the tests of package %s do not look for goroutines that are left behind: add a TestMain with leak.Check", folder)
		}
	}
	for folder := range allowed {
		if packages[folder] == nil {
			t.Errorf("the import rules name package %s, which does not exist", folder)
		}
	}
}

// TestMap holds the table of packages in docs/architecture.md against the import rules.
func TestMap(t *testing.T) {
	t.Parallel()
	shown := map[string]string{}
	for row := range strings.Lines(readFile(t, "docs/architecture.md")) {
		if cells := strings.Split(row, "|"); strings.HasPrefix(row, "| `") && len(cells) == 5 {
			shown[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[3])
		}
	}
	for folder, imports := range allowed {
		if folder == "." || strings.HasPrefix(folder, "internal/") {
			continue
		}
		want := "nothing"
		if len(imports) > 0 {
			want = "`" + strings.Join(slices.Sorted(slices.Values(imports)), "`, `") + "`"
		}
		if shown[folder] != want {
			t.Errorf("docs/architecture.md says that %s imports %q: write %s", folder, shown[folder], want)
		}
		delete(shown, folder)
	}
	for folder := range shown {
		t.Errorf("docs/architecture.md has a row for %s, of which the import rules know nothing", folder)
	}
}

func checkImports(t *testing.T, folder, path string, file *ast.File) {
	t.Helper()
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if ours, ok := strings.CutPrefix(imported, "fever/"); ok && !slices.Contains(allowed[folder], ours) {
			t.Errorf("%s imports %s: package %s may import only %v", path, imported, folder, allowed[folder])
		}
		for module, owners := range only {
			if (imported == module || strings.HasPrefix(imported, module+"/")) && !slices.Contains(strings.Fields(owners), folder) {
				t.Errorf("%s imports %s, which only %s may", path, imported, owners)
			}
		}
	}
}

// decoding says which files alone may call a function that decodes documents in the process that
// calls it. None of them is a part of fever serve but for its child.
var decoding = map[string][]string{
	"feed.Decode":       {"provider/changes.go", "provider/follow.go", "provider/provider.go", "provider/inspect/find.go", "internal/feedtest/golden.go"},
	"inspect.Find":      {"ingest/sandbox/child.go", "explain/documents.go"},
	"explain.NewReader": {"cli/explain.go"},
	"sandbox.Serve":     {"cli/decode.go"},
}

// TestDecoding holds that nothing of fever serve decodes beside its child.
func TestDecoding(t *testing.T) {
	t.Parallel()
	called := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if function, is := n.(*ast.SelectorExpr); is {
				if name, is := function.X.(*ast.Ident); is {
					called[name.Name+"."+function.Sel.Name] = append(called[name.Name+"."+function.Sel.Name], filepath.ToSlash(path))
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for function, files := range decoding {
		got := slices.Compact(called[function])
		slices.Sort(got)
		slices.Sort(files)
		if !slices.Equal(got, files) {
			t.Errorf("%s is called in %q, and may be in %q", function, got, files)
		}
	}
}

// TestTags holds that tests behind a build tag, which need another program than Go, are
// seen by every check, and run by the gate.
func TestTags(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		for line := range strings.Lines(readFile(t, path)) {
			if !constraint.IsGoBuild(line) {
				continue
			}
			expression, err := constraint.Parse(line)
			if err != nil {
				return err
			}
			if tag, ok := expression.(*constraint.TagExpr); ok && tag.Tag != "unix" && tag.Tag != "linux" {
				used[tag.Tag] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tags := strings.Join(slices.Sorted(maps.Keys(used)), ",")
	for path, want := range map[string]string{
		"Makefile":      "\nTAGS := " + tags + "\n",
		".golangci.yml": "\n  build-tags: [" + strings.ReplaceAll(tags, ",", ", ") + "] ",
	} {
		if !strings.Contains(readFile(t, path), want) {
			t.Errorf("%s has no %q", path, want)
		}
	}
	for tag := range used {
		if want := "$(GOTEST) -tags " + tag + " "; !strings.Contains(readFile(t, "Makefile"), want) {
			t.Errorf("the Makefile has no %q", want)
		}
		if want := "\ntests " + tag + " "; !strings.Contains(readFile(t, ".ci/run"), want) {
			t.Errorf(".ci/run has no %q", want)
		}
	}
}

// TestInterrupt holds that what a target of make removes at its end it removes also when it
// is interrupted: not every shell takes that for an end.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	text := readFile(t, "Makefile")
	interrupted := names(text, `(?m)^INTERRUPTED := (.*)$`)
	if len(interrupted) != 1 {
		t.Fatalf("INTERRUPTED is %q in the Makefile", interrupted)
	}
	traps := 0
	for line := range strings.Lines(text) {
		if strings.Contains(line, "' EXIT") {
			traps++
			if !strings.Contains(line, "' EXIT && $(INTERRUPTED) && ") {
				t.Errorf("it is not for interrupts: %s", line)
			}
		}
	}
	if traps == 0 {
		t.Error("nothing is removed at an end")
	}
	for _, signal := range []string{"INT", "TERM"} {
		script := "trap 'echo removed' EXIT && " + interrupted[0] + " && kill -" + signal + " $$; echo goes on"
		out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", script).Output()
		if err == nil || string(out) != "removed\n" {
			t.Errorf("after %s the shell says %q, and ends with %v", signal, out, err)
		}
	}
}
