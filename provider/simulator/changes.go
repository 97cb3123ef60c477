package simulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
)

// A Changes plays a feed of changes in pages (Realtime Paged Data Exchange of OpenActive): items
// in the order in which they changed last, deleted ones among them, and the address of the next
// page on each. Its methods may be called at the same time.
type Changes struct {
	path string // of the first page, and of all others before their query
	size int    // most items of a page

	mu      sync.Mutex
	items   []change // in order
	last    uint64   // the newest of their numbers
	epoch   int      // of the cursors that count
	refusal int      // status of the answer to other cursors
	asked   map[string]int
}

// A change is the latest one of an item.
type change struct {
	id       string
	modified uint64
	data     json.RawMessage // nil: deleted
}

// unsafeInteger is the first integer that a float64 cannot hold: so are the numbers of changes.
const unsafeInteger = 1<<53 + 1

// NewChanges returns a feed without items, whose first page is at a path.
func NewChanges(path string, size int) *Changes {
	return &Changes{path: path, size: size, last: unsafeInteger, asked: map[string]int{}}
}

// Put makes an item, or changes it. Data is its JSON.
func (c *Changes) Put(id, data string) { c.change(id, json.RawMessage(data)) }

// Delete deletes an item. Its deletion is listed until Purge.
func (c *Changes) Delete(id string) { c.change(id, nil) }

func (c *Changes) change(id string, data json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items = slices.DeleteFunc(c.items, func(old change) bool { return old.id == id })
	c.last++
	c.items = append(c.items, change{id, c.last, data})
}

// Purge no longer lists what is deleted, as publishers may after seven days.
func (c *Changes) Purge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items = slices.DeleteFunc(c.items, func(item change) bool { return item.data == nil })
}

// Refuse answers with a status where the pages so far say that the feed goes on.
func (c *Changes) Refuse(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.refusal = status
}

// Live returns the data of the items that are not deleted, by their ids.
func (c *Changes) Live() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	live := make(map[string]string)
	for _, item := range c.items {
		if item.data != nil {
			live[item.id] = string(item.data)
		}
	}
	return live
}

// Asked returns how often each path with its query was asked for.
func (c *Changes) Asked() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.asked)
}

// Answer returns the status and the body for a request.
func (c *Changes) Answer(target *url.URL) (status int, page []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[target.RequestURI()]++
	query := target.Query()
	after, _ := strconv.ParseUint(query.Get("afterTimestamp"), 10, 64) // 0 for the first page
	if target.RawQuery != "" && query.Get("epoch") != strconv.Itoa(c.epoch) {
		return c.refusal, []byte(`{"message":"the cursor is not known"}`)
	}
	from, _ := slices.BinarySearchFunc(c.items, after+1, func(item change, n uint64) int { return cmp.Compare(item.modified, n) })
	listed := c.items[from:min(from+c.size, len(c.items))]
	items := make([]map[string]any, 0, len(listed))
	next := target.RequestURI()
	for _, item := range listed {
		next = fmt.Sprintf("%s?afterTimestamp=%d&afterId=%s&epoch=%d", c.path, item.modified, url.QueryEscape(item.id), c.epoch)
		items = append(items, item.fields())
	}
	page, err := json.Marshal(map[string]any{"next": next, "items": items, "license": "https://creativecommons.org/licenses/by/4.0/"})
	if err != nil {
		return http.StatusInternalServerError, []byte(err.Error())
	}
	return http.StatusOK, page
}

// fields returns an item as it is listed. Ids and the numbers of changes are texts or numbers.
func (item *change) fields() map[string]any {
	fields := map[string]any{"state": "updated", "kind": "Event", "id": item.id, "modified": item.modified, "data": item.data}
	if item.data == nil {
		delete(fields, "data")
		fields["state"] = "deleted"
	}
	if n, err := strconv.Atoi(item.id); err == nil {
		fields["id"] = n
	}
	if item.modified%2 == 0 {
		fields["modified"] = strconv.FormatUint(item.modified, 10)
	}
	return fields
}

// Feeds answers each request from the feed that has its path, or else with 404.
func Feeds(feeds ...*Changes) Step { return Bent(func(map[string]any) {}, feeds...) }

// Bent is [Feeds] with pages that are changed before they are sent: a lie.
func Bent(bend func(page map[string]any), feeds ...*Changes) Step {
	return Step{play: func(x *exchange) error {
		i := slices.IndexFunc(feeds, func(c *Changes) bool { return c.path == x.request.URL.Path })
		if i < 0 {
			return Status(http.StatusNotFound).play(x)
		}
		status, doc := feeds[i].Answer(x.request.URL)
		if status != http.StatusOK {
			return Status(status).play(x)
		}
		var page map[string]any
		decoder := json.NewDecoder(bytes.NewReader(doc))
		decoder.UseNumber()
		if err := decoder.Decode(&page); err != nil {
			return err
		}
		bend(page)
		doc, err := json.Marshal(page)
		if err != nil {
			return err
		}
		return x.send(int64(len(doc)), doc, []string{"Content-Type: application/vnd.openactive.rpde+json; version=1"})
	}}
}
