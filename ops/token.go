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

// admit returns a handler that answers as h does to those who may ask.
//
// Without a token that is everybody on this machine. A browser on it asks for what any
// page tells it to, also under a name that the page's owner has pointed here: so the
// name counts.
func (o *Ops) admit(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		health := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"
		switch {
		case o.Token == "" && !Loopback(r.Host):
			server.WriteError(w, r, o.Log, errMisdirected)
		case !health && !o.authorized(r):
			// Basic is how a browser gets to ask its user.
			w.Header()["Www-Authenticate"] = []string{`Bearer realm="fever"`, `Basic realm="fever", charset="UTF-8"`}
			server.WriteError(w, r, o.Log, errUnauthorized)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// authorized reports whether a request may see everything. How long it takes says
// nothing about the token, not even its length.
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

// Loopback reports whether an address ("host:port" or a host alone) can be reached from
// this machine only. Of names it takes localhost alone: another can change its mind.
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
