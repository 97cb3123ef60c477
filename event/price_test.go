package event_test

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fever/event"
)

func TestParsePrice(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"0": "0", "00": "0", "0.0": "0", "0.00": "0", "20": "20", "20.00": "20", "20.50": "20.5", "20.05": "20.05", "020": "20",
		"0.1": "0.1", "0.10": "0.1", "1.10": "1.1", "100": "100", "1000.000": "1000", "0.30": "0.3", "19.99": "19.99",
		"9999999999999999999":            "9999999999999999999",
		"0.9999999999999999999":          "0.9999999999999999999",
		"999999999.9999999999":           "999999999.9999999999",
		"0.0000000000000000001":          "0.0000000000000000001",
		"000000000000000000000000000001": "1",
		"1." + strings.Repeat("0", 200):  "1",
		"9007199254740993":               "9007199254740993", // no float64
		".5":                             "0.5",
		"5.":                             "5",
		".0":                             "0",
		"+5":                             "5",
		"+00.50":                         "0.5",
		"-0":                             "0",
		"-0.00":                          "0",
	} {
		p, err := event.ParsePrice(s)
		if err != nil || p.String() != want || !p.Known() {
			t.Errorf("ParsePrice(%q) = %q, %v; want %q", s, p, err, want)
		}
		if p != mustPrice(want) {
			t.Errorf("%q and %q are not ==", s, want)
		}
	}
}

func TestParsePriceRefuses(t *testing.T) {
	t.Parallel()
	const number, negative, digits = "is not a number", "is negative", "has more than 19 digits"
	for s, want := range map[string]string{
		"": number, ".": number, "+": number, "+.": number, "+-1": number, "-+1": number, "++1": number, "-": number, "-.": number, "--1": number, "1.2.3": number, "1.0.0": number, "1..0": number,
		"1e3": number, "1E3": number, "0x10": number, "1_000": number, "NaN": number, "Inf": number, "-Inf": number,
		"20,00": number, "1,000.00": number, "20 €": number, "€20": number, " 20": number, "20 ": number, "20\n": number, "2 0": number,
		"20\x00": number, "٢٠": number, "２０": number, "free": number, "null": number, "1/2": number,
		"-1": negative, "-0.01": negative, "-.5": negative, "-20.00": negative,
		"10000000000000000000": digits, "0.00000000000000000001": digits, "1.0000000000000000001": digits, "99999999999999999990": digits,
		"18446744073709551616": digits, strings.Repeat("9", 20): digits, "0." + strings.Repeat("3", 20): digits,
		strings.Repeat("9", 1<<20): digits, "0." + strings.Repeat("9", 1<<20): digits, strings.Repeat("x", 1<<20): number,
	} {
		p, err := event.ParsePrice(s)
		if err == nil || !strings.HasSuffix(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("ParsePrice(%.50q) = %q, %v; want an error that it %s", s, p, err, want)
		}
		if p.Known() {
			t.Errorf("ParsePrice(%.50q) returned %q beside its error", s, p)
		}
	}
}

func TestPriceZero(t *testing.T) {
	t.Parallel()
	var p event.Price
	if p.Known() || p.String() != "" || string(p.AppendJSON([]byte("x"))) != "xnull" {
		t.Errorf("the zero value: known %t, %q, JSON %s", p.Known(), p, p.AppendJSON(nil))
	}
	if free := mustPrice("0"); p == free || p.Compare(free) != 0 || !free.Known() {
		t.Error("free of charge is not the same as unknown, though both count as zero")
	}
}

func TestPriceJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]event.Price{
		"null": {}, "0": mustPrice("0"), "20": mustPrice("20"), "20.50": mustPrice("20.5"), "15.0": mustPrice("15"),
	} {
		p := mustPrice("77")
		if err := json.Unmarshal([]byte(text), &p); err != nil || p != want {
			t.Errorf("%s from JSON is %q, %v; want %q", text, p, err, want)
		}
	}
	for _, text := range []string{`"20"`, `""`, `-1`, `1e3`, `true`, `{}`, `[]`, `0.00000000000000000001`, ``, `.5`} {
		p := mustPrice("77")
		if err := json.Unmarshal([]byte(text), &p); err == nil || p != mustPrice("77") {
			t.Errorf("%s from JSON is %q, %v; want an error", text, p, err)
		}
	}
}

func TestPriceProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyPrice.Draw(t, "a"), anyPrice.Draw(t, "b")
		if got, want := a.Compare(b), rat(a).Cmp(rat(b)); got != want || b.Compare(a) != -want || (a == b) != (want == 0) {
			t.Fatalf("Compare(%s, %s) = %d and == is %t, want %d", a, b, got, a == b, want)
		}
		text, err := json.Marshal(a)
		if err != nil || string(text) != a.String() {
			t.Fatalf("%s as JSON is %s, %v", a, text, err)
		}
		var got event.Price
		if err := json.Unmarshal(text, &got); err != nil || got != a {
			t.Fatalf("%s from JSON is %s, %v", text, got, err)
		}
	})
}

func rat(p event.Price) *big.Rat {
	r, ok := new(big.Rat).SetString(p.String())
	if !ok {
		panic(p.String() + " is not a number")
	}
	return r
}

var decimalNumber = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$`)

// FuzzParsePrice compares ParsePrice with exact arithmetic: an accepted price equals its text, and
// it accepts every decimal of up to 19 digits.
func FuzzParsePrice(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		p, err := event.ParsePrice(s)
		if !decimalNumber.MatchString(s) {
			if err == nil {
				t.Fatalf("ParsePrice(%q) = %s, want an error", s, p)
			}
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is no rational number", s)
		}
		if want.Sign() < 0 {
			if err == nil {
				t.Fatalf("ParsePrice(%q) = %s, want an error", s, p)
			}
			return
		}
		if err != nil {
			if len(s) < 300 && keepable(s) {
				t.Fatalf("ParsePrice(%q): %v", s, err)
			}
			return
		}
		if rat(p).Cmp(want) != 0 || !p.Known() {
			t.Fatalf("ParsePrice(%q) = %s", s, p)
		}
		if again, err := event.ParsePrice(p.String()); err != nil || again != p || len(p.String()) > len(s)+1 {
			t.Fatalf("ParsePrice(%q) = %s, %v; and of that %s", s, p, err, again)
		}
		if text, err := json.Marshal(p); err != nil || !json.Valid(text) {
			t.Fatalf("%s as JSON is %s, %v", p, text, err)
		}
	})
}

// keepable reports whether a decimal number has at most 19 significant digits.
func keepable(s string) bool {
	whole, fraction, _ := strings.Cut(strings.TrimLeft(s, "+-"), ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole == "" {
		return len(fraction) <= 19
	}
	return len(whole)+len(fraction) <= 19
}
