package mapped

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var example = regexp.MustCompile(`^(.*\S) +# (.*)$`)

// TestDocs runs the examples of docs/mapping.md, and compares what it says about functions
// and bounds.
func TestDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for i, block := range strings.Split(string(text), "```") {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		if i%2 == 0 || lines[0] != "jq" {
			continue
		}
		for _, line := range lines[1:] {
			parts := example.FindStringSubmatch(line)
			if parts == nil {
				t.Errorf("no example: %s", line)
				continue
			}
			examples++
			if got := results(t, parts[1], "null"); got != parts[2] {
				t.Errorf("%s\n%s, and not %s", parts[1], got, parts[2])
			}
		}
	}
	if examples < 30 {
		t.Errorf("only %d examples", examples)
	}
	for name := range functions {
		if !strings.Contains(string(text), "\n`"+name) {
			t.Errorf("docs/mapping.md does not describe %s", name)
		}
	}
}
