package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"fever/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

// parse reads a picture to its end, and counts its elements by name and class.
func parse(t *testing.T, svg string) map[string]int {
	t.Helper()
	found := make(map[string]int)
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if start, ok := token.(xml.StartElement); ok {
			name := start.Name.Local
			for _, a := range start.Attr {
				if a.Name.Local == "class" {
					name += "." + a.Value
				}
				if a.Value == "NaN" || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s has %s %s", name, a.Name.Local, a.Value)
				}
			}
			found[name]++
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	svg := Lines{
		Title: "a < b", Series: []string{"one", "two"},
		Panels: []Panel{{"first & last", [][]Point{{{0, 0}, {1, 5}, {1.5, math.NaN()}, {2, 3}}, {{1, 0.5}}}}, {"nothing", [][]Point{nil, {{1, 0}}}}},
		Ticks:  []Tick{{0, "0"}, {2, "end"}},
		Shaded: [][2]float64{{1, 2}},
	}.SVG()
	found := parse(t, svg)
	if strings.Count(svg, "M") != 4 { // one each, and another one after the gap
		t.Error(svg)
	}
	if found["path.s0"] != 2 || found["path.s1"] != 2 || found["rect.shade"] != 1 || found["rect.s1"] != 1 || found["text"] != 2+2+2+2*3 {
		t.Errorf("drawn: %v", found)
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	svg := Bars{
		Title: "x", Series: []string{"one", "two", "three"}, One: "bare",
		Groups: []Group{{[]string{"a", "b"}, []float64{0.25, 1, 8}}, {[]string{"c"}, []float64{1, 0, 2}}},
	}.SVG()
	if found := parse(t, svg); found["rect.s0"] != 3 || found["rect.s1"] != 2 || found["rect.s2"] != 3 {
		t.Errorf("drawn: %v", found)
	}
	if !strings.Contains(svg, ">8.00<") || strings.Contains(svg, ">0.00<") {
		t.Error(svg)
	}
}
