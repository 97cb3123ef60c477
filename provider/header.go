package provider

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// The name and the value of a header, RFC 9110 sections 5.6.2 and 5.5.
var (
	token      = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")
	fieldValue = regexp.MustCompile(`^[^\x00-\x08\x0a-\x1f\x7f]*$`)
)

// reserved are the headers that cannot be configured, beside those that begin with "If-".
// They belong to a connection (RFC 9110 section 7.6.1), are set by the client, or would
// change what kind of response it gets.
var reserved = map[string]bool{
	"Accept-Encoding":     true,
	"Connection":          true,
	"Content-Length":      true,
	"Expect":              true,
	"Host":                true,
	"Keep-Alive":          true,
	"Proxy-Authenticate":  true,
	"Proxy-Authorization": true,
	"Proxy-Connection":    true,
	"Range":               true,
	"Te":                  true,
	"Trailer":             true,
	"Transfer-Encoding":   true,
	"Upgrade":             true,
}

// ownHeader returns a copy of a configured header with canonical names. Its error does not
// repeat values, which may be secrets.
func ownHeader(configured http.Header, u *url.URL) (http.Header, error) {
	own := make(http.Header, len(configured))
	for name, values := range configured {
		if !token.MatchString(name) {
			return nil, fmt.Errorf("%.40q cannot be the name of a header", name)
		}
		canonical := http.CanonicalHeaderKey(name)
		if reserved[canonical] || strings.HasPrefix(canonical, "If-") {
			return nil, fmt.Errorf("the header %.40s cannot be configured: fetching decides on it", canonical)
		}
		if canonical == "Authorization" && u.User != nil {
			return nil, fmt.Errorf("the header Authorization is configured, and the URL holds credentials: only one of them can be sent")
		}
		if own[canonical] != nil {
			return nil, fmt.Errorf("the header %.40s is configured twice, in different cases", canonical)
		}
		for _, value := range values {
			if !fieldValue.MatchString(value) {
				return nil, fmt.Errorf("the value of the header %.40s holds a control character", canonical)
			}
			own.Add(canonical, value)
		}
	}
	return own, nil
}
