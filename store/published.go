package store

import (
	"time"

	"fever/event"
)

// A PublishedItem is a stored event as a feed of changes tells it.
type PublishedItem struct {
	event.Record
	// Revision is the one that changed the event last. What the latest rewriting (see
	// [ErrRewritten]) found in the store has the revision of the rewriting.
	Revision Revision
	Location *time.Location // of the event's provider
}
