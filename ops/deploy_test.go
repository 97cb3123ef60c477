package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"fever/provider/feed"
)

const manual = "../docs/operations.md"

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// parseYAML reads a file of one document.
func parseYAML(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Load([]byte(readFile(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// exposed returns the types and the labels of all metrics that a scrape has.
func exposed(t *testing.T) (types map[string]string, labels map[string][]string) {
	t.Helper()
	w := watch(t, map[string]func(context.Context) (*feed.Feed, error){"a": nil})
	values, types := scrape(t, w.Metrics)
	sharedValues, sharedTypes := scrape(t, w.shared(t, &sharedStore{Store: w.store}))
	maps.Copy(values, sharedValues)
	maps.Copy(types, sharedTypes)
	labels = make(map[string][]string)
	label := regexp.MustCompile(`(\w+)="`)
	for series := range values {
		name, rest, _ := strings.Cut(series, "{")
		name = family(name, types)
		labels[name] = append(labels[name], "") // so that it is there
		for _, match := range label.FindAllStringSubmatch(rest, -1) {
			if match[1] != "le" && match[1] != "quantile" {
				labels[name] = append(labels[name], match[1])
			}
		}
	}
	for name := range labels {
		slices.Sort(labels[name])
		labels[name] = slices.Compact(labels[name])[1:]
	}
	return types, labels
}

// family returns the name of the metric that a series belongs to.
func family(series string, types map[string]string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name, cut := strings.CutSuffix(series, suffix)
		if kind := types[name]; cut && (kind == "histogram" || kind == "summary" && suffix != "_bucket") {
			return name
		}
	}
	return series
}

// TestManualMetrics compares the table of metrics in the manual with a scrape, both ways.
func TestManualMetrics(t *testing.T) {
	t.Parallel()
	types, labels := exposed(t)
	row := regexp.MustCompile("(?m)^\\| `(fever_\\w+)` \\| (\\w+) \\|([^|]*)\\|")
	documented := make(map[string]bool)
	for _, match := range row.FindAllStringSubmatch(readFile(t, manual), -1) {
		name, kind := match[1], match[2]
		if documented[name] {
			t.Errorf("%s is in the table twice", name)
		}
		documented[name] = true
		if types[name] != kind {
			t.Errorf("%s is a %q, not a %s", name, types[name], kind)
		}
		said := []string{}
		for _, quoted := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(match[3], -1) {
			said = append(said, quoted[1])
		}
		slices.Sort(said)
		if !slices.Equal(said, labels[name]) {
			t.Errorf("%s has the labels %q, not %q", name, labels[name], said)
		}
	}
	for name := range types {
		if strings.HasPrefix(name, "fever_") && !documented[name] {
			t.Errorf("%s is not in the table", name)
		}
	}
	checkNames(t, manual, readFile(t, manual), types)
}

var metricNames = regexp.MustCompile(`\b(?:fever|go|process)_\w+\b`)

// checkNames looks for metrics that do not exist in something that speaks of some.
func checkNames(t *testing.T, where, text string, types map[string]string) {
	t.Helper()
	found := 0
	for _, name := range metricNames.FindAllString(text, -1) {
		found++
		if types[family(name, types)] == "" {
			t.Errorf("%s: there is no metric %s", where, name)
		}
	}
	if found == 0 {
		t.Errorf("%s speaks of no metric", where)
	}
}

// ruleFile is a file of alerts.
type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr         string
			Labels, Annotations map[string]string
		}
	}
}

