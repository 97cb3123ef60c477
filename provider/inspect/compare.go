package inspect

import (
	"reflect"

	"fever/event"
	"fever/provider/feed"
)

// Compare returns in what a feed differs from the same feed fetched a moment before: ids that
// change are new events each time, and values that change are written each time.
func Compare(first, second *feed.Feed) []string {
	type showing struct {
		title string
		start event.Local
	}
	before := make(map[event.Key]*event.Event)
	shows := make(map[showing]event.Key) // of the first that are not in the second
	for i := range first.Events {
		e := &first.Events[i]
		before[e.Key] = e
		shows[showing{e.Title, e.Start}] = e.Key
	}
	var l list
	var added, renamed, changed int
	var renaming [2]event.Key
	var example *event.Event
	field := ""
	for i := range second.Events {
		e := &second.Events[i]
		if was, ok := before[e.Key]; ok {
			delete(before, e.Key)
			if differs := difference(was, e); differs != "" {
				changed++
				example, field = e, differs
			}
			continue
		}
		added++
		if was, ok := shows[showing{e.Title, e.Start}]; ok {
			renamed++
			renaming = [2]event.Key{was, e.Key}
		}
	}
	l.add(renamed > 0, "%s another id when fetched twice, such as %s and then %s", agree(renamed, "event", "has", "have"), ids(renaming[0]), ids(renaming[1]))
	l.add(added > renamed || len(before) > renamed, "fetched twice, %s new, and %d gone", agree(added-renamed, "event", "is", "are"), len(before)-renamed)
	if changed > 0 {
		l.add(true, "%s other values when fetched twice, such as the %s of %s", agree(changed, "event", "has", "have"), field, ids(example.Key))
	}
	return l
}

// ids returns the two ids of a key for people.
func ids(k event.Key) string { return k.BaseID + "/" + k.EventID }

// difference returns the name of the first field in which two events differ; "" if they do not.
func difference(a, b *event.Event) string {
	x, y := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range x.NumField() {
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return x.Type().Field(i).Name
		}
	}
	return ""
}
