package config

import (
	"testing"

	"github.com/spf13/pflag"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "feverup", "feverup": "feverup", "xml": "feverup", "fever": "fever", "json": "fever",
		"ical": "ical", "schema-org": "schema-org", "XML": "", "atom": "",
	} {
		format, err := (&entry{format: name}).feedFormat(pflag.NewFlagSet("", pflag.ContinueOnError))
		if format.Name != want || (err == nil) != (want != "") || err == nil && (format.Decode == nil || format.Accept == "" || format.Revision == "") {
			t.Errorf("%q is %+v, %v", name, format, err)
		}
	}
}
