package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/text/encoding/ianaindex"

	"fever/event"
)

// block matches a block of code in a document: its language, its name, its charset and its text.
var block = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?(?: (\\S+))?\n(.*?)^```$")

// TestExamples does what the pages about kinds of providers say. A block with a name is a file,
// or what a server answers if the name begins with a slash. A block of commands has what they
// print, which -update writes anew. What a job makes of the same feed is in testdata/providers.
func TestExamples(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/providers/*.md")
	if err != nil || len(pages) < 13 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, path := range pages {
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		if name == "README" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := example{t: t, folder: t.TempDir(), name: name}
			x.run(path)
		})
	}
}

// An example is one of these pages.
type example struct {
	t      *testing.T
	name   string
	folder string
	server string // its URL; empty: nothing is fetched
	source string // the file that the commands read
}

func (x *example) run(path string) {
	t := x.t
	text := readFile(t, path)
	answers := make(map[string]string)
	for _, b := range block.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(b[2], "/") {
			answers[b[2]] = b[4]
		}
	}
	if len(answers) > 0 {
		x.serve(answers)
	}
	commands := 0
	after := block.ReplaceAllStringFunc(text, func(of string) string {
		b := block.FindStringSubmatch(of)
		switch {
		case b[2] != "" && !strings.HasPrefix(b[2], "/"):
			x.write(b[2], b[3], b[4])
		case strings.HasPrefix(b[4], "$ "):
			commands++
			return "```" + b[1] + "\n" + x.commands(b[4]) + "```"
		}
		return of
	})
	if commands == 0 {
		t.Fatal("the page has no command")
	}
	if after != text {
		if *update {
			if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
				t.Fatal(err)
			}
		} else {
			t.Errorf("the commands print something else; -update writes it:\n%s", after)
		}
	}
	x.golden()
}

// origin matches where the pages' providers are.
var origin = regexp.MustCompile(`https://[a-z.]+\.example`)

// serve answers the requests of the page. An answer in http begins with its header.
func (x *example) serve(answers map[string]string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.RequestURI()]
		if !ok {
			http.NotFound(w, r)
			return
		}
		answer = origin.ReplaceAllLiteralString(answer, x.server)
		if header, body, cut := strings.Cut(answer, "\n\n"); cut && strings.HasPrefix(header, "HTTP/1.1 200 OK\n") {
			for _, line := range strings.Split(header, "\n")[1:] {
				name, value, _ := strings.Cut(line, ": ")
				w.Header().Add(name, value)
			}
			answer = body
		}
		_, _ = w.Write([]byte(answer)) // it fails when the client has gone
	}))
	x.t.Cleanup(server.Close)
	x.server = server.URL
}

// write writes a file of the page, in its charset.
func (x *example) write(name, charset, text string) {
	x.t.Helper()
	if x.server != "" {
		text = origin.ReplaceAllLiteralString(text, x.server)
	}
	if charset != "" {
		encoding, err := ianaindex.IANA.Encoding(charset)
		if err == nil {
			text, err = encoding.NewEncoder().String(text)
		}
		if err != nil {
			x.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(x.folder, name), []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// commands returns the commands of a block with what they print.
func (x *example) commands(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if command, is := strings.CutPrefix(line, "$ "); is {
			args := strings.Fields(command)
			if last := args[len(args)-1]; x.server == "" {
				x.source = last
			}
			out.WriteString(line + x.fever(args[1:]...))
		}
	}
	return out.String()
}

// fever returns what the program prints. Its exit code may be that of rejected rows.
func (x *example) fever(args ...string) string {
	x.t.Helper()
	cmd := exec.Command("fever", args...)
	cmd.Dir = x.folder
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 1 {
		x.t.Fatalf("fever %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// golden compares what a job stores of the feed with testdata/providers/NAME.json.
func (x *example) golden() {
	t := x.t
	t.Helper()
	args := []string{"sync", "--once", "--config", "fever.yaml"}
	if x.server == "" {
		args = append(args, x.source)
	}
	said := x.fever(args...)
	var records []event.Record
	if err := json.Unmarshal([]byte(x.fever("dump", "--config", "fever.yaml", "--format", "json")), &records); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for i := range records {
		e := &records[i]
		zones, err := json.Marshal(e.Zones)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s/%s %q %s %s %s current:%t %s\n", e.BaseID, e.EventID, e.Title, e.Start, e.End, e.TimeZone, e.Current, zones)
	}
	path := filepath.Join("testdata", "providers", x.name+".txt")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := readFile(t, path); got.String() != want {
		t.Errorf("a job stores\n%swhere %s has\n%s(%s)", got.String(), path, want, said)
	}
}
