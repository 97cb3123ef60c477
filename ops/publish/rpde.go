package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"fever/event"
	"fever/httpapi/server"
	"fever/ops/control"
	"fever/store"
)

// Bounds of a page. The specification recommends 500 items or more.
const (
	pageItems = 500
	pageBytes = 4 << 20 // and the item that reaches it
	readItems = 16      // read at once: an event may have thousands of zones
)

// future is a revision that no store reaches. A position so far on is not one that was given
// out: clients ask what comes after a time in the future, in seconds or more, to see the last page.
const future = 1 << 30

// An item is a row of the feed.
type item struct {
	State    string         `json:"state"`
	Kind     string         `json:"kind"`
	ID       string         `json:"id"`
	Modified store.Revision `json:"modified"`
	Data     *node          `json:"data,omitempty"` // nil: it is deleted
}

// rpde sends a page of the feed of changes of Realtime Paged Data Exchange 1.0, by OpenActive.
// An event that is no longer current is a deleted item. The specification's first strategy
// orders them: by what it calls modified, here the revision, and then by id.
func (p *Publisher) rpde(w http.ResponseWriter, r *http.Request) {
	page, err := p.page(r)
	if err != nil {
		server.WriteError(w, r, p.Log, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	digest := sha256.Sum256(page)
	if unchanged(w, r, `"`+hex.EncodeToString(digest[:16])+`"`) {
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	_, _ = bytes.NewReader(page).WriteTo(w) // it fails only when the client has gone
}

func (p *Publisher) page(r *http.Request) ([]byte, error) {
	q, err := control.ParseQuery(r)
	if err != nil {
		return nil, err
	}
	provider := q.Name("provider")
	after := store.Revision(q.Number("afterTimestamp", 0, 0, control.MaxID))
	var key []byte
	if id, given := q.Text("afterId"); given {
		var ok bool
		if key, ok = keyOf(id); !ok {
			q.Fail("afterId is %.80q, which is no id of this feed: follow next as it is", id)
		}
	}
	if q.Err != nil {
		return nil, q.Err
	}
	b := []byte(`{"items":[`)
	for n := 0; n < pageItems && len(b) < pageBytes && after < future; {
		items, _, err := p.Store.Published(r.Context(), provider, after, key, min(readItems, pageItems-n))
		if errors.Is(err, store.ErrRewritten) {
			return nil, &server.Error{
				Status: http.StatusGone, Code: "gone",
				Message: "what has changed since cannot be told event by event: start over at " + link(r, provider, 0, nil),
			}
		}
		if err != nil {
			return nil, err
		}
		for i := range items {
			if n > 0 {
				b = append(b, ',')
			}
			n++
			if b, err = appendItem(append(b, '\n'), &items[i]); err != nil {
				return nil, err
			}
			after, key = items[i].Revision, items[i].Bytes()
			if len(b) >= pageBytes {
				break
			}
		}
		if len(items) < readItems {
			break
		}
	}
	b, err = appendJSON(append(b, "\n],\"next\":"...), link(r, provider, after, key))
	return append(b, "}\n"...), err
}

func appendItem(b []byte, p *store.PublishedItem) ([]byte, error) {
	row := item{State: "deleted", Kind: "Event", ID: itemID(p.Bytes()), Modified: p.Revision}
	if p.Current {
		n, err := nodeOf(&p.Record, p.Location)
		if err != nil {
			return b, err
		}
		n.Context = schemaOrg
		row.State, row.Data = "updated", n
	}
	return appendJSON(b, &row)
}

// link returns the address of the page after a position. The specification wants it whole, so it
// is what the client has asked, and the proxy before it has passed on.
func link(r *http.Request, provider string, after store.Revision, key []byte) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path}
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		u.Scheme = "https"
	}
	var query []string
	if provider != "" {
		query = append(query, "provider="+provider)
	}
	if after != 0 {
		query = append(query, fmt.Sprintf("afterTimestamp=%d", after))
	}
	if len(key) > 0 {
		query = append(query, "afterId="+url.QueryEscape(itemID(key)))
	}
	u.RawQuery = strings.Join(query, "&")
	return u.String()
}

// itemID returns the id of the item of an event: its key in printable ASCII, with "!" between the
// provider, the base id and the event id. Ids have the order of keys, in bytes and in UTF-16
// alike, since those of a page with the same revision must be in order: a byte that sorts before
// all that stay as they are becomes "$" and a digit, one that sorts after them "~" and two.
func itemID(key []byte) string {
	b := make([]byte, 0, len(key)+8)
	for _, c := range key {
		switch {
		case c == 0:
			b = append(b, '!')
		case c < '%':
			b = append(b, '$', '0'+c-' ') // keys have no control characters
		case c >= '~':
			b = hex.AppendEncode(append(b, '~'), []byte{c})
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// keyOf is the inverse of itemID. It reports whether there can be such an item.
func keyOf(id string) (key []byte, ok bool) {
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case c == '!':
			key = append(key, 0)
		case c == '$' && i+1 < len(id):
			i++
			key = append(key, id[i]-'0'+' ')
		case c == '~' && i+2 < len(id):
			var err error
			if key, err = hex.AppendDecode(key, []byte(id[i+1:i+3])); err != nil {
				return nil, false
			}
			i += 2
		default:
			key = append(key, c)
		}
	}
	_, err := event.ParseKey(key)
	return key, err == nil && itemID(key) == id
}