// TestAlerts compares the alerts with the metrics, with the manual and with their tests,
// which promtool runs (see make deploy-check).
func TestAlerts(t *testing.T) {
	t.Parallel()
	types, _ := exposed(t)
	var file ruleFile
	parseYAML(t, "../deploy/prometheus/alerts.yml", &file)
	var alerts []string
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			alerts = append(alerts, rule.Alert)
			if expr := strings.TrimPrefix(rule.Expr, "up{"); expr == rule.Expr {
				checkNames(t, rule.Alert, expr, types)
			}
			if s := rule.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s has the severity %q", rule.Alert, s)
			}
			said := map[string]string{"critical": "*Critical.*", "warning": "*Warning.*"}[rule.Labels["severity"]]
			if !strings.Contains(readFile(t, manual), "\n### "+rule.Alert+"\n\n"+said) {
				t.Errorf("%s: the manual has no section that begins with %s", rule.Alert, said)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s does not say what it is about", rule.Alert)
			}
		}
	}
	slices.Sort(alerts)

	headings := []string{}
	for _, match := range regexp.MustCompile(`(?m)^### (Fever\w+)$`).FindAllStringSubmatch(readFile(t, manual), -1) {
		headings = append(headings, match[1])
	}
	slices.Sort(headings)
	if !slices.Equal(alerts, headings) {
		t.Errorf("the alerts are\n%q, those in the manual\n%q", alerts, headings)
	}

	var tests struct {
		Tests []struct {
			Alerts []struct {
				Name     string `yaml:"alertname"`
				Expected []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	parseYAML(t, "../deploy/prometheus/alerts_test.yml", &tests)
	fires := make(map[string]bool)
	for _, test := range tests.Tests {
		for _, alert := range test.Alerts {
			if len(alert.Expected) > 0 {
				fires[alert.Name] = true
			}
		}
	}
	if tested := slices.Sorted(maps.Keys(fires)); !slices.Equal(alerts, tested) {
		t.Errorf("the alerts are\n%q, those that fire in a test\n%q", alerts, tested)
	}
}

// TestDashboard looks for metrics that are missing, metrics and labels that do not exist,
// panels that do not say what they show, and those that lie over others.
func TestDashboard(t *testing.T) {
	t.Parallel()
	types, labels := exposed(t)
	const path = "../deploy/grafana/dashboards/fever.json"
	var board struct {
		UID        string
		Templating struct {
			List []struct {
				Name, Type string
				Query      any
			}
		}
		Annotations struct{ List []struct{ Name, Expr string } }
		Panels      []struct {
			ID                       int
			Type, Title, Description string
			GridPos                  struct{ X, Y, W, H int }
			Targets                  []struct{ RefID, Expr, LegendFormat string }
			FieldConfig              struct{ Defaults struct{ Unit string } }
		}
	}
	text := readFile(t, path)
	if err := json.Unmarshal([]byte(text), &board); err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	for _, name := range metricNames.FindAllString(text, -1) {
		shown[family(name, types)] = true
	}
	for name := range types {
		inside := strings.HasPrefix(name, "fever_index_") // for those who work on it
		if strings.HasPrefix(name, "fever_") && !inside && !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
	variables := []string{"$__rate_interval"}
	for _, v := range board.Templating.List {
		variables = append(variables, "$"+v.Name)
		if v.Type == "query" {
			checkNames(t, v.Name, fmt.Sprint(v.Query), types)
		}
	}
	for _, a := range board.Annotations.List {
		checkNames(t, a.Name, a.Expr, types)
	}
	ids := make(map[int]bool)
	taken := make(map[[2]int]string)
	for _, panel := range board.Panels {
		if ids[panel.ID] {
			t.Errorf("panel %q has the id of another", panel.Title)
		}
		ids[panel.ID] = true
		for x := range panel.GridPos.W {
			for y := range panel.GridPos.H {
				at := [2]int{panel.GridPos.X + x, panel.GridPos.Y + y}
				if other, ok := taken[at]; ok || at[0] >= 24 {
					t.Fatalf("panel %q lies over %q, or outside", panel.Title, other)
				}
				taken[at] = panel.Title
			}
		}
		if panel.Type != "row" && (len(panel.Targets) == 0 || panel.Description == "") {
			t.Errorf("panel %q asks nothing, or does not say what", panel.Title)
		}
		if unit := panel.FieldConfig.Defaults.Unit; unit == "" && (panel.Type == "timeseries" || panel.Type == "stat") {
			t.Errorf("panel %q has no unit", panel.Title)
		}
		refs := make(map[string]bool)
		for _, target := range panel.Targets {
			if !strings.HasPrefix(target.Expr, "min(up{") {
				checkNames(t, panel.Title, target.Expr, types)
			}
			if refs[target.RefID] {
				t.Errorf("panel %q asks for %s twice", panel.Title, target.RefID)
			}
			refs[target.RefID] = true
			if panel.Type == "timeseries" && target.LegendFormat == "" {
				t.Errorf("panel %q: %s has no legend", panel.Title, target.Expr)
			}
			known := []string{"instance"}
			for _, name := range metricNames.FindAllString(target.Expr, -1) {
				known = append(known, labels[family(name, types)]...)
			}
			for _, label := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(known, label[1]) {
					t.Errorf("panel %q: what %s asks for has no label %s", panel.Title, target.RefID, label[1])
				}
			}
			for _, v := range regexp.MustCompile(`\$\w+`).FindAllString(target.Expr, -1) {
				if !slices.Contains(variables, v) {
					t.Errorf("panel %q: there is no variable %s", panel.Title, v)
				}
			}
		}
	}
}

// TestDeployYAML parses what nothing here runs.
func TestDeployYAML(t *testing.T) {
	t.Parallel()
	parsed := 0
	err := filepath.WalkDir("../deploy", func(path string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && (ext == ".yml" || ext == ".yaml") {
			documents := yaml.NewDecoder(strings.NewReader(readFile(t, path))) // a file may have several
			for ; err == nil; parsed++ {
				err = documents.Decode(new(map[string]any))
			}
			if parsed--; errors.Is(err, io.EOF) {
				err = nil
			}
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if parsed < 6 {
		t.Errorf("%d documents", parsed)
	}
}

// TestCompose holds what keeps the services in their place: nothing but loopback is open,
// and nothing has rights to give away.
func TestCompose(t *testing.T) {
	t.Parallel()
	type service struct {
		Image       string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		Ports       []string
		Volumes     []string
		Privileged  bool
	}
	var compose struct {
		Services map[string]service
		Volumes  map[string]any
	}
	parseYAML(t, "../deploy/compose.yaml", &compose)
	for _, name := range []string{"fever", "prometheus", "grafana"} {
		s, ok := compose.Services[name]
		if !ok {
			t.Errorf("there is no service %s", name)
		}
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.Privileged {
			t.Errorf("%s can get more rights: %+v", name, s)
		}
		if !s.ReadOnly && name != "prometheus" {
			t.Errorf("%s can write to its image", name)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is open on %s", name, port)
			}
		}
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			_, named := compose.Volumes[from]
			if _, err := os.Stat(filepath.Join("../deploy", from)); !named && err != nil {
				t.Errorf("%s mounts what there is not: %v", name, err)
			}
		}
	}
}
