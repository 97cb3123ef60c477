// Package feedtest is for the tests of packages that decode feeds, or that have them decoded.
package feedtest

import (
	"context"
	"io"
	"net/http"

	"fever/provider/feed"
)

// A Fetch brings a feed as it would come from a provider: a fake of getting and decoding a
// document.
type Fetch = func(ctx context.Context, last feed.Validators, progress *feed.Progress) (*feed.Feed, error)

// ready is the body of a document whose feed is there already.
type ready struct {
	io.ReadCloser
	feed *feed.Feed
}

// Get makes of a fetch what gets the document, for [Decode].
func Get(fetch Fetch) func(context.Context, feed.Validators, *feed.Progress) (*feed.Document, error) {
	return func(ctx context.Context, last feed.Validators, progress *feed.Progress) (*feed.Document, error) {
		got, err := fetch(ctx, last, progress)
		if err != nil {
			return nil, err
		}
		return &feed.Document{Body: ready{http.NoBody, got}}, nil
	}
}

// Given is [Get] for a document that is given by hand.
func Given(fetch func(context.Context, *feed.Progress) (*feed.Feed, error)) func(context.Context, *feed.Progress) (*feed.Document, error) {
	return func(ctx context.Context, progress *feed.Progress) (*feed.Document, error) {
		get := Get(func(ctx context.Context, _ feed.Validators, progress *feed.Progress) (*feed.Feed, error) {
			return fetch(ctx, progress)
		})
		return get(ctx, feed.Validators{}, progress)
	}
}

// Decode returns the feed of a document that [Get] has brought. Of another one it panics.
func Decode(doc *feed.Document) (*feed.Feed, error) { return doc.Body.(ready).feed, nil }
