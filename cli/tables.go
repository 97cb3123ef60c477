package cli

import (
	"context"
	"fmt"
	"time"

	"fever/provider"
	"fever/provider/feed"
)

// maxTableBytes bounds the rows of tables that fever try holds.
const maxTableBytes = 256 << 20

// readTables reads the tables of a provider from their beginning to their end, and returns what
// finds their rows. It returns nil if the provider has no tables.
func readTables(ctx context.Context, p *provider.Provider) (func(name string) ([]byte, error), error) {
	if len(p.Tables) == 0 {
		return nil, nil
	}
	rows := make(map[string][]byte)
	held := 0
	for _, table := range p.Tables {
		names := make(map[string]string) // of the items
		page := p.Begin(table.Name)
		for {
			got, err := readTable(ctx, p, table.Name, page)
			if err != nil {
				return nil, fmt.Errorf("table %s: %w", table.Name, err)
			}
			for _, item := range got.Items {
				if item.Rejected {
					continue
				}
				before := names[item.ID]
				held += len(item.Row) - len(rows[before])
				delete(rows, before)
				names[item.ID] = item.Name
				if !item.Deleted {
					rows[item.Name] = item.Row
				}
			}
			page = got.Next
			page.Began = time.Now() // each page has the time limit of one
			switch {
			case got.UpToDate:
			case got.Page.Number == feed.MaxPages || held > maxTableBytes:
				return nil, fmt.Errorf("table %s has more than %d pages, or %d MiB of rows, and no more are tried", table.Name, feed.MaxPages, maxTableBytes>>20)
			default:
				continue
			}
			break
		}
	}
	return func(name string) ([]byte, error) { return rows[name], nil }, nil
}

// readTable reads a page of a table.
func readTable(ctx context.Context, p *provider.Provider, table string, page *feed.Page) (*feed.Feed, error) {
	doc, err := p.GetPage(ctx, page, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = doc.Body.Close() }() // read to its end, or given up
	doc.Table = table
	return p.Decode(doc)
}
