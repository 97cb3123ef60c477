package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"fever/config"
	"fever/ingest"
)

// TestCollected has the settings of each policy come to the jobs.
func TestCollected(t *testing.T) {
	t.Parallel()
	policies := []ingest.Policy{ingest.Warn, ingest.Refuse, ingest.Off}
	text := "providers:\n"
	for _, policy := range policies {
		text += fmt.Sprintf("  - {name: %s, url: http://example.com/, suspect: %q, every: 2m, timezone: Europe/Madrid}\n", policy, policy)
	}
	path := filepath.Join(t.TempDir(), "fever.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var c config.Config
	flags := pflag.NewFlagSet("sync", pflag.ContinueOnError)
	c.Register(flags)
	if err := flags.Parse([]string{"--config", path, "--db", "a.db"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Complete(flags); err != nil {
		t.Fatal(err)
	}
	for i, p := range collected(&c) {
		if p.Name != string(policies[i]) || p.Suspect != policies[i] || p.Every != c.Providers[i].Every || p.Location.String() != "Europe/Madrid" ||
			p.Get == nil || p.Decode == nil || p.Next != nil || p.Instance != instanceOf("a.db") {
			t.Errorf("collected %+v", p)
		}
	}
}
