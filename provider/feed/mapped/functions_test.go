package mapped

import (
	"encoding/json"
	"strings"
	"testing"
)

// result runs a program for a text, as JSON, or for null.
func result(t *testing.T, program string, input any) string {
	t.Helper()
	row, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	return results(t, program, string(row))
}

func TestPrice(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Entrada: 7,50 euros.":     `"7.50"`,
		"20.00":                    `"20.00"`,
		"20,00":                    `"20.00"`,
		"20":                       `"20"`,
		"0":                        `"0"`,
		"0,500":                    `"0.500"`,
		"1.234,50":                 `"1234.50"`,
		"1,234.50":                 `"1234.50"`,
		"1'234.50 CHF":             `"1234.50"`,
		"1\u2019234":               `"1234"`,
		"1\u00a0234,50 €":          `"1234.50"`,
		"1\u202f234\u202f567":      `"1234567"`,
		"1.234.567":                `"1234567"`,
		"1,234,567.8":              `"1234567.8"`,
		"1234,5":                   `"1234.5"`,
		"7'50 €":                   `"7.50"`,
		"12,-":                     `"12"`,
		"€12.":                     `"12"`,
		"(12)":                     `"12"`,
		"from-12":                  `"12"`,
		"12-":                      `"12"`,
		"1.234":                    `may be thousands or a fraction`,
		"1,234":                    `may be thousands or a fraction`,
		"1.23.45":                  `is not a number`,
		"1.234,56,78":              `is not a number`,
		"1,23.456,7":               `is not a number`,
		"1234.567,8":               `is not a number`,
		"1\u00a023":                `is not a number`,
		"free":                     `has no number`,
		"":                         `has no number`,
		"gratis hasta completar":   `has no number`,
		"5 euros, 3 con carné":     `has 2 numbers; prices gives the lowest and the highest`,
		"5-7":                      `has 2 numbers`,
		"5 - 7 €":                  `has 2 numbers`,
		"1 234,50":                 `may be thousands or two numbers`,
		"2x1: 10 €":                `has 3 numbers`,
		"1e3":                      `has 2 numbers`,
		"10 € (21% IVA)":           `has 2 numbers`,
		"-5":                       `is negative`,
		"Precio: -5 €":             `is negative`,
		"\u22125":                  `is negative`,
		"- 5 €":                    `"5"`, // an item of a list
		"£.50":                     `begins with a point or comma`,
		"99999999999999999999,99":  `more than 19 digits`,
		strings.Repeat("9", 2000):  `more than 19 digits`,
		"٧":                        `has no number`,
		"7,50\u00a0€ / 7.50 reduc": `has 2 numbers`,
	} {
		got := result(t, "price", text)
		if strings.HasPrefix(want, `"`) && got != want || !strings.Contains(got, want) || len(got) > 200 {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for row, want := range map[string]string{
		`7.50`: `"7.50"`, `20.00`: `"20.00"`, `0`: `"0"`, `-1`: `error: price "-1" is negative`, `1e2`: `error: price "1e2" is not a number`,
		`null`: `error: price of null`, `true`: `error: price of boolean true`, `[1]`: `error: price of array [1]`,
	} {
		if got := results(t, "price", row); got != want {
			t.Errorf("%s: %s, want %s", row, got, want)
		}
	}
	// What a program computes is a number, too.
	if got := results(t, `(.a * 100 | price), (.a / 4 | price)`, `{"a": 3}`); got != `"300" "0.75"` {
		t.Errorf("computed: %s", got)
	}
}

func TestPrices(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"5 euros, 3 con carné":     `["3","5"]`,
		"10 - 25,50 €":             `["10","25.50"]`,
		"9 €, 10 €, 11 €":          `["9","11"]`,
		"7":                        `["7","7"]`,
		"free":                     `error: prices "free" has no number`,
		strings.Repeat("1 ", 2001): `error: prices of a text of 4002 bytes; the longest has 4000`,
		strings.Repeat("1 ", 2000): `["1","1"]`,
		"1 250,00 €":               `error: prices "1 250,00 €": "1 250" may be thousands or two numbers`,
		"10\n100":                  `error: prices "10\n100": "10\n100" may be thousands or two numbers`,
		"12 1 250 567":             `error: prices "12 1 250 567": "1 250" may be thousands or two numbers`,
		"7,50 100":                 `["7.50","100"]`,
		"2 1000 20":                `["2","1000"]`,
		"1000 500 0 100":           `["0","1000"]`,
		"3 / -5":                   `["3","5"]`,
	} {
		if got := result(t, "prices", text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestLocal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ value, layout, want string }{
		{"24.12.2026 20:30", "02.01.2006 15:04", `"2026-12-24T20:30:00"`},
		{" 24/12/26 ", "02/01/06", `"2026-12-24"`},
		{"Dec 24, 2026 8:30 PM", "Jan 2, 2006 3:04 PM", `"2026-12-24T20:30:00"`},
		{"2026-12-24 20:30:00 +0200", "2006-01-02 15:04:05 -0700", `"2026-12-24T20:30:00+02:00"`},
		{"31.02.2026", "02.01.2006", `error: local: "31.02.2026" is not a time like "02.01.2006"`},
		{"", "02.01.2006", `error: local: "" is not a time like "02.01.2006"`},
		{"x", "dd.mm.yyyy", "compile: line 1, column 1: the layout \"dd.mm.yyyy\" of local has no year, month or day; it is how 2 January 2006, 15:04:05 is written"},
		{"x", "02.01. 15:04", "compile: line 1, column 1: the layout \"02.01. 15:04\" of local has no year"},
		{"x", "2006-01-02 MST", "compile: line 1, column 1: the layout \"2006-01-02 MST\" of local has the name of a time zone"},
	} {
		if got := result(t, `local("`+test.layout+`")`, test.value); !strings.HasPrefix(got, test.want) {
			t.Errorf("%q: %s, want %s", test.value, got, test.want)
		}
	}
	if got := results(t, `local(.x)`, `{}`); got != "compile: line 1, column 1: local needs its layout as a plain text" {
		t.Error(got)
	}
	if got := results(t, `local("2006-01-02")`, `5`); got != "error: local needs a text, not number 5" {
		t.Error(got)
	}
}

func TestUTC(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		`"2026-03-27T20:00:00+01:00"`:                `"2026-03-27T19:00:00Z"`,
		`"2026-03-27 20:00:00+0100"`:                 `"2026-03-27T19:00:00Z"`,
		`"2026-03-27T20:00+01:00"`:                   `"2026-03-27T19:00:00Z"`,
		`"2026-03-27T19:00:00.000Z"`:                 `"2026-03-27T19:00:00Z"`,
		`"2026-03-27T20:00:00+01:00[Europe/Madrid]"`: `"2026-03-27T19:00:00Z"`,
		`"2026-10-25T02:30:00+01:00"`:                `"2026-10-25T01:30:00Z"`,
		`1774638000`:                                 `"2026-03-27T19:00:00Z"`,
		`1774638000.9`:                               `"2026-03-27T19:00:00Z"`,
		`0`:                                          `"1970-01-01T00:00:00Z"`,
		`1774638000000`:                              `error: utc: number 1774638000000 is not a number of seconds since 1970`,
		`1e9`:                                        `error: utc: number 1e9 is not a number of seconds since 1970`,
		`"2026-03-27T20:00:00"`:                      `error: utc: "2026-03-27T20:00:00" is not a time with an offset`,
		`"1774638000"`:                               `error: utc: "1774638000" is not a time with an offset`,
		`null`:                                       `error: utc needs a text, not null`,
	} {
		if got := results(t, "utc", row); got != want {
			t.Errorf("%s: %s, want %s", row, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Concert":                               "Concert",
		" a\n\tb ":                              "a b",
		"Rock &amp; Roll":                       "Rock & Roll",
		"&amp;amp;":                             "&amp;", // once
		"&lt;b&gt;":                             "<b>",   // a text, no tag
		"Caf&eacute; &#8211; &#x2019;":          "Café – ’",
		"<p>One</p><p>Two</p>":                  "One Two",
		"a<br/>b":                               "a b",
		"H<sub>2</sub>O, <b>w</b>ord":           "H2O, word",
		"<a href='x>y'>":                        "y'>", // an attribute with a bracket: as browsers do without quotes
		"5 < 6 and 7 > 6":                       "5 < 6 and 7 > 6",
		"<!-- no -->yes<!DOCTYPE x><?pi?>":      "yes",
		"<script>if (a<b) {}</script >x":        "x",
		"<STYLE>p{}</style>x<script>":           "x",
		"cut <b":                                "cut",
		"<":                                     "<",
		"a\u00a0b":                              "a b",
		"<![CDATA[x]]>":                         "",
		strings.Repeat("<b>", 1000):             "",
		"<i" + strings.Repeat(" x=\"1\"", 1000): "",
	} {
		var got string
		if err := json.Unmarshal([]byte(result(t, "plain", text)), &got); err != nil || got != want {
			t.Errorf("%.40q: %q, %v, want %q", text, got, err, want)
		}
	}
	if got := results(t, `plain`, `null`); got != "null" {
		t.Error(got)
	}
	if got := results(t, `plain`, `{"a":1}`); got != `error: plain needs a text, not object {"a":1}` {
		t.Error(got)
	}
}

func TestLang(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ program, row, want string }{
		{`lang("fr"; "en")`, `{"fr": "Fête", "en": "Feast"}`, `"Fête"`},
		{`lang("fr"; "en")`, `{"fr": " ", "EN": "Feast"}`, `"Feast"`},
		{`lang("en")`, `{"en-GB": "Colour", "en-US": "Color"}`, `"Colour"`},
		{`lang("en")`, `{"fr": "Fête"}`, `error: lang finds none of the languages in object {"fr":"Fête"}`},
		{`lang("en")? // "?"`, `{"fr": "Fête"}`, `"?"`},
		{`lang("ca"; "es")`, `[{"@language": "es", "@value": "Fiesta"}, {"@language": "ca", "@value": "Festa"}]`, `"Festa"`},
		{`lang("es")`, `{"@language": "ca", "@value": "Festa"}`, `"Festa"`},
		{`lang("es")`, `{"es": ["Fiesta", "Feria"]}`, `"Fiesta"`},
		{`lang("es")`, `"Fiesta"`, `"Fiesta"`},
		{`lang("es")`, `null`, `null`},
		{`lang("es")`, `5`, `error: lang needs texts by language, not number 5`},
		{`lang(5)`, `{}`, `error: lang needs a text, not number 5`},
		{`lang`, `{}`, `compile: line 1, column 1: lang takes 1 to 8 arguments, not 0`},
	} {
		if got := results(t, test.program, test.row); got != test.want {
			t.Errorf("%s of %s: %s, want %s", test.program, test.row, got, test.want)
		}
	}
}

func TestDays(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]string{
		`days("2018-03-16"; "2018-03-18"; null; [])`:                                          `"2018-03-16" "2018-03-17" "2018-03-18"`,
		`days("2018-03-16"; null; ""; null)`:                                                  `"2018-03-16"`,
		`days("2018-03-12"; "2018-03-18"; "M,J"; [])`:                                         `"2018-03-13" "2018-03-15"`,
		`days("2018-03-12"; "2018-03-18"; "L,M,X,J,V,S,D"; ["2018-03-13"]) | .[8:]`:           `"12" "14" "15" "16" "17" "18"`,
		`days("2018-03-12"; "2018-03-18"; "TU,TH"; "2018-03-15")`:                             `"2018-03-13"`,
		`days("2018-03-12"; "2018-03-18"; ["https://schema.org/Sunday", "saturday"]; [])`:     `"2018-03-17" "2018-03-18"`,
		`days("2018-03-12 00:00:00.0"; "2018-03-12T23:59:00"; []; ["2018-03-13 00:00:00.0"])`: `"2018-03-12"`,
		`days("2018-03-12"; "2018-03-11"; null; null)`:                                        `error: days: 2018-03-11 is before 2018-03-12`,
		`days("2018-03-12"; "2018-03-13"; "SU"; null)`:                                        `error: days: no day is left`,
		`days("2018-03-12"; "2018-03-13"; "lundi"; null)`:                                     `error: days: "lundi" is not a day of the week; docs/mapping.md lists those it knows`,
		`days("2018-02-30"; null; null; null)`:                                                `error: days: "2018-02-30" is not a date like 2026-01-31`,
		`days("2018-02-28x"; null; null; null)`:                                               `error: days: "2018-02-28x" is not a date like 2026-01-31`,
		`days(5; null; null; null)`:                                                           `error: days needs a text, not number 5`,
		`days("2018-02-28"; null; 5; null)`:                                                   `error: days needs a list of texts, not number 5`,
		`days("2018-02-28"; null; [5]; null)`:                                                 `error: days needs a text, not number 5`,
		`days("0001-01-01"; "9999-12-31"; null; null)`:                                        `error: days: more than 1000 days from 0001-01-01 to 9999-12-31`,
	} {
		got := strings.ReplaceAll(results(t, program, `null`), "|", "")
		if got != want {
			t.Errorf("%s: %s, want %s", program, got, want)
		}
	}
}
