package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"fever/event"
	"fever/store"
)

// Stream returns how far the provider's feed of changes was taken.
func (s *Store) Stream(ctx context.Context, provider string) (store.Stream, error) {
	p, err := s.provider(ctx, provider)
	if err != nil {
		return store.Stream{}, fmt.Errorf("read how far the changes of %s were taken: %w", provider, err)
	}
	return p.Stream, nil
}

// Row returns the row of a table of the provider, by its id or its name, or nil if no table has
// one. If several have, it is that of the table that is first by name, and then of the first id.
func (s *Store) Row(ctx context.Context, provider, name string) ([]byte, error) {
	rows, err := s.rows(ctx, provider, []string{name}, "of_table <> '' and (id = any($2::text[]) or name = any($2::text[])) order by of_table, id limit 1")
	if err != nil {
		return nil, fmt.Errorf("look for a row %q of %s: %w", name, provider, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return rows[0], nil
}

// Children returns the rows of the items of the provider's feed whose Parent is one of the names.
func (s *Store) Children(ctx context.Context, provider string, names []string) ([][]byte, error) {
	rows, err := s.rows(ctx, provider, names, "of_table = '' and parent <> '' and parent = any($2::text[]) order by array_position($2::text[], parent), id")
	if err != nil {
		return nil, fmt.Errorf("look for the rows of %s that need %q: %w", provider, names, err)
	}
	return rows, nil
}

// rows returns the rows of those items of a provider for which the condition is true; $2 are
// the names.
func (s *Store) rows(ctx context.Context, provider string, names []string, condition string) (found [][]byte, err error) {
	if strings.Contains(provider+strings.Join(names, ""), "\x00") {
		return nil, nil // which no text of the server holds
	}
	ctx, cancel := context.WithTimeout(ctx, bulkLimit)
	defer cancel()
	rows, err := s.pool.Query(ctx, `select provider, of_table, id, value from fever.item where provider = $1 and `+condition, provider, names)
	if err != nil {
		return nil, err
	}
	var i itemRow
	_, err = pgx.ForEachRow(rows, []any{&i.provider, &i.table, &i.id, &i.value}, func() error {
		item, err := s.decodeItem(&i)
		found = append(found, item.Row)
		return err
	})
	return found, err
}

// itemRow is a stored item.
type itemRow struct {
	provider, table, id string
	name, parent        string
	value               []byte
}

func (s *Store) decodeItem(i *itemRow) (store.StoredItem, error) {
	item, err := store.DecodeItem(store.ItemKey(i.provider, i.table, i.id), i.value)
	if err != nil {
		return item, s.damaged("item %q of table %q of %q: %v", i.id, i.table, i.provider, err)
	}
	return item, nil
}

// writePage writes what a page of a feed of changes does to the items, and to events that are
// not in it. It is to come after the events that are.
func (s *Store) writePage(ctx context.Context, t *tx, c *changes) error {
	stored, err := s.storedItems(ctx, t, c.snap)
	if err != nil {
		return err
	}
	listed := make(map[event.Key]bool)
	for _, r := range c.rows {
		listed[r.Event.Key] = true
	}
	var keys [][]byte // of events that leave the items
	var items []string
	var writes pgx.Batch
	for n := range c.snap.Changes.Items {
		i := &c.snap.Changes.Items[n]
		before := stored[n]
		var went []event.Key
		if i.Deleted {
			if before == nil {
				continue
			}
			went = before.Keys
			writes.Queue("delete from fever.item where provider = $1 and of_table = $2 and id = $3", c.snap.Provider, i.Table, i.ID)
		} else {
			var now store.StoredItem
			now, went = i.Listed(before, c.snap.Changes.Stream.Generation)
			if err := putItem(&writes, c.snap.Provider, i, &now); err != nil {
				return err
			}
		}
		for _, key := range went {
			if !listed[key] { // else an item of this page has it
				keys, items = append(keys, key.Bytes()), append(items, i.ID)
			}
		}
	}
	if err := t.SendBatch(ctx, &writes).Close(); err != nil {
		return err
	}
	first, last := keysOf(c.snap.Provider)
	if err := c.leave(ctx, t, `from unnest($4::bytea[], $5::text[]) as s (key, item) where e.key = s.key and e.key > $2 and e.key < $3 and e.item = s.item`, first, last, keys, items); err != nil {
		return err
	}
	if !c.snap.Changes.Complete {
		return nil
	}
	if _, err := t.Exec(ctx, "delete from fever.item where provider = $1 and generation < $2", c.snap.Provider, int64(c.snap.Changes.Stream.Generation)); err != nil {
		return err
	}
	return c.leave(ctx, t, `where key > $2 and key < $3 and not exists (
		select from fever.item as i where i.provider = $4 and i.of_table = '' and i.id = e.item)`, first, last, c.snap.Provider)
}

// leave makes the current events for which the condition is true no longer current.
func (c *changes) leave(ctx context.Context, t *tx, condition string, arguments ...any) error {
	n, err := c.sale(ctx, t, true, "update fever.event as e set current = false, item = '', change = $1 "+condition+" and current", append([]any{t.mark.change}, arguments...)...)
	c.applied.Gone += n
	return err
}

// storedItems returns what is stored of the items of a page, by their number in it.
func (s *Store) storedItems(ctx context.Context, t *tx, snap *store.Snapshot) (map[int]*store.StoredItem, error) {
	var tables, ids []string
	for _, i := range snap.Changes.Items {
		tables, ids = append(tables, i.Table), append(ids, i.ID)
	}
	rows, err := t.Query(ctx, `select provider, of_table, id, value, row from unnest($2::text[], $3::text[]) with ordinality as listed (of_table, id, row)
		join fever.item using (of_table, id) where provider = $1`, snap.Provider, tables, ids)
	if err != nil {
		return nil, err
	}
	stored := make(map[int]*store.StoredItem)
	var i itemRow
	var row int
	_, err = pgx.ForEachRow(rows, []any{&i.provider, &i.table, &i.id, &i.value, &row}, func() error {
		item, err := s.decodeItem(&i)
		stored[row-1] = &item
		return err
	})
	return stored, err
}

func putItem(writes *pgx.Batch, provider string, i *store.Item, now *store.StoredItem) error {
	value, err := now.Encode(store.ItemKey(provider, i.Table, i.ID))
	if err != nil {
		return fmt.Errorf("item %q: %w", i.ID, err)
	}
	writes.Queue(`insert into fever.item (provider, of_table, id, name, parent, generation, value) values ($1, $2, $3, $4, $5, $6, $7) on conflict (provider, of_table, id)
		do update set name = excluded.name, parent = excluded.parent, generation = excluded.generation, value = excluded.value where item.value <> excluded.value`,
		provider, i.Table, i.ID, now.Name, now.Parent, int64(now.Generation), value)
	return nil
}

// dropItems removes all items of a provider. What is current then is so for no item.
func dropItems(provider string) []step {
	first, last := keysOf(provider)
	return []step{
		{"delete from fever.item where provider = $1", []any{provider}},
		{"update fever.event set item = '' where current and item <> '' and key > $1 and key < $2", []any{first, last}},
	}
}
