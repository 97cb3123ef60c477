package event_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"fever/event"
)

func TestKeyBytes(t *testing.T) {
	t.Parallel()
	k := event.Key{Provider: "feverup", BaseID: "322", EventID: "1642"}
	if got, want := string(k.Bytes()), "feverup\x00322\x001642"; got != want {
		t.Errorf("Bytes() = %q, want %q", got, want)
	}
	if got, want := k.String(), "feverup/322/1642"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestKeyRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := anyKey.Draw(t, "key")
		got, err := event.ParseKey(k.Bytes())
		if err != nil || got != k {
			t.Fatalf("ParseKey(%q) = %+v, %v; want %+v", k.Bytes(), got, err, k)
		}
		if !strings.HasPrefix(string(k.Bytes()), k.Provider+"\x00") {
			t.Fatalf("Bytes() = %q, not below its provider's prefix", k.Bytes())
		}
	})
}

// TestKeyInjective moves characters between the parts of a key. It fails if the separator can
// occur in a part.
func TestKeyInjective(t *testing.T) {
	t.Parallel()
	part := rapid.StringMatching(`[a1/\-]{1,3}`)
	key := rapid.Custom(func(t *rapid.T) event.Key {
		return event.Key{Provider: part.Draw(t, "provider"), BaseID: part.Draw(t, "base id"), EventID: part.Draw(t, "event id")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		if (string(a.Bytes()) == string(b.Bytes())) != (a == b) {
			t.Fatalf("%+v and %+v: bytes %q and %q", a, b, a.Bytes(), b.Bytes())
		}
		if (a.ID() == b.ID()) != (a == b) {
			t.Fatalf("%+v and %+v: ids %s and %s", a, b, a.ID(), b.ID())
		}
	})
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "\x00", "\x00\x00", "feverup", "feverup\x001", "feverup\x001\x00", "feverup\x00\x001", "\x001\x001",
		"feverup\x001\x001\x00", "feverup\x001\x001\x001",
	} {
		if k, err := event.ParseKey([]byte(s)); err == nil {
			t.Errorf("ParseKey(%q) = %+v, want an error", s, k)
		}
	}
}

// TestIDGolden has ids that are in use. A change breaks every client that has kept one.
func TestIDGolden(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ base, event, want string }{
		{"291", "291", "aec3273c-efd9-5b77-b7b0-5e93a06c7d90"},
		{"322", "1642", "060031f8-31c2-51f0-89f6-cea638faceb1"},
		{"322", "1643", "0d183298-745b-51d5-addd-b1de604049f4"},
		{"1591", "1642", "43e632f8-28e8-5c7a-b1c2-36b49e553cb9"},
	} {
		k := event.Key{Provider: "feverup", BaseID: test.base, EventID: test.event}
		if got := k.ID().String(); got != test.want {
			t.Errorf("%s has the id %s, want %s", k, got, test.want)
		}
	}
}

func TestIDIsVersion5(t *testing.T) {
	t.Parallel()
	namespace := uuid.MustParse("5f9a3c1e-7d0b-5e4a-9a55-0c6b3f1d2e84")
	rapid.Check(t, func(t *rapid.T) {
		k := anyKey.Draw(t, "key")
		id := k.ID()
		if id.Version() != 5 || id.Variant() != uuid.RFC4122 {
			t.Fatalf("%s has version %s and variant %s", id, id.Version(), id.Variant())
		}
		if want := uuid.NewSHA1(namespace, k.Bytes()); id != want {
			t.Fatalf("%q has the id %s, want %s", k.Bytes(), id, want)
		}
	})
}

func TestIDDependsOnKeyAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyEvent.Draw(t, "a"), anyEvent.Draw(t, "b")
		b.Key = a.Key
		if a.ID() != b.ID() {
			t.Fatalf("ids %s and %s", a.ID(), b.ID())
		}
		x, y := event.NewEntry(&a, location(t, "Europe/Madrid")), event.NewEntry(&b, location(t, "Pacific/Apia"))
		if x.ID != a.ID() || y.ID != a.ID() {
			t.Fatalf("entries with the ids %s and %s, want %s", x.ID, y.ID, a.ID())
		}
	})
}
