package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"testing"
)

// A rpdePage is a page as a client reads it.
type rpdePage struct {
	Next  string
	Items []struct {
		State    string
		ID       any
		Modified any
		Data     json.RawMessage
	}
}

// follow gets the page at a target of sim.
func follow(t *testing.T, sim *Server, target string) (status int, page rpdePage) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sim.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode == http.StatusOK {
		err = json.Unmarshal(body, &page)
	}
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return res.StatusCode, page
}

// TestChanges reads a feed of changes to its end, and what comes after that.
func TestChanges(t *testing.T) {
	t.Parallel()
	c := NewChanges("/feed", 2)
	sim := New(t, Feeds(c))
	for _, id := range []string{"1", "b", "3"} {
		c.Put(id, `{"name":"`+id+`"}`)
	}
	_, first := follow(t, sim, "/feed")
	if len(first.Items) != 2 || first.Items[0].ID != float64(1) || first.Items[1].ID != "b" {
		t.Fatalf("%+v", first)
	}
	for i, item := range first.Items { // a number, and a text
		if _, text := item.Modified.(string); text != (i == 0) {
			t.Errorf("item %d was modified at %#v", i, item.Modified)
		}
	}
	c.Delete("1")
	c.Put("b", `{"name":"B"}`)
	_, second := follow(t, sim, first.Next)
	if len(second.Items) != 2 || second.Items[1].ID != float64(1) || second.Items[1].State != "deleted" || second.Items[1].Data != nil {
		t.Fatalf("%+v", second)
	}
	_, third := follow(t, sim, second.Next)
	_, last := follow(t, sim, third.Next)
	if len(third.Items) != 1 || string(third.Items[0].Data) != `{"name":"B"}` || len(last.Items) != 0 || last.Next != third.Next {
		t.Fatalf("%+v, then %+v", third, last)
	}
	if want := map[string]string{"3": `{"name":"3"}`, "b": `{"name":"B"}`}; !reflect.DeepEqual(c.Live(), want) {
		t.Errorf("%v", c.Live())
	}
	if want := map[string]int{"/feed": 1, first.Next: 1, second.Next: 1, third.Next: 1}; !reflect.DeepEqual(c.Asked(), want) {
		t.Errorf("%v, not %v", c.Asked(), want)
	}

	c.Purge()
	if _, page := follow(t, sim, first.Next); len(page.Items) != 2 || page.Items[1].ID != "b" {
		t.Errorf("%+v", page)
	}
	c.Refuse(http.StatusGone)
	if status, _ := follow(t, sim, last.Next); status != http.StatusGone {
		t.Errorf("a cursor that is refused: %d", status)
	}
	if status, page := follow(t, sim, "/feed"); status != http.StatusOK || page.Next == first.Next {
		t.Errorf("%d, %+v", status, page)
	}
	if status, _ := follow(t, sim, "/other"); status != http.StatusNotFound {
		t.Errorf("another path: %d", status)
	}
	sim.Play(Bent(func(page map[string]any) { delete(page, "next") }, c))
	if _, page := follow(t, sim, "/feed"); page.Next != "" || len(page.Items) != 2 {
		t.Errorf("%+v", page)
	}
}
