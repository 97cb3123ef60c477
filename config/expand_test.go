package config

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"fever/provider"
	"fever/provider/feed"
	"fever/provider/feed/feverup"
)

// odd are values that mean something in one part of a URL or another.
var odd = []string{
	"plain", "a#b", "a@b/", "x@other.example/", "a/b?c=d&e", "a?b", "a&b=c", "50%", "%2F", "a b", " ", "a+b", "a:b", "a\nb", "a\r\nHost: b", "a;b,c",
	"ñandú 火", "\xff\xfe", "..", ".", "[x]", "a\\b", "\"'<>`{|}^", "$1 ${1}", "envx0z", "://",
}

// TestExpandURLArrives has a server say what came of a value in each place of a URL.
// It is whole, or it is refused without being told.
func TestExpandURLArrives(t *testing.T) {
	var got *http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	const marker = "${env:FEVER_TEST_ODD}"
	basic := func(r *http.Request) []string {
		user, password, _ := r.BasicAuth()
		return []string{user, password}
	}
	places := map[string]struct {
		template string
		want     func(value string) []string
		arrived  func(*http.Request) []string
		refused  func(value string) bool
	}{
		"user": {
			"http://a" + marker + "z:secret@" + host + "/p", func(v string) []string { return []string{"a" + v + "z", "secret"} }, basic,
			func(v string) bool { return strings.ContainsFunc(v, unicode.IsControl) || strings.Contains(v, ":") },
		},
		"password": {
			"http://user:" + marker + "@" + host + "/p", func(v string) []string { return []string{"user", v} }, basic,
			func(v string) bool { return strings.ContainsFunc(v, unicode.IsControl) },
		},
		"segment": {
			"http://" + host + "/p%2Fq/" + marker + "/r", func(v string) []string { return []string{"", "p/q", v, "r"} },
			func(r *http.Request) []string {
				segments := strings.Split(r.URL.EscapedPath(), "/")
				for i, s := range segments {
					segments[i], _ = url.PathUnescape(s)
				}
				return segments
			},
			func(v string) bool { return v == "." || v == ".." },
		},
		"value": {
			"http://" + host + "/p?key=" + marker + "&b=c+d", func(v string) []string { return []string{"/p", "2", v, "c d"} },
			func(r *http.Request) []string {
				q := r.URL.Query()
				return []string{r.URL.Path, fmt.Sprint(len(q)), q.Get("key"), q.Get("b")}
			}, nil,
		},
		"key": {
			"http://" + host + "/p?" + marker + "=1", func(v string) []string { return []string{"1", "1"} },
			func(r *http.Request) []string {
				q := r.URL.Query()
				return []string{fmt.Sprint(len(q)), q.Get(os.Getenv("FEVER_TEST_ODD"))}
			}, nil,
		},
		"host": {
			"http://" + marker + "/p", func(string) []string { return nil }, nil,
			func(v string) bool { return v != "plain" && v != "envx0z" },
		},
	}
	for name, place := range places {
		for _, value := range odd {
			t.Setenv("FEVER_TEST_ODD", value)
			expanded, err := expandURL(place.template)
			if refused := place.refused != nil && place.refused(value); (err != nil) != refused {
				t.Errorf("%s %q: %q, %v", name, value, expanded, err)
				continue
			}
			if err != nil {
				if !strings.Contains(err.Error(), "FEVER_TEST_ODD") || len(value) > 2 && strings.Contains(err.Error(), value) {
					t.Errorf("%s %q: the message is %q", name, value, err)
				}
				continue
			}
			if place.arrived == nil {
				continue
			}
			p, err := provider.New(provider.Config{Format: feverup.New(0), Name: "p", URL: expanded, Timeout: 1 << 40, MaxBytes: 1})
			if err != nil {
				t.Errorf("%s %q: %v", name, value, err)
				continue
			}
			got = nil
			_, err = p.Get(t.Context(), feed.Validators{}, nil) // which fails
			if got == nil {
				t.Errorf("%s %q: nobody was asked: %v", name, value, err)
				continue
			}
			if arrived, want := place.arrived(got), place.want(value); !slices.Equal(arrived, want) {
				t.Errorf("%s: %q arrived, want %q", name, arrived, want)
			}
			if strings.Contains(err.Error(), value) && value != "." && value != " " && value != "://" {
				t.Errorf("%s %q: the message is %q", name, value, err)
			}
		}
	}
}

