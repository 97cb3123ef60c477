package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fever/archive"
	"fever/provider/feed"
	"fever/store"
)

// Replay runs a job of the named provider again with the documents that it got, in their order: they
// are decoded with the settings of now, and committed as of then. Of the attempts for a page
// the last one counts. With force the snapshot is not refused as suspect.
//
// The pages of a feed of changes are committed one by one, each as a job. The record is that of
// the last job. Errors are as those of [Ingester.RunNow]. The ingester's clock shows the time
// of the job: one that replays does nothing else.
func (g *Ingester) Replay(ctx context.Context, name string, docs []archive.Document, force bool) (record store.Job, err error) {
	docs = lastAttempts(docs)
	size := len(docs)
	if size > 0 && docs[0].Generation > 0 {
		size = 1
	}
	for len(docs) > 0 && err == nil && (record.State == "" || record.State == store.Completed) {
		record, err = g.replay(ctx, name, docs[:size], force)
		docs = docs[size:]
	}
	return record, err
}

// lastAttempts leaves out the documents of which no feed was made and which were asked for again.
func lastAttempts(docs []archive.Document) (last []archive.Document) {
	for i := range docs {
		if n := len(last); n > 0 && last[n-1].Failure != "" && last[n-1].Page == docs[i].Page && last[n-1].Table == docs[i].Table {
			last = last[:n-1]
		}
		last = append(last, docs[i])
	}
	return last
}

func (g *Ingester) replay(ctx context.Context, name string, docs []archive.Document, force bool) (store.Job, error) {
	first := &docs[0]
	g.clock = func() time.Time { return first.Started }
	trigger := store.Schedule
	if first.Imported {
		trigger = store.Document
	}
	j, err := g.claim(name, trigger)
	if err != nil {
		return store.Job{}, err
	}
	j.replayed, j.attempts, j.imported, j.force = first, 1, first.Imported, force
	j.page = func(_ context.Context, page *feed.Page, _ *feed.Progress) (*feed.Document, error) {
		if len(docs) == 0 {
			return nil, j.notReplayed(feed.KindDecode, fmt.Errorf("page %d is not in the archive", page.Number))
		}
		doc := &docs[0]
		docs = docs[1:]
		j.taken = doc.Taken
		body, err := doc.Open(ctx)
		if err != nil {
			return nil, j.notReplayed(feed.KindConnection, err)
		}
		return doc.Feed(*page, body), nil
	}
	j.document = func(ctx context.Context, _ feed.Validators, p *feed.Progress) (*feed.Document, error) {
		return j.page(ctx, j.Begin(""), p)
	}
	return g.process(ctx, j)
}

func (j *job) notReplayed(kind feed.Kind, err error) error {
	return &feed.Error{Provider: j.Name, Kind: kind, Op: "replay a job", Err: err}
}

// replayPage is the middle of a job that replays a page of a feed of changes. The archive does not have
// the pages that brought nothing new, so the job says which table the page is of.
func (g *Ingester) replayPage(ctx context.Context, j *job) error {
	h, _, err := g.harvester(ctx, j)
	if err != nil {
		return err
	}
	begins := h.begins(j.replayed) // after the provider was renamed with the number of the harvest before, perhaps
	if begins || j.replayed.Generation != j.replaying {
		h.startOver(ctx, "the job that is run again did")
		h.generation = max(h.generation, j.replayed.Generation)
		if !begins { // where the harvest goes on is known, and not what it is of: the next job begins another one
			h.cursor.Began, h.cursor.Complete, h.cursor.Had = time.Time{}, true, true
		}
	}
	if _, err = h.takePage(ctx, j.replayed.Table); err == nil {
		j.replaying = j.replayed.Generation // before, nothing is stored of the harvest
	}
	return err
}

// begins reports whether a document is the first page of a harvest. If the first table had nothing then, that is not
// known.
func (h *harvester) begins(doc *archive.Document) bool {
	first := ""
	if len(h.Tables) > 0 {
		first = h.Tables[0]
	}
	return doc.Page == 1 && doc.Table == first
}

// errOtherKind says that a document cannot be replayed as what the settings say of its feed.
var errOtherKind = errors.New("either the settings say that the feed is one of changes, or the archive does, and not both")
