package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"fever/provider/feed"
	"fever/store"
)

// This file is the middle of a job of a feed of changes. A harvest of such a feed takes all of
// it, from its first page on, in as many jobs as it needs, and then follows it for good. Each page
// is committed together with the place where the feed goes on. So whatever ends a job, the next
// one goes on there.

// A Harvest says how far a feed of changes was taken.
type Harvest struct {
	// Generation is the number of the harvest, from 1: each start over makes the next one. It is
	// 0 before the first page, and of a provider whose feed is not one of changes.
	Generation uint64    `json:"generation"`
	Began      time.Time `json:"began"` // zero: a replay did not have its first pages
	Pages      int       `json:"pages"` // that had items, those of tables included
	// Complete says that it has come to the end of the feed, and follows it since then.
	Complete bool `json:"complete"`
}

// A harvest goes on for this part of the time and of the bytes that a job may take: the page
// under way needs the rest.
const harvestPart = 0.8

// maxAway is how long a feed of changes may be left alone. Publishers may drop deletions after
// seven days (Realtime Paged Data Exchange 1.0, section on deleted items).
const maxAway = 7 * 24 * time.Hour

// A cursor is what the store keeps of a harvest, in JSON.
type cursor struct {
	Source   string           `json:"source"` // of the provider, with its time zone: under another one the harvest starts over
	Began    time.Time        `json:"began"`  // when the harvest did
	Last     time.Time        `json:"last"`   // when the latest page came
	Complete bool             `json:"complete"`
	Had      bool             `json:"had"`    // a harvest was complete, this one or one before
	Places   map[string]place `json:"places"` // where each table goes on, by its name, and the feed by ""

	Pages    int `json:"pages"`    // with items
	Accepted int `json:"accepted"` // events of these, like the next two
	Ignored  int `json:"ignored"`
	Rejected int `json:"rejected"`
}

// A place is where a feed goes on: see [feed.Page].
type place struct {
	URL    string `json:"url"`
	Number int    `json:"number"`
	Public bool   `json:"public"`
}

// suspicion returns how suspect a harvest is: a page says nothing of the feed, all of them do.
func (c *cursor) suspicion() Suspicion {
	switch {
	case !c.Complete || c.Accepted > 0:
		return ""
	case c.Rejected > 0:
		return AllRejected
	case c.Ignored > 0:
		return AllIgnored
	}
	return ""
}

// A harvester is a job of a feed of changes.
type harvester struct {
	*Ingester
	*job

	cursor cursor

	asked map[[32]byte]bool // digests of the tables and URLs of the job's pages; these may hold credentials
	items int               // on these pages
	last  [32]byte          // a digest of the ids of the items of the last page, and of its table
	lost  bool              // the provider does not know the place at which it was asked to go on
}

// harvest takes pages of a feed of changes until it is up to date, or most of the time or the
// bytes of the job are used: then the record has More set. Each page is committed and published.
// An error leaves what was committed before, with its counts in the record.
func (g *Ingester) harvest(ctx context.Context, j *job) error {
	if j.imported {
		return &feed.Error{Provider: j.Name, Kind: feed.KindDecode, Op: "take a document", Err: errors.New(
			"the provider has a feed of changes, of which one document tells too little: fetch it, or look at the document with fever try")}
	}
	h, known, err := g.harvester(ctx, j)
	if err != nil {
		return err
	}
	over := h.overdue(known, j.record.Started)
	if over != "" {
		h.startOver(ctx, over)
	}
	err = h.take(ctx)
	if h.lost && over == "" {
		h.startOver(ctx, "the provider does not know its own cursor any more")
		err = h.take(ctx)
	}
	return err
}

// harvester makes a job one of a feed of changes, and reports whether the place where that goes on is
// known.
func (g *Ingester) harvester(ctx context.Context, j *job) (h *harvester, known bool, err error) {
	h = &harvester{Ingester: g, job: j, asked: make(map[[32]byte]bool)}
	stream, err := g.store.Stream(ctx, j.Name)
	if err != nil {
		return nil, false, storeError(ctx, j, err)
	}
	h.generation = stream.Generation
	return h, json.Unmarshal(stream.Cursor, &h.cursor) == nil, nil
}

