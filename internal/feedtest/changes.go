package feedtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"fever/event"
	"fever/provider/feed"
)

// Changes is the format of the feeds of changes of package simulator. The data of an item is a
// [Change]: an item of the feed makes events, and one of a table is what others take their titles
// from.
var Changes = feed.Format{
	Name: "changes", Revision: "1", Accept: "application/json", Changes: true, Paged: true, Decode: decodeChanges,
	Again: func(rows [][]byte) io.Reader {
		return strings.NewReader(`{"next":"","items":[` + string(bytes.Join(rows, []byte(","))) + `]}`)
	},
}

// A Change is what a provider says of an item.
type Change struct {
	Title  string `json:"title,omitempty"`
	Parent string `json:"parent,omitempty"` // id of an item of a table
	Events int    `json:"events"`
	Bad    bool   `json:"bad,omitempty"` // it cannot be read
}

// String returns it as JSON.
func (c Change) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // it has nothing that could fail
	}
	return string(text)
}

// Titles returns the titles of the events that it makes, by their ids, given that of its parent.
func (c Change) Titles(id, parent string) map[string]string {
	titles := make(map[string]string)
	for n := range c.Events {
		titles[id+"-"+strconv.Itoa(n)] = parent + c.Title
	}
	return titles
}

func decodeChanges(doc *feed.Document, b *feed.Builder) error {
	var page struct {
		Next  *string
		Items []json.RawMessage
	}
	if err := json.NewDecoder(doc.Body).Decode(&page); err != nil {
		return feed.Errorf(feed.KindMalformed, "read a page: %w", err)
	}
	if page.Next == nil || page.Items == nil {
		return feed.Errorf(feed.KindMalformed, "a page without next or items")
	}
	next, err := url.Parse(*page.Next)
	if err != nil {
		return feed.Errorf(feed.KindMalformed, "next is no address")
	}
	b.Next(next)
	for i, row := range page.Items {
		if err := decodeChange(doc, b, row, i+1); err != nil {
			return err
		}
	}
	return nil
}

func decodeChange(doc *feed.Document, b *feed.Builder, row []byte, line int) error {
	var item struct {
		State string
		ID    any
		Data  Change
	}
	if err := json.Unmarshal(row, &item); err != nil {
		return feed.Errorf(feed.KindMalformed, "read an item: %w", err)
	}
	id, c := fmt.Sprint(item.ID), item.Data
	b.Row(line, nil)
	switch {
	case item.State == "deleted":
		return b.Delete(id, line)
	case doc.Table != "":
		return b.Item(feed.Item{ID: id, Row: row})
	case c.Parent == "":
		row = nil
	}
	if err := b.Item(feed.Item{ID: id, Parent: c.Parent, Row: row}); err != nil {
		return err
	}
	parent := ""
	if c.Parent != "" {
		found, err := doc.Parent(c.Parent)
		if err != nil {
			return err
		}
		if found == nil {
			b.Reject(id, "", line, "its parent is not there")
			return nil
		}
		var above struct{ Data Change }
		if err := json.Unmarshal(found, &above); err != nil {
			return err
		}
		parent = above.Data.Title
	}
	if c.Bad {
		b.Reject(id, "", line, "it is bad")
		return nil
	}
	start, err := event.ParseLocal("2030-01-01")
	if err != nil {
		return err
	}
	for eventID, title := range c.Titles(id, parent) {
		if err := b.Keep(event.Event{Key: event.Key{BaseID: id, EventID: eventID}, Title: title, Start: start}, line); err != nil {
			return err
		}
	}
	return nil
}
