package main

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fever/cli"
)

// TestDocs follows the links of all documents within the repository, and looks for
// what they name: flags, settings in the environment, files, targets of make, tests.
func TestDocs(t *testing.T) {
	t.Parallel()
	inDocs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	providers, err := filepath.Glob("docs/providers/*.md")
	if err != nil {
		t.Fatal(err)
	}
	inRoot, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	flags, tests, targets := flagNames(t), testNames(t), matches(readFile(t, "Makefile"), `(?m)^([a-z-]+):`)
	for _, path := range slices.Concat(inDocs, providers, inRoot) {
		text := readFile(t, path)
		checkLinks(t, path, text)
		known := func(what string, names []string, exist map[string]bool) {
			for _, name := range names {
				if !exist[name] {
					t.Errorf("%s: there is no %s %s", path, what, name)
				}
			}
		}
		known("test", names(text, `\b((?:Test|Fuzz)[A-Z]\w+)`), tests)
		for _, code := range names(text, "(?s)```\\w*\n(.*?)```|`([^`\n]+)`") {
			known("target of make", names(code, `(?m)^make ([a-z-]+)`), targets)
			for _, line := range names(code, `(?m)^(?:\$ )?((?:fever |bin/fever |--).*)$`) {
				known("flag", names(line, `(--[a-z][a-z-]+)`), flags)
			}
			for _, name := range names(code, `\bFEVER_([A-Z_]+)`) {
				known("flag for FEVER_"+name+":", []string{"--" + strings.ToLower(strings.ReplaceAll(name, "_", "-"))}, flags)
			}
			for _, file := range names(code, `^((?:cli|deploy|docs|event|httpapi|index|ingest|internal|ops|provider|store)/[\w./-]+)$`) {
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
		}
	}
}

// checkLinks follows the links that lead to no other host.
func checkLinks(t *testing.T, path, text string) {
	t.Helper()
	for _, link := range names(text, `\]\(([^)]+)\)|(?:src|srcset)="([^"]+)"`) {
		if strings.Contains(link, "://") {
			continue
		}
		file, heading, cut := strings.Cut(link, "#")
		target := path
		if file != "" {
			target = filepath.Join(filepath.Dir(path), file)
		}
		if _, err := os.Stat(target); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if cut && !anchors(readFile(t, target))[heading] {
			t.Errorf("%s: %s has no such heading", path, link)
		}
	}
}

// anchors returns what the headings of a document can be linked by.
func anchors(text string) map[string]bool {
	all := make(map[string]bool)
	for heading := range matches(text, `(?m)^#+ (.*)$`) {
		heading = regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(heading), "")
		all[strings.ReplaceAll(heading, " ", "-")] = true
	}
	return all
}

// flagNames returns the flags of all commands.
func flagNames(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for _, command := range []string{"serve", "sync", "dump", "explain", "try", "backup", "copy", "check", "forget", "rename", "replay", "diff", "health", "version"} {
		var help bytes.Buffer
		if code := cli.Main(t.Context(), []string{command, "--help"}, strings.NewReader(""), &help, &help); code != 0 {
			t.Fatalf("fever %s --help: exit code %d", command, code)
		}
		maps.Copy(all, matches(help.String(), `(?m)^ +(?:-\w, )?(--[a-z][a-z-]+)`))
	}
	return all
}

// testNames returns the names of all tests.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			maps.Copy(all, matches(readFile(t, path), `(?m)^func ((?:Test|Fuzz)\w+)`))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// matches returns what the groups of an expression match in text.
func matches(text, expression string) map[string]bool {
	all := make(map[string]bool)
	for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		all[strings.Join(match[1:], "")] = true
	}
	return all
}

// names returns the same, in order.
func names(text, expression string) []string {
	return slices.Sorted(maps.Keys(matches(text, expression)))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