// overdue returns why a harvest cannot go on, and has to begin from the first page; "" if it can.
func (h *harvester) overdue(known bool, now time.Time) string {
	c := &h.cursor
	switch {
	case h.generation == 0:
		return "there was none before"
	case h.force:
		return "it was asked for"
	case !known:
		return "the stored cursor cannot be read"
	case c.Source != h.sourceNow():
		return "the configuration has changed"
	case now.Sub(c.Last) > maxAway:
		return "the last page came more than 7 days ago, and deletions since then may be missed"
	case c.Complete && now.Sub(c.Began) >= h.Refresh:
		return "it is time to refresh it"
	}
	return ""
}

func (h *harvester) sourceNow() string { return h.Source + " " + h.Location.String() }

// startOver begins the next harvest. What the one before brought stays until this one is
// complete, and nothing is stored before the first page has come.
func (h *harvester) startOver(ctx context.Context, why string) {
	h.generation++
	h.cursor = cursor{Source: h.sourceNow(), Began: h.now(), Had: h.cursor.Had, Places: make(map[string]place)}
	clear(h.asked)
	h.last = [32]byte{}
	h.log.InfoContext(ctx, "a harvest begins", "provider", h.Name, "generation", h.generation, "reason", why)
}

// take takes the tables, each to its end, and then the feed.
func (h *harvester) take(ctx context.Context) error {
	for _, table := range append(slices.Clone(h.Tables), "") {
		for upToDate := false; !upToDate; {
			var err error
			if upToDate, err = h.takePage(ctx, table); err != nil || h.record.State == store.Completed {
				return err
			}
		}
	}
	return nil
}

// takePage gets the next page of a table, or of the feed, and commits it. It reports whether
// nothing comes after it yet.
func (h *harvester) takePage(ctx context.Context, table string) (upToDate bool, err error) {
	page, err := h.next(table)
	if err != nil {
		return false, err
	}
	if h.taken = page.Began.Add(time.Duration(h.ahead.Load())); h.taken.Before(h.record.Started) { // the two clocks are compared now and then
		h.taken = h.record.Started
	}
	got, err := h.persist(ctx, page.Number, h.record.Seen, func(p *feed.Progress) (*feed.Document, error) {
		doc, err := h.page(ctx, page, p)
		if err == nil {
			doc.Table, doc.Parent = table, h.parent(ctx, nil)
		}
		return doc, err
	})
	if err != nil {
		h.lost = page.Number > 1 && unknownPlace(err)
		return false, err
	}
	snap := store.Snapshot{
		Provider: h.Name, TimeZone: h.Location.String(), Events: got.Events, Past: got.Past, Taken: h.taken,
		Changes: &store.Changes{Items: make([]store.Item, 0, len(got.Items))},
	}
	for i := range got.Items {
		snap.Changes.Items = append(snap.Changes.Items, store.Item{Table: table, Item: got.Items[i]})
	}
	again, err := h.again(ctx, table, got)
	if err != nil {
		return false, err
	}
	for i := range again.Items {
		snap.Changes.Items = append(snap.Changes.Items, store.Item{Again: true, Item: again.Items[i]})
	}
	snap.Events, snap.Past = append(snap.Events, again.Events...), append(snap.Past, again.Past...)
	before := h.record
	if err := h.commitPage(ctx, table, &snap, got, again); err != nil || got.UpToDate {
		return got.UpToDate, err
	}
	return false, h.moves(table, got, &before)
}

// moves returns an error if a page lists the same items as the one before, and changed nothing, and
// the feed is said to go on all the same. A provider whose cursor is new in each answer would
// be asked without end. The record is that before the page.
func (h *harvester) moves(table string, page *feed.Feed, before *store.Job) error {
	digest := sha256.New()
	_, _ = io.WriteString(digest, table) // never an error
	for i := range page.Items {
		_, _ = fmt.Fprintf(digest, "\n%s", page.Items[i].ID)
	}
	earlier := h.last
	h.last = [32]byte(digest.Sum(nil))
	now := h.record
	if len(page.Items) == 0 || h.last != earlier || now.State == store.Completed ||
		now.New != before.New || now.Changed != before.Changed || now.Gone != before.Gone {
		return nil
	}
	return &feed.Error{Provider: h.Name, Kind: feed.KindDecode, Op: "follow the pages", Err: fmt.Errorf(
		"page %d lists the same as the page before, and says that it goes on: the provider may ignore what asks for a page", page.Page.Number)}
}

