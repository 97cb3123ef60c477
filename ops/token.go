package ops

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"fever/httpapi/server"
)

var (
	errUnauthorized = &server.Error{
		Status:  http.StatusUnauthorized,
		Code:    "unauthorized",
		Message: "this takes the token of --ops-token, as Authorization: Bearer TOKEN, or as the password of any user",
	}
	errMisdirected = &server.Error{
		Status:  http.StatusMisdirectedRequest,
		Code:    "misdirected",
		Message: "without --ops-token this answers to localhost and loopback addresses alone, not to another name of the machine",
	}
)

// admit returns a handler that is h for requests that are allowed.
//
// Without a token these are all requests from this machine for a loopback address. A
// browser on this machine also sends requests on behalf of pages, whose owner may have
// pointed a name of their own to this address. So requests for other names are refused.
func (o *Ops) admit(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		health := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"
		switch {
		case o.Token == "" && !Loopback(r.Host):
			server.WriteError(w, r, o.Log, errMisdirected)
		case !health && !o.authorized(r):
			// A browser asks its user for a password when Basic is offered.
			w.Header()["Www-Authenticate"] = []string{`Bearer realm="fever"`, `Basic realm="fever", charset="UTF-8"`}
			server.WriteError(w, r, o.Log, errUnauthorized)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// authorized reports whether a request has the token. The time that this takes does not
// depend on the token, not even on its length.
func (o *Ops) authorized(r *http.Request) bool {
	if o.Token == "" {
		return true
	}
	_, given, basic := r.BasicAuth()
	if !basic {
		scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return false
		}
		given = strings.Trim(rest, " ")
	}
	want, got := sha256.Sum256([]byte(o.Token)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// Loopback reports whether an address ("host:port" or a host alone) can be reached from this
// machine only. The only name that it accepts is localhost: another name may lead elsewhere
// tomorrow.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return strings.EqualFold(host, "localhost")
	}
	return ip.Unmap().IsLoopback()
}
