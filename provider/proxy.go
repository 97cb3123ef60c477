package provider

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// CheckProxies returns an error if the environment names a proxy that cannot be used. Package
// net/http would then go around the proxy, or refuse each request. The error does not repeat
// the value, which may contain a password.
func CheckProxies() error {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if !isProxy(value) {
			return fmt.Errorf("%s is not the address of a proxy such as http://proxy.example.com:3128", name)
		}
		if strings.EqualFold(name, "HTTP_PROXY") && os.Getenv("REQUEST_METHOD") != "" {
			return errors.New("REQUEST_METHOD is set, as for a CGI program, where a client can set HTTP_PROXY: unset one of them")
		}
	}
	return nil
}

// isProxy reports whether net/http can use the value. Without a scheme it means http.
func isProxy(value string) bool {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	return err == nil && u.Hostname() != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}
