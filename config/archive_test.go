package config

import (
	"math"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for yaml, want := range map[string]time.Duration{"": 90 * day, "history: 0": 0, "history: 7d": 7 * day, "history: 36h": 36 * time.Hour} {
		if s, err := complete(t, yaml); err != nil || s.History != want {
			t.Errorf("%q: %s, %v", yaml, s.History, err)
		}
	}
	for _, history := range []string{"0d", "59m", "-1d", "90", "none"} {
		if _, err := complete(t, "history: "+history); err == nil {
			t.Errorf("%q is accepted", history)
		}
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for yaml, want := range map[string]Archive{
		"":                                      {"fever.db.archive", 90 * day, 10 << 30},
		"db: /data/f.db\narchive-keep: 36h":     {"/data/f.db.archive", 36 * time.Hour, 10 << 30},
		"archive: \"\"\narchive-size: 1MiB":     {"", 90 * day, 1 << 20},
		"archive: kept\narchive-keep: 7d":       {"kept", 7 * day, 10 << 30},
		"db: postgres://h/d":                    {"", 90 * day, 10 << 30},
		"db: postgres://h/d\narchive: kept":     {"kept", 90 * day, 10 << 30},
		"archive-keep: 4000000000d\narchive: a": {"a", math.MaxInt64 / day * day, 10 << 30},
	} {
		if s, err := complete(t, yaml); err != nil || s.Archive != want {
			t.Errorf("%q: %+v, %v", yaml, s.Archive, err)
		}
	}
	for _, keep := range []string{"0d", "59m", "d", "1.5d", "-1d", "90", "5000000000d"} {
		if _, err := complete(t, "archive-keep: "+keep); err == nil {
			t.Errorf("%q is accepted", keep)
		}
	}
}
