package feedtest

import (
	"encoding/json"
	"strconv"

	"fever/event"
	"fever/provider/feed"
)

// Numbers is the format of the pages of package simulator: {"events":[1,2,3]}. A row is a
// number, and becomes the event of that id. Values without events may follow.
var Numbers = feed.Format{Name: "numbers", Revision: "1", Accept: "application/json", Decode: func(doc *feed.Document, b *feed.Builder) error {
	start, err := event.ParseLocal("2030-01-01")
	if err != nil {
		return err
	}
	values := json.NewDecoder(doc.Body)
	for line := 1; line == 1 || values.More(); line++ {
		var page struct{ Events []int }
		if err := values.Decode(&page); err != nil {
			return feed.Errorf(feed.KindMalformed, "line %d: %w", line, err)
		}
		for _, n := range page.Events {
			id := strconv.Itoa(n)
			if err := b.Keep(event.Event{Key: event.Key{BaseID: id, EventID: id}, Title: "t", Start: start}, line); err != nil {
				return err
			}
		}
	}
	return nil
}}
