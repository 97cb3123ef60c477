package httpapi

import (
	"net/http"
	"slices"
)

// anyOrigin allows the pages of all origins.
const anyOrigin = "*"

// Values of the header fields by which a browser learns what it may let a page do (Fetch, section
// 3.3). A page needs If-None-Match to ask whether its answer has changed, and Link to go on.
var (
	allowAny      = []string{anyOrigin}
	allowMethods  = []string{"GET, HEAD"}
	allowHeaders  = []string{"If-None-Match"}
	exposeHeaders = []string{"ETag, Link, Retry-After"}
	allowFor      = []string{"7200"} // seconds: Chromium takes no more
)

// allowOrigin adds to the header of an answer what allows a page to read it, when the page is of
// one of the origins. Errors get it as well: the page can then tell what was wrong.
func allowOrigin(header http.Header, r *http.Request, origins []string) {
	allowed := allowAny
	if origins[0] != anyOrigin {
		allowed = r.Header["Origin"]
		if len(allowed) != 1 || !slices.Contains(origins, allowed[0]) {
			return
		}
	}
	header["Access-Control-Allow-Origin"] = allowed
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		header["Access-Control-Allow-Methods"] = allowMethods
		header["Access-Control-Allow-Headers"] = allowHeaders
		header["Access-Control-Max-Age"] = allowFor
		return
	}
	header["Access-Control-Expose-Headers"] = exposeHeaders
}
