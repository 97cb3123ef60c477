package ops

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"fever/httpapi"
)

// TestDocs looks at the page as a browser does: everything is from here, and every link
// leads somewhere.
func TestDocs(t *testing.T) {
	t.Parallel()
	d := deploy(t, "")
	if got := d.ask(t, http.MethodGet, "/openapi.yaml"); got.body != string(httpapi.OpenAPI) {
		t.Errorf("the document is another: %.200s", got.body)
	}
	page := d.ask(t, http.MethodGet, "/docs").body
	for _, match := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		target := match[1]
		if name, ok := strings.CutPrefix(target, "#"); ok {
			if !strings.Contains(page, `id="`+name+`"`) {
				t.Errorf("%s leads nowhere", target)
			}
			continue
		}
		if got := d.ask(t, http.MethodGet, "/"+strings.TrimPrefix(target, "./")); got.status != http.StatusOK {
			t.Errorf("%s: %d", target, got.status)
		}
	}
	for _, bad := range []string{"style=", "<style", "<script", "://", "`"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}

// TestDocsOfDocument holds the page against the OpenAPI document: it has every operation,
// parameter, status, code, header field and field of that, and no other.
func TestDocsOfDocument(t *testing.T) {
	t.Parallel()
	document, err := openapi3.NewLoader().LoadFromData(httpapi.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	page := string(docsHTML)
	wants := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(page, text) {
				t.Errorf("the page has no %q", text)
			}
		}
	}
	wants("<h1>"+document.Info.Title+" <small>"+document.Info.Version+"</small></h1>", "<p>"+spaced(document.Info.Description)+"</p>")
	tables := tablesOf(page)
	if len(tables) != 6 {
		t.Fatalf("%d tables", len(tables))
	}
	parameters, answers, fields, headers := map[string][]string{}, map[string][]string{}, tables[2:5], map[string]bool{}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			wants("<h2>"+method+" "+path+"</h2>", "<h3>"+operation.Summary+"</h3>")
			for text := range strings.SplitSeq(operation.Description, "\n\n") {
				if !strings.Contains(textOf(page), spaced(text)) {
					t.Errorf("%s: the page has no %q", method, text)
				}
			}
			for _, p := range operation.Parameters {
				parameters[p.Value.Name] = []string{p.Value.In, typeOf(p.Value.Schema), spaced(p.Value.Description), fmt.Sprint(p.Value.Example)}
			}
			for status, response := range operation.Responses.Map() {
				names := slices.Sorted(maps.Keys(response.Value.Headers))
				for _, name := range names {
					headers[name] = true
				}
				switch {
				case method == http.MethodGet:
					answers[status] = []string{codesOf(response.Value), strings.Join(names, " ")}
				case tables[1][status] == nil && !strings.Contains(textOf(page), " with "+status+" and "+strings.Join(names, ", ")):
					t.Errorf("%s: the page has no %s", method, status)
				}
			}
		}
	}
	if !maps.EqualFunc(parameters, tables[0], slices.Equal) {
		t.Errorf("the parameters are\n%v, the page has\n%v", parameters, tables[0])
	}
	shown := map[string][]string{}
	for status, cells := range tables[1] {
		shown[status] = []string{cells[0], cells[2]} // between them are words
	}
	if !maps.EqualFunc(answers, shown, slices.Equal) {
		t.Errorf("the answers are\n%v, the page has\n%v", answers, shown)
	}
	for i, name := range []string{"SearchResponse", "EventSummary", "ErrorResponse"} {
		wants(`<h3 id="` + name + `">` + name + "</h3>")
		want := map[string][]string{}
		addFields(want, "", document.Components.Schemas[name].Value)
		for field, cells := range want {
			got := fields[i][field]
			if len(got) < 2 || got[0] != cells[0] || !strings.HasPrefix(got[1], cells[1]) || len(got) > 2 && got[2] != cells[2] {
				t.Errorf("%s.%s is %q, the page has %q", name, field, cells, got)
			}
		}
		if len(fields[i]) != len(want) {
			t.Errorf("%s has %d fields, on the page %d", name, len(want), len(fields[i]))
		}
	}
	if len(document.Components.Schemas) != len(fields) {
		t.Errorf("the document has %d schemas", len(document.Components.Schemas))
	}
	if got, want := slices.Sorted(maps.Keys(tables[5])), slices.Sorted(maps.Keys(headers)); !slices.Equal(got, want) {
		t.Errorf("the header fields are %v, the page has %v", want, got)
	}
	for id, schema := range map[string]string{"found": "SearchResponse", "failed": "ErrorResponse"} {
		_, example, _ := strings.Cut(page, `id="`+id+`"><code>`)
		example, _, _ = strings.Cut(example, "</code>")
		var value any
		if err := json.Unmarshal([]byte(html.UnescapeString(example)), &value); err != nil {
			t.Errorf("%s: %v", id, err)
		} else if err := document.Components.Schemas[schema].Value.VisitJSON(value); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// tablesOf returns the tables of a page, as the other cells of a row by its first.
func tablesOf(page string) (tables []map[string][]string) {
	cell := regexp.MustCompile(`<td>(.*?)</td>`)
	for _, table := range regexp.MustCompile(`(?s)<tbody>(.*?)</tbody>`).FindAllStringSubmatch(page, -1) {
		rows := map[string][]string{}
		for line := range strings.Lines(strings.TrimSpace(table[1])) {
			var cells []string
			for _, match := range cell.FindAllStringSubmatch(line, -1) {
				cells = append(cells, textOf(match[1]))
			}
			rows[cells[0]] = cells[1:]
		}
		tables = append(tables, rows)
	}
	return tables
}

var tag = regexp.MustCompile(`<[^>]*>`)

// textOf returns what is to be read on a page.
func textOf(page string) string { return html.UnescapeString(tag.ReplaceAllString(page, "")) }

// spaced returns a description as a line of text.
func spaced(description string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(description), " "), "`", "")
}

// typeOf says what values a schema takes.
func typeOf(ref *openapi3.SchemaRef) string {
	s := ref.Value
	name := strings.Join(s.Type.Slice(), " ")
	switch {
	case s.Items != nil:
		return "array of " + s.Items.Ref[strings.LastIndex(s.Items.Ref, "/")+1:]
	case len(s.Enum) == 1 && s.Enum[0] == nil:
		return "null"
	case s.Format != "":
		name += " (" + s.Format + ")"
	}
	if s.Nullable {
		name += ", or null"
	}
	return name
}

// addFields adds what the page says of the fields of a schema: type, description, example.
func addFields(all map[string][]string, within string, s *openapi3.Schema) {
	for name, property := range s.Properties {
		example := ""
		if property.Value.Example != nil {
			example = fmt.Sprint(property.Value.Example)
		}
		all[within+name] = []string{typeOf(property), spaced(property.Value.Description), example}
		addFields(all, within+name+".", property.Value)
	}
}

// codesOf returns the codes in the examples of an error.
func codesOf(r *openapi3.Response) string {
	content := r.Content.Get("application/json")
	if content == nil {
		return ""
	}
	examples := []any{content.Example}
	for _, name := range slices.Sorted(maps.Keys(content.Examples)) {
		examples = append(examples, content.Examples[name].Value.Value)
	}
	var codes []string
	for _, example := range examples {
		body, _ := example.(map[string]any)
		if failure, ok := body["error"].(map[string]any); ok {
			codes = append(codes, fmt.Sprint(failure["code"]))
		}
	}
	return strings.Join(codes, " ")
}
