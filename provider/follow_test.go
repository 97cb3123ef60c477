package provider

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fever/internal/feedtest"
)

// A listing on the public internet leads nowhere inside, neither by a link nor by a redirect.
func TestFollowInside(t *testing.T) {
	t.Parallel()
	inside := serveAt(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) { t.Error("the server inside was asked") })
	for name, test := range map[string]struct{ row, says string }{
		"a link":     {"http://" + inside + "/?token=secret", "it is at 127.0.0.1, which is not public"},
		"a redirect": {"/away", ": a redirect to 127.0.0.1, which is not public"},
	} {
		listing := serveAt(t, outsideAddress, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/away" {
				http.Redirect(w, r, "http://"+inside+"/?token=secret", http.StatusFound)
				return
			}
			write(t, w, []byte(fmt.Sprintf(`{"rows":[%q]}`, test.row)))
		})
		p, err := New(Config{
			Name: "test", URL: "http://" + listing, Format: feedtest.Numbers, Timeout: plenty, MaxBytes: maxBytes,
			Pages: &Pages{Follow: FollowLink, Hosts: []string{"127.0.0.1"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		p.isPublic = isOutside
		if n, err := p.walk(t.Context(), t); err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %d pages, %v", name, n, err)
		}
	}
}