func TestExpandURL(t *testing.T) {
	t.Setenv("FEVER_TEST_URL", "https://user:s3cret@example.com/a?b#")
	t.Setenv("FEVER_TEST_NAME", "example.com")
	t.Setenv("FEVER_TEST_NUMBER", "8080")
	for _, test := range []struct{ text, want, refused string }{
		{"http://example.com/%zz?a b", "http://example.com/%zz?a b", ""}, // for others to judge
		{"${env:FEVER_TEST_URL}", "https://user:s3cret@example.com/a?b#", ""},
		{"http://${env:FEVER_TEST_NAME}:8080/", "http://example.com:8080/", ""},
		{"http://a.${env:FEVER_TEST_NAME}/${env:FEVER_TEST_NUMBER}${env:FEVER_TEST_NAME}", "http://a.example.com/8080example.com", ""},
		{"http://a/${env:FEVER_TEST_NUMBER}?${env:FEVER_TEST_NAME}=%20+${env:FEVER_TEST_URL}", "http://a/8080?example.com=%20+https%3A%2F%2Fuser%3As3cret%40example.com%2Fa%3Fb%23", ""},
		{"http://a/envx0z/ENVXX1Z/${env:FEVER_TEST_NUMBER}", "http://a/envx0z/ENVXX1Z/8080", ""},
		{"http://${env:FEVER_TEST_NUMBER}@a/", "http://8080@a/", ""},
		{"http://a:${env:FEVER_TEST_NUMBER}/", "", "FEVER_TEST_NUMBER cannot stand in the port"},
		{"${env:FEVER_TEST_NAME}://a/", "", "FEVER_TEST_NAME cannot stand in the scheme"},
		{"http:${env:FEVER_TEST_NAME}", "", "FEVER_TEST_NAME cannot stand in what has no host"},
		{"http://a/#${env:FEVER_TEST_NAME}", "", "FEVER_TEST_NAME cannot stand in what follows #"},
		{"http://${env:FEVER_TEST_URL}/", "", "FEVER_TEST_URL stands in the host, and is not a plain host name"},
		{"http://a/%2e${env:FEVER_TEST_NOT}", "", "FEVER_TEST_NOT is not set"},
		{"http://a/%zz${env:FEVER_TEST_NAME}", "", "it is not a URL"},
		{"http://a/${ENV:FEVER_TEST_NAME}", "", "${ begins something else"},
	} {
		got, err := expandURL(test.text)
		if got != test.want || (err != nil) != (test.refused != "") {
			t.Errorf("%s: %q, %v", test.text, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), test.refused) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}

// FuzzExpandURL puts a value into every part of a template: what it asks of whom stays
// as the template has it.
func FuzzExpandURL(f *testing.F) {
	for _, value := range odd {
		f.Add("http://u:p@example.com/a/?k=v", value)
		f.Add("https://${env:V}:${env:V}@h:1/${env:V}/x${env:V}?${env:V}=${env:V}&b", value)
		f.Add("http://a.${env:V}.b/%2e${env:V}", value)
	}
	const harmless = "h4rml3ss"
	f.Fuzz(func(t *testing.T, text, value string) {
		names := variable.FindAllStringSubmatch(text, -1)
		if value == "" || len(names) == 0 || variable.FindString(text) == text || strings.Contains(text, harmless) {
			return
		}
		expanded := func(value string) (*url.URL, error) {
			values := make([]reference, len(names))
			for i, match := range names {
				values[i] = reference{match[1], value}
			}
			text, err := newTemplate(text, values).url()
			if err != nil {
				return nil, err
			}
			u, err := url.Parse(text)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			return u, nil
		}
		with, err := expanded(value)
		if err != nil {
			if len(value) > 20 && strings.Contains(err.Error(), value) {
				t.Errorf("%q, %q: the message tells the value: %v", text, value, err)
			}
			return
		}
		without, err := expanded(harmless)
		if err != nil {
			t.Fatalf("%q is refused with a harmless value: %v", text, err)
		}
		if !without.IsAbs() {
			return // refused later, whatever is in it
		}
		if got, want := with.Host, strings.ReplaceAll(without.Host, harmless, value); got != want {
			t.Errorf("%q with %q asks %q, not %q", text, value, got, want)
		}
		if got, want := structure(with), structure(without); got != want {
			t.Errorf("%q with %q is %s, want %s", text, value, got, want)
		}
	})
}

// structure tells what a URL consists of beside its host.
func structure(u *url.URL) string {
	path := u.EscapedPath()
	clean := u.JoinPath().EscapedPath() // without dots
	return fmt.Sprintf("scheme %s, user %d, path %d %d, query %q, fragment %q", u.Scheme, strings.Count(u.User.String(), ":"),
		strings.Count(path, "/"), strings.Count(clean, "/"), strings.FieldsFunc(u.RawQuery, func(r rune) bool { return !strings.ContainsRune("&;=", r) }), u.Fragment)
}
