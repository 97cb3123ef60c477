//go:build ignore

// This program writes zones.txt from the Go distribution: the names of the time zones that it
// contains, and its list of the names that Windows has for them.
package main

import (
	"archive/zip"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		log.Fatal(err)
	}
	root := strings.TrimSpace(string(out))
	zones, err := zip.OpenReader(filepath.Join(root, "lib/time/zoneinfo.zip"))
	if err != nil {
		log.Fatal(err)
	}
	defer zones.Close()
	var lines []string
	for _, f := range zones.File {
		if !strings.HasSuffix(f.Name, "/") {
			lines = append(lines, f.Name)
		}
	}
	// An entry is: "Name of Windows": {"STD", "DST"}, // Iana/Name
	source, err := os.ReadFile(filepath.Join(root, "src/time/zoneinfo_abbrs_windows.go"))
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range regexp.MustCompile(`(?m)^\s*"([^"]+)":\s*\{[^}]*\},\s*// (\S+)$`).FindAllSubmatch(source, -1) {
		lines = append(lines, fmt.Sprintf("%s\t%s", entry[1], entry[2]))
	}
	slices.Sort(lines)
	if err := os.WriteFile("zones.txt", []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		log.Fatal(err)
	}
}
