package simulator

import (
	"fmt"
	"net/http"
	"time"
)

// statusFaults answer with a status other than 200.
func statusFaults() []Fault {
	var faults []Fault
	add := func(name string, status int, retryAfter time.Duration, header ...string) {
		faults = append(faults, Fault{
			Name: name, Steps: []Step{Status(status, header...)}, Kind: "http_status", Status: status, RetryAfter: retryAfter,
			Says: fmt.Sprintf("answered %d", status),
		})
	}
	for _, status := range []int{101, 201, 204, 206, 300, 304, 305, 400, 401, 403, 404, 407, 410, 418, 429, 451, 500, 502, 503, 504, 599, 999} {
		add(fmt.Sprintf("status %d", status), status, 0)
	}
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for _, wait := range []struct {
			value string
			as    time.Duration
		}{
			{"120", 2 * time.Minute},
			{"0", 0},
			{"3601", time.Hour},
			{"99999999999", time.Hour},
			{"99999999999999999999999999", time.Hour},
			{"-5", 0},
			{"1.5", 0},
			{"soon", 0},
			{"", 0},
			{"Fri, 31 Dec 9999 23:59:59 GMT", time.Hour},
			{"Friday, 31-Dec-99 23:59:59 GMT", 0}, // of the last century
			{"Mon, 01 Jan 2001 00:00:00 GMT", 0},
		} {
			add(fmt.Sprintf("status %d, Retry-After %q", status, wait.value), status, wait.as, "Retry-After: "+wait.value)
		}
	}
	for _, to := range []string{
		"/", "", "file:///etc/passwd?token=secret", "ftp://127.0.0.1/?token=secret", "gopher://127.0.0.1/", "data:text/xml,<planList/>",
		"http:///", "http://[secret", "//", "javascript:alert(1)",
	} {
		add(fmt.Sprintf("redirects to %q", to), http.StatusFound, 0, "Location: "+to)
	}
	for _, status := range []int{http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		add(fmt.Sprintf("redirects by %d to itself", status), status, 0, "Location: /")
		add(fmt.Sprintf("redirects by %d to nowhere", status), status, 0)
	}
	return append(faults, Fault{
		Name: "redirects to a page", Steps: []Step{Redirect("/"), Status(404)}, Kind: "http_status", Status: 404, Says: "answered 404",
	})
}
