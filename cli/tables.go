package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fever/provider"
	"fever/provider/feed"
)

// maxTableBytes bounds the rows of tables that fever try holds.
const maxTableBytes = 256 << 20

// tables are those of a provider, as fever try holds them.
type tables struct {
	rows   map[string][]byte // by the names of their items
	of     map[string]string // the table of each name
	unused map[string]string // of each table of which no row was asked for yet, the name of one; empty: it has none
}

// parent returns the row with a name, as [feed.Document.Parent] does.
func (t *tables) parent(name string) ([]byte, error) {
	row := t.rows[name]
	if row != nil {
		delete(t.unused, t.of[name])
	}
	return row, nil
}

// lookAt says which tables gave no row anything.
func (t *tables) lookAt() (lookAt []string) {
	for _, table := range slices.Sorted(maps.Keys(t.unused)) {
		text := "has no rows"
		if name := t.unused[table]; name != "" {
			text = fmt.Sprintf("is of no use: no row refers to one of its rows, such as %q", strings.TrimPrefix(name, table+" "))
		}
		lookAt = append(lookAt, fmt.Sprintf("the table %s %s", table, text))
	}
	return lookAt
}

// readTables reads the tables of a provider from their beginning to their end.
func readTables(ctx context.Context, p *provider.Provider) (*tables, error) {
	rows := make(map[string][]byte)
	t := &tables{rows, make(map[string]string), make(map[string]string)}
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
		t.unused[table.Name] = ""
		for _, name := range names {
			if t.of[name] = table.Name; rows[name] != nil {
				t.unused[table.Name] = cmp.Or(min(t.unused[table.Name], name), name)
			}
		}
	}
	return t, nil
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
