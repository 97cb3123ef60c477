package dump

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestFeverFormat holds docs/fever-format.md against the decoder: the example is read, the refused records
// are refused for their reasons, and the tables have all members.
func TestFeverFormat(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/fever-format.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	examples := regexp.MustCompile("(?s)```ndjson\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(examples) != 1 {
		t.Fatalf("%d examples", len(examples))
	}
	got, err := read(strings.NewReader(examples[0][1]))
	if err != nil || len(got.Events) != 2 || len(got.Past) != 1 || got.Seen != 3 {
		t.Errorf("the example is read as %+v, %v", got, err)
	}
	refused := regexp.MustCompile("(?m)^\\| `([{7].*)` \\| (.*) \\|$").FindAllStringSubmatch(page, -1)
	if len(refused) < 10 {
		t.Errorf("%d refused records", len(refused))
	}
	for _, row := range refused {
		got, err := read(strings.NewReader(examples[0][1] + row[1]))
		if err != nil || got.Rejected != 1 || got.Rejections[0].Reason != row[2] {
			t.Errorf("%s: %+v, %v; the page says: %s", row[1], got.Rejections, err, row[2])
		}
	}
	for title, names := range map[string][]string{"## A record": recordNames, "## A zone": zoneNames} {
		_, section, _ := strings.Cut(page, title+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		told := map[string]bool{}
		for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \|`).FindAllStringSubmatch(section, -1) {
			for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
				told[name[1]] = true
			}
		}
		for _, name := range names {
			if !told[name] {
				t.Errorf("%s says nothing of %s", title, name)
			}
			delete(told, name)
		}
		if len(told) > 0 {
			t.Errorf("%s tells of %v, which is not read", title, told)
		}
	}
}
