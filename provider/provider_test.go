package provider

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"fever/provider/feed"
	"fever/provider/feed/feverup"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(*Config) {
		return func(c *Config) { c.Header = http.Header{name: {value}} }
	}
	tests := map[string]struct {
		change func(*Config)
		text   string
	}{
		"name":                {func(c *Config) { c.Name = "No Name" }, "provider name"},
		"no URL":              {func(c *Config) { c.URL = "" }, "URL"},
		"file":                {func(c *Config) { c.URL = "file:///secret" }, "http or https"},
		"no host":             {func(c *Config) { c.URL = "http://:80/secret" }, "http or https"},
		"bad URL":             {func(c *Config) { c.URL = "http://user:sec/ret@secret" }, "http or https"},
		"fragment":            {func(c *Config) { c.URL = "http://user:1#secret@a/" }, "write the # itself as %23"},
		"no time":             {func(c *Config) { c.Timeout = 0 }, "timeout of 0s"},
		"less time":           {func(c *Config) { c.Timeout = -time.Second }, "timeout of -1s"},
		"no bytes":            {func(c *Config) { c.MaxBytes = 0 }, "size limit of 0"},
		"format":              {func(c *Config) { c.Format = feed.Format{} }, "it has no format"},
		"host":                {header("host", "secret"), "the header Host cannot be configured"},
		"length":              {header("Content-Length", "secret"), "Content-Length"},
		"encoding":            {header("accept-encoding", "secret"), "Accept-Encoding"},
		"condition":           {header("if-none-match", "secret"), "If-None-Match"},
		"hop by hop":          {header("TE", "secret"), "the header Te cannot"},
		"range":               {header("Range", "secret"), "Range"},
		"header without name": {header("", "secret"), `"" cannot be the name of a header`},
		"header with a space": {header("X Key", "secret"), `"X Key" cannot be the name of a header`},
		"header with a colon": {header("X-Key:", "secret"), "cannot be the name"},
		"header on two lines": {header("X-Key", "secret\r\nHost: secret"), "the value of the header X-Key holds a control character"},
		"header twice":        {func(c *Config) { c.Header = http.Header{"X-Key": {"secret"}, "x-key": {"secret"}} }, "X-Key is configured twice"},
		"credentials twice":   {func(c *Config) { c.URL = "http://user:secret@a"; c.Header = http.Header{"authorization": {"secret"}} }, "the URL holds credentials"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Config{Format: feverup.New(0), Name: "a", URL: "http://a", Timeout: plenty, MaxBytes: 1}
			test.change(&c)
			p, err := New(c)
			if p != nil || err == nil || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, %v", p, err)
			}
		})
	}
}

// What is configured is copied: what happens to it later changes no request.
func TestNewCopiesHeader(t *testing.T) {
	t.Parallel()
	values := []string{"1"}
	p, err := New(Config{Format: feverup.New(0), Name: "a", URL: "http://a", Header: http.Header{"x-key": values}, Timeout: plenty, MaxBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	values[0] = "2"
	if got := p.Header.Get("X-Key"); got != "1" {
		t.Errorf("key %q", got)
	}
}
