package feedtest

import (
	"encoding/json"
	"fmt"
	"strconv"

	"fever/event"
	"fever/provider/feed"
)

// Numbers is the format of the pages of package simulator: {"events":[1,2,3]}. A row is a
// number, and becomes the event of that id. Values without events may follow. A member rows
// has the addresses of rows with pages of their own, and a member anchors has other addresses.
var Numbers = feed.Format{Name: "numbers", Revision: "1", Accept: "application/json", Follows: true, Decode: func(doc *feed.Document, b *feed.Builder) error {
	start, err := event.ParseLocal("2030-01-01")
	if err != nil {
		return err
	}
	values := json.NewDecoder(doc.Body)
	for line := 1; line == 1 || values.More(); line++ {
		var page struct {
			Events        []int
			Rows, Anchors []string
		}
		if err := values.Decode(&page); err != nil {
			return feed.Errorf(feed.KindMalformed, "line %d: %w", line, err)
		}
		for _, n := range page.Events {
			id := strconv.Itoa(n)
			if err := b.Keep(event.Event{Key: event.Key{BaseID: id, EventID: id}, Title: "t", Start: start}, line); err != nil {
				return err
			}
		}
		if doc.Follow == nil {
			continue
		}
		for _, address := range page.Anchors {
			if _, err := doc.Follow(address, false); err != nil {
				return err
			}
		}
		for _, address := range page.Rows {
			if followed, err := doc.Follow(address, true); !followed {
				b.Reject("", "", line, fmt.Sprint("not followed: ", err))
			}
		}
	}
	return nil
}}
