package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// licences are those that a dependency may have, by SPDX identifier, with words that
// stand in no other of them.
var licences = map[string]*regexp.Regexp{
	"Apache-2.0":   regexp.MustCompile(`Apache License,? Version 2\.0`),
	"BSD-3-Clause": regexp.MustCompile(`Neither the name of`),
	"MIT":          regexp.MustCompile(`Permission is hereby granted, free of charge, to any person obtaining a copy`),
}

var listedModule = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|")

// TestDependencies compares docs/dependencies.md with what the binary is made of.
func TestDependencies(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]string) // module -> licences
	for _, row := range listedModule.FindAllStringSubmatch(string(text), -1) {
		listed[row[1]] = row[2]
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	modules, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	built := make(map[string]string) // module -> folder
	for line := range strings.Lines(string(modules)) {
		if path, folder, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			built[path] = folder
		}
	}
	if len(built) == 0 {
		t.Fatal("go list lists no modules")
	}
	for module, folder := range built {
		said, ok := listed[module]
		if !ok {
			t.Errorf("the binary has code of %s, which is not in docs/dependencies.md: read its licence, and add it", module)
			continue
		}
		if found := licencesIn(t, folder); !slices.Equal(found, slices.Sorted(slices.Values(strings.Split(said, " AND ")))) {
			t.Errorf("docs/dependencies.md says that %s has the licence %s; its text says %q", module, said, found)
		}
	}
	for module := range listed {
		if built[module] == "" {
			t.Errorf("docs/dependencies.md lists %s, of which nothing is in the binary", module)
		}
	}
}

// licencesIn returns the licences that a module's own file speaks of, in order.
func licencesIn(t *testing.T, folder string) (found []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "LICENSE*"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s has the licences %q, %v", folder, paths, err)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(string(text)), " ")
	for id, phrase := range licences {
		if phrase.MatchString(words) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	return found
}
