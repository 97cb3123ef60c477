package feed

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/url"
	"time"

	"fever/event"
)

// MaxPages is the most pages that a feed may have.
const MaxPages = 1000

// A Page is where one document of a feed is, and what is known from the pages before it. Who
// gets the documents makes it; to all others it is opaque but for its number.
type Page struct {
	Number int      // from 1, also of a feed in one document
	URL    *url.URL // as it is asked for; it may contain credentials

	Rows   int       // of the pages before
	Total  int       // rows that the feed says it has on all its pages; 0 if it does not
	Bytes  int64     // of the pages before, received or decompressed, whichever is more
	Began  time.Time // when the first page was asked for
	Public bool      // the first page came from a public address, so this one must, too

	// Link is how a page of the listing names this one, which is that of a row: its address as it
	// is written, without the query. It is empty for a page of the listing, or of a feed without
	// one.
	Link  string
	Links []Link // the pages of rows that come after the last page of the listing
}

// A Link leads from a page of a listing to the page of one of its rows.
type Link struct {
	Text string   // see Page.Link
	URL  *url.URL // see Page.URL
}

// Pages joins the pages of a feed to one feed. It holds what is kept of them, and no page. The
// zero value has no page.
type Pages struct {
	all     *Builder
	number  int              // of the last page
	urls    map[[32]byte]int // digests of the pages' URLs, which may hold credentials -> their numbers
	digests map[[32]byte]int // digests of the pages -> their numbers
	digest  [32]byte         // of all pages
	unknown bool             // a page has no digest
}

// Add joins the next page. Of several rows with the same ids, and of several items with the same
// id, the last counts. On two pages they are one row, since rows move from page to page while
// somebody reads. The error is one of [Errorf]: the pages repeat themselves, or are too large
// together.
func (p *Pages) Add(page *Feed) error {
	if p.all == nil {
		p.all = newBuilder("", nil, new(Progress), nil)
		p.urls, p.digests = make(map[[32]byte]int), make(map[[32]byte]int)
	}
	p.number++
	if own := page.Page.URL; own != nil {
		p.urls[sha256.Sum256([]byte(own.String()))] = p.number
	}
	if next := page.Next; next != nil && next.URL != nil && next.Link == "" && !page.UpToDate {
		if before := p.urls[sha256.Sum256([]byte(next.URL.String()))]; before > 0 {
			return Errorf(KindDecode, "page %d says that page %d comes next: the pages go round", p.number, before)
		}
	}
	digest := page.Validators.Digest
	known := digest != [32]byte{}
	if before := p.digests[digest]; known && page.Rows > 0 && before > 0 && !page.UpToDate {
		return Errorf(KindDecode, "page %d has the same bytes as page %d: the provider may ignore what asks for a page", p.number, before)
	}
	if known {
		p.digests[digest] = p.number
		p.digest = sha256.Sum256(append(p.digest[:], digest[:]...))
	}
	p.unknown = p.unknown || !known && page.Bytes > 0
	return p.all.join(page, p.number)
}

// Feed returns the feed, after the last page. Its validators, bytes and status are zero.
func (p *Pages) Feed() *Feed { return p.all.whole() }

// Digest recognises that the next pages are all the same. It is zero if that is unknown.
func (p *Pages) Digest() [32]byte {
	if p.unknown {
		return [32]byte{}
	}
	return p.digest
}

// join adds the rows of a page.
func (b *Builder) join(page *Feed, number int) error {
	past := make(map[event.Key]bool)
	of := make(map[event.Key]*event.Event) // those of items
	for _, rows := range []struct {
		events []event.Event
		past   bool
	}{{page.Events, false}, {page.Past, true}} {
		for i := range rows.events {
			e := &rows.events[i]
			if len(page.Items) > 0 {
				of[e.Key], past[e.Key] = e, rows.past
			} else if err := b.joinEvent(e, rows.past); err != nil {
				return err
			}
		}
	}
	for _, same := range page.Unchanged {
		_, again, err := b.putUnchanged(same, 0)
		if err != nil {
			return err
		}
		if again {
			b.feed.Seen--
		}
	}
	for _, item := range page.Items {
		if err := b.Item(Item{ID: item.ID, Deleted: item.Deleted, Rejected: item.Rejected}); err != nil {
			return err
		}
		for _, key := range item.Keys {
			if err := b.joinEvent(of[key], past[key]); err != nil {
				return err
			}
		}
	}
	b.endItem()
	b.feed.Seen += page.Seen
	b.feed.Rows += page.Rows
	b.feed.Ignored += page.Ignored
	b.feed.Rejected += page.Rejected
	for _, r := range page.Rejections {
		r.Reason = fmt.Sprintf("page %d: %s", number, r.Reason)
		switch {
		case page.Seen == 0:
			b.unknown = cmp.Or(b.unknown, &r)
		case len(b.feed.Rejections) < MaxRejections:
			b.feed.Rejections = append(b.feed.Rejections, r)
		}
	}
	return nil
}

// joinEvent adds an event of a page. On two pages it is seen once.
func (b *Builder) joinEvent(e *event.Event, past bool) error {
	b.zones += len(e.Zones)
	_, again, err := b.put(*e, 0, past)
	if again {
		b.feed.Seen--
	}
	return err
}
