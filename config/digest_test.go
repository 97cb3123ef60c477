package config

import (
	"testing"
	"time"

	"fever/provider"
)

// TestDigest shows that it tells settings apart by which a process collects in another way.
func TestDigest(t *testing.T) {
	t.Parallel()
	digest := func(change func(*Provider)) string {
		p := Provider{Provider: &provider.Provider{Config: provider.Config{Name: "a"}, Source: "s"}, Every: time.Minute, MaxInterval: time.Hour, Suspect: "warn"}
		change(&p)
		c := Config{Providers: []Provider{p}}
		return c.Digest()
	}
	cron := func(minute int) func(*Provider) {
		return func(p *Provider) {
			p.Next = func(at time.Time) time.Time {
				return at.Truncate(time.Hour).Add(time.Hour + time.Duration(minute)*time.Minute)
			}
		}
	}
	same := digest(func(*Provider) {})
	if again := digest(func(*Provider) {}); again != same || len(same) != 8 {
		t.Errorf("%q, then %q", same, again)
	}
	seen := map[string]string{same: "nothing"}
	for name, change := range map[string]func(*Provider){
		"its name":         func(p *Provider) { p.Name = "b" },
		"what it reads":    func(p *Provider) { p.Source = "t" },
		"its interval":     func(p *Provider) { p.Every = time.Second },
		"its policy":       func(p *Provider) { p.Suspect = "refuse" },
		"a cron":           cron(5),
		"another cron":     cron(6),
		"when to refresh":  func(p *Provider) { p.Refresh = time.Hour },
		"how it stretches": func(p *Provider) { p.MaxInterval = time.Minute },
	} {
		got := digest(change)
		if other, ok := seen[got]; ok {
			t.Errorf("%s makes the same digest as %s", name, other)
		}
		seen[got] = name
	}
}
