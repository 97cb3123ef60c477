package config

import (
	"slices"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"fever/provider"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "feverup", "feverup": "feverup", "xml": "feverup", "fever": "fever", "json": "fever",
		"ical": "ical", "schema-org": "schema-org", "rpde": "rpde", "XML": "", "atom": "",
	} {
		format, err := (&entry{format: name}).feedFormat(pflag.NewFlagSet("", pflag.ContinueOnError))
		if format.Name != want || (err == nil) != (want != "") || err == nil && (format.Decode == nil || format.Accept == "" || format.Revision == "") {
			t.Errorf("%q is %+v, %v", name, format, err)
		}
	}
}

// A feed of changes has tables, and a time after which it is read from its beginning again.
func TestChanges(t *testing.T) {
	t.Setenv("FEVER_TEST_KEY", "a&b")
	s, err := complete(t, `
providers:
  - name: sessions
    url: https://a.example/sessions
    format: rpde
    refresh: 48h
    tables:
      superEvent: https://a.example/series?key=${env:FEVER_TEST_KEY}
      facilityUse: https://b.example/facilities
  - name: delta
    url: https://a.example/delta
    format: map
    map: {to: ., mode: changes}
    pages: {cursor: .token, parameter: since}
  - name: snapshot
    url: https://a.example/all
    format: map
    map: {to: ., mode: snapshot}
`)
	if err != nil {
		t.Fatal(err)
	}
	sessions, delta, snapshot := s.Providers[0], s.Providers[1], s.Providers[2]
	tables := []provider.Table{{Name: "superEvent", URL: "https://a.example/series?key=a%26b"}, {Name: "facilityUse", URL: "https://b.example/facilities"}}
	if !sessions.Format.Changes || sessions.Refresh != 48*time.Hour || !slices.Equal(sessions.Tables, tables) {
		t.Errorf("%+v", sessions)
	}
	if !delta.Format.Changes || delta.Refresh != 7*24*time.Hour || snapshot.Format.Changes {
		t.Errorf("%+v, %+v", delta, snapshot)
	}
}
