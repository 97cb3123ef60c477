package config

import "testing"

func TestFormats(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "feverup", "feverup": "feverup", "xml": "feverup", "fever": "fever", "json": "fever",
		"XML": "", "ical": "",
	} {
		format, known := formatNamed(name, 0)
		if format.Name != want || known != (want != "") || known && (format.Decode == nil || format.Accept == "" || format.Revision == "") {
			t.Errorf("%q is %+v, known: %t", name, format, known)
		}
	}
}