// next returns the page at which a table, or the feed, goes on.
func (h *harvester) next(table string) (*feed.Page, error) {
	page := h.Begin(table)
	if at, ok := h.cursor.Places[table]; ok {
		var err error
		if page, err = h.Resume(table, at.URL, at.Public); err != nil {
			h.lost = true
			return nil, &feed.Error{Provider: h.Name, Kind: feed.KindInternal, Op: "go on", Err: err}
		}
		page.Number = at.Number
	}
	digest := sha256.Sum256([]byte(table + " " + page.URL.String())) // one feed may have the table, too
	if h.asked[digest] {
		return nil, &feed.Error{Provider: h.Name, Kind: feed.KindDecode, Op: "follow the pages", Err: fmt.Errorf(
			"page %d is one that this job has had already: the pages go round", page.Number)}
	}
	h.asked[digest] = true
	return page, nil
}

// unknownPlace reports whether a page could not be got because its address no longer says where
// to go on: publishers may let cursors expire.
func unknownPlace(err error) bool {
	failure, ok := errors.AsType[*feed.Error](err)
	return ok && failure.Kind == feed.KindHTTPStatus &&
		slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusGone}, failure.HTTPStatus)
}

// parent returns what finds the row of a table by its name or its id, first among the items of a
// page. It is nil without tables.
func (h *harvester) parent(ctx context.Context, page []feed.Item) func(string) ([]byte, error) {
	if len(h.Tables) == 0 {
		return nil
	}
	rows := make(map[string][]byte)
	for i := range page {
		item := &page[i]
		rows[item.ID] = item.Row
		if item.Name != "" {
			rows[item.Name] = item.Row
		}
	}
	return func(name string) ([]byte, error) {
		if row, ok := rows[name]; ok {
			return row, nil
		}
		row, err := h.store.Row(ctx, h.Name, name)
		if err == nil && row == nil && h.Rows != nil && h.cursor.Began.IsZero() {
			row, err = h.Rows(ctx, h.Name, name)
		}
		if err != nil {
			return nil, storeError(ctx, h.job, err)
		}
		return row, nil
	}
}

// again decodes the rows anew that take values from rows of a table which a page has changed.
// Rows whose parent is gone stay as they are.
func (h *harvester) again(ctx context.Context, table string, page *feed.Feed) (*feed.Feed, error) {
	var names []string
	for i := range page.Items {
		item := &page.Items[i]
		if table == "" || item.Deleted || item.Row == nil {
			continue
		}
		row, err := h.store.Row(ctx, h.Name, item.ID)
		switch {
		case err != nil:
			return nil, storeError(ctx, h.job, err)
		case bytes.Equal(row, item.Row):
			continue
		}
		names = append(names, item.ID)
		if item.Name != "" {
			names = append(names, item.Name)
		}
	}
	if len(names) == 0 {
		return new(feed.Feed), nil
	}
	rows, err := h.store.Children(ctx, h.Name, names)
	if err != nil {
		return nil, storeError(ctx, h.job, err)
	}
	if len(rows) == 0 {
		return new(feed.Feed), nil
	}
	return h.Again(rows, h.parent(ctx, page.Items))
}

