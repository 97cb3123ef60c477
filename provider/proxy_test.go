package provider

import (
	"strings"
	"testing"
)

func TestCheckProxies(t *testing.T) {
	for value, want := range map[string]bool{
		"":                                    true,
		"proxy.example.com":                   true,
		"proxy.example.com:3128":              true,
		"10.0.0.1:3128":                       true,
		"[::1]:3128":                          true,
		"http://proxy.example.com:3128":       true,
		"http://me:s3cret@proxy.example.com/": true,
		"https://proxy.example.com":           true,
		"socks5://proxy.example.com:1080":     true,
		"socks5h://proxy.example.com:1080":    true,
		"::s3cret":                            false,
		"10.0.0.1:312B":                       false, // net/http goes without it
		"http://":                             false,
		"http://:3128":                        false,
		"http://me:s3cret@":                   false,
		"http://me:s3cret@proxy:s3cret":       false,
		"http://me:s3#cret@proxy":             false,
		"socks4://proxy.example.com":          false,
		"ftp://proxy.example.com":             false,
		"s3cret proxy":                        false,
		"http://proxy/%s3cret\x7f":            false,
	} {
		for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
			for _, other := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
				t.Setenv(other, "")
			}
			t.Setenv(name, value)
			err := CheckProxies()
			if (err == nil) != want {
				t.Errorf("%s=%s: %v", name, value, err)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), name+" is not") || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
	t.Setenv("REQUEST_METHOD", "GET")
	t.Setenv("https_proxy", "")
	if err := CheckProxies(); err != nil {
		t.Error(err)
	}
	t.Setenv("HTTP_PROXY", "http://proxy.example.com")
	if err := CheckProxies(); err == nil || !strings.Contains(err.Error(), "REQUEST_METHOD") {
		t.Errorf("in a CGI program: %v", err)
	}
}