// commitPage stores a page with the place where the feed goes on after it, and publishes what
// changed. If the job ends with the page, its outcome is in the same transaction. The first of
// the feeds is the page, the others were decoded because of it.
func (h *harvester) commitPage(ctx context.Context, table string, snap *store.Snapshot, feeds ...*feed.Feed) error {
	page := feeds[0]
	record, c := h.record, h.cursor
	h.items += len(page.Items)
	for _, got := range feeds {
		record.Seen, record.Ignored, record.Rejected = record.Seen+got.Seen, record.Ignored+got.Ignored, record.Rejected+got.Rejected
		c.Accepted += got.Seen - got.Ignored - got.Rejected
		c.Ignored, c.Rejected = c.Ignored+got.Ignored, c.Rejected+got.Rejected
		record.Rejections = slices.Clone(record.Rejections)
		for _, r := range got.Rejections[:min(len(got.Rejections), feed.MaxRejections-len(record.Rejections))] {
			r.Reason = fmt.Sprintf("page %d: %s", page.Page.Number, r.Reason)
			record.Rejections = append(record.Rejections, r)
		}
	}
	ends := table == "" && page.UpToDate
	c.Last = h.now()
	if len(page.Items) > 0 {
		c.Pages++
	}
	c.Places = maps.Clone(c.Places)
	c.Places[table] = placeOf(page)
	snap.Changes.Complete = ends && !c.Complete
	c.Complete, c.Had = c.Complete || ends, c.Had || ends
	snap.Changes.GoesOn = !ends && !h.spent()
	if !snap.Changes.GoesOn {
		record.State, record.Finished = store.Completed, c.Last
		record.More = !ends && h.items > 0
		record.NotModified = h.items == 0 && !snap.Changes.Complete
		if h.Suspect != Off {
			record.Suspect = string(c.suspicion())
		}
	}
	nothing := len(page.Items) == 0 && !snap.Changes.Complete
	if !nothing { // else its documents are dropped
		h.syncArchive(ctx, h.job)
	}
	encoded, err := json.Marshal(c)
	if err == nil && len(encoded) > store.MaxCursor {
		err = feed.Errorf(feed.KindDecode, "the addresses of the next pages have %d bytes, more than can be kept", len(encoded))
	}
	if err != nil {
		return &feed.Error{Provider: h.Name, Kind: kindOf(err), Op: "keep where the feed goes on", Err: err}
	}
	snap.Changes.Stream = store.Stream{Generation: h.generation, Cursor: encoded}
	if !snap.Changes.GoesOn {
		record.Turn = h.turn(h.job, &record)
	}
	var done store.Job
	err = h.write(ctx, h.job, func() (err error) {
		_, done, err = h.store.Apply(ctx, *snap, record)
		return err
	})
	h.show(ctx, h.job, err)
	if err != nil {
		return storeError(ctx, h.job, err)
	}
	h.settleArchive(ctx, h.job, nil, nothing)
	done.More, done.Suspect = record.More, record.Suspect
	h.record, h.cursor = done, c
	h.harvested(h.generation, &c)
	if snap.Changes.Complete {
		h.log.InfoContext(ctx, "a harvest is complete", "provider", h.Name, "generation", h.generation, "pages", c.Pages)
	}
	return nil
}

// placeOf returns where a feed goes on after a page. The provider's own credentials are not
// stored: they are in its configuration.
func placeOf(page *feed.Feed) place {
	u := *page.Next.URL
	u.User = nil
	number := page.Next.Number
	if page.UpToDate { // the same page is asked for next time, or the one that its rows have led to
		number = max(page.Page.Number, 2)
	}
	return place{URL: u.String(), Number: number, Public: page.Next.Public}
}

// spent reports whether so much of what the job may take is used that the next page is for the
// next job. Of a job that is run again each page has one.
func (h *harvester) spent() bool {
	return h.replayed != nil || len(h.asked) >= feed.MaxPages ||
		float64(h.now().Sub(h.record.Started)) >= harvestPart*float64(h.JobTime) ||
		float64(h.record.Bytes) >= harvestPart*float64(h.JobBytes)
}

// has reports whether searches have what the provider sells.
func (t *target) has() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stored
}

// harvested says how far a feed of changes was taken.
func (t *target) harvested(generation uint64, c *cursor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generation, t.at = generation, *c
	t.stored = t.stored || c.Had
	t.suspect = ""
	if t.Suspect != Off {
		t.suspect = c.suspicion()
	}
}

// recallHarvest finds out from the store how far a feed of changes was taken.
func (g *Ingester) recallHarvest(ctx context.Context, t *target) error {
	stream, err := g.store.Stream(ctx, t.Name)
	if err != nil || stream.Generation == 0 {
		return err
	}
	var c cursor
	_ = json.Unmarshal(stream.Cursor, &c) // one that cannot be read says nothing
	t.harvested(stream.Generation, &c)
	if c.Had {
		g.Collected.Store(true)
	}
	return nil
}
