// Package rpde reads pages of OpenActive's Realtime Paged Data Exchange 1.0
// (https://openactive.io/realtime-paged-data-exchange/): a feed of changes. The data of the items
// are nodes of schema.org and OpenActive, which package schemaorg makes events of.
//
// Nothing is compared with the modified of an item, which is text in some feeds, and beyond 2^53
// in others. A page says where the next one is, and the last one names itself.
package rpde

import (
	"bytes"
	"cmp"
	_ "embed" // for the revision
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"fever/provider/feed"
	"fever/provider/feed/schemaorg"
	"fever/provider/jsonscan"
)

// revision is a digest of the golden files. TestGolden checks it, and -update renews it.
//
//go:embed testdata/revision
var revision string

// New returns the format. The tables are the members of data by which rows refer to rows of other
// feeds, from which they take values that they lack. Of several the first that a row has counts.
func New(tables []string) feed.Format {
	return feed.Format{
		Name: "rpde", Revision: revision, Accept: "application/vnd.openactive.rpde+json;version=1, application/json;q=0.9, */*;q=0.1",
		Monthly: true, Paged: true, Changes: true, Again: again,
		Decode: func(doc *feed.Document, b *feed.Builder) error {
			d := &decoder{
				Builder: b, Scanner: jsonscan.New(doc.Body), doc: doc, tables: tables, events: schemaorg.NewReader(b, doc.Page.Began),
				wholes: make(map[string]map[string]any), rows: jsonscan.New(bytes.NewReader(nil)),
			}
			return d.decode()
		},
	}
}

// again makes a page of rows.
func again(rows [][]byte) io.Reader {
	parts := []io.Reader{bytes.NewReader([]byte(`{"next":"?","items":[`))}
	for i, row := range rows {
		if i > 0 {
			parts = append(parts, bytes.NewReader([]byte{','}))
		}
		parts = append(parts, bytes.NewReader(row))
	}
	return io.MultiReader(append(parts, bytes.NewReader([]byte(`]}`)))...)
}

// A decoder gives the items of a page to the builder.
type decoder struct {
	*feed.Builder
	*jsonscan.Scanner

	doc    *feed.Document
	tables []string
	events *schemaorg.Reader

	rows       *jsonscan.Scanner         // of the rows of tables
	wholes     map[string]map[string]any // data of rows of tables, by name; nil: there is no such row
	wholeBytes int                       // of their rows
}

// decode reads a page. Without items and next it is none.
func (d *decoder) decode() error {
	if d.Kind() != jsonscan.Object {
		d.Skip()
		if err := d.failed(); err != nil {
			return err
		}
		return d.malformed("it is not a page of RPDE, which is a JSON object")
	}
	items, next := false, ""
	for d.Enter(); d.Member(); {
		switch string(d.Name) {
		case "items":
			if d.Kind() != jsonscan.Array || items {
				return d.malformed("items is not one array")
			}
			items = true
			for d.Enter(); d.Element(); {
				if err := d.item(); err != nil {
					return err
				}
			}
		case "next":
			if kind, text := d.Scalar(); kind == jsonscan.String {
				next = string(text)
			}
		default:
			d.Skip()
		}
	}
	if d.Kind() != jsonscan.End {
		return d.malformed("there is more behind the page")
	}
	if err := d.failed(); err != nil {
		return err
	}
	u, err := url.Parse(next)
	switch {
	case !items:
		return d.malformed("it is not a page of RPDE: it has no items")
	case next == "":
		return d.malformed("it is not a page of RPDE: it has no next, which the last page has, too")
	case err != nil:
		return d.malformed("its next is not a URL") // it may hold credentials
	}
	d.Next(u)
	return nil
}

func (d *decoder) malformed(text string) error {
	if err := d.failed(); err != nil {
		return err
	}
	return feed.Errorf(feed.KindMalformed, "line %d (byte %d): %s", d.Line(), d.Offset(), text)
}

// failed returns the error of the scanner.
func (d *decoder) failed() error {
	if wrong, ok := errors.AsType[*jsonscan.Error](d.Err()); ok {
		return feed.Errorf(feed.KindMalformed, "%w", wrong)
	}
	return d.Err()
}

// item reads an item.
func (d *decoder) item() error {
	if err := d.Expired(); err != nil { // a schedule may take long for its few bytes
		return err
	}
	d.Kind()
	line, offset := d.Line(), d.Offset()
	row, ok := d.Any().(map[string]any)
	if d.Err() != nil {
		return nil //nolint:nilerr // decode returns it
	}
	d.At(offset, d.Offset())
	d.Builder.Row(line, nil)
	reject := func(reason string) error {
		d.Reject("", "", line, reason)
		return nil
	}
	kind, _ := row["kind"].(string)
	id := ""
	switch v := row["id"].(type) {
	case string:
		id = v
	case json.Number:
		id = v.String()
	}
	switch {
	case !ok:
		return reject("it is not a JSON object")
	case d.HalfPair:
		return reject("half of a surrogate pair is in it, which is no character")
	case kind == "":
		return reject("it has no kind")
	case id == "":
		return reject("it has no id")
	case !feed.ValidItemID(kind + id):
		return reject("a control character is in its kind or id")
	}
	switch row["state"] {
	case "updated":
		return d.updated(kind, id, row["data"], line)
	case "deleted":
		return d.Delete(kind+"/"+id, line)
	}
	if err := d.Item(feed.Item{ID: kind + "/" + id}); err != nil {
		return err
	}
	d.Reject("", kind+"/"+id, line, "its state is neither updated nor deleted")
	return nil
}

// updated reads the data of an item, of a kind with an id.
func (d *decoder) updated(kind, id string, value any, line int) error {
	item := feed.Item{ID: kind + "/" + id}
	data, ok := value.(map[string]any)
	var whole map[string]any
	why := "" // it is rejected
	switch member, row := d.reference(data); {
	case !ok:
		why = "it is updated, and has no data"
	case !feed.ValidItemID(id + schemaorg.ID(data) + row):
		why = "a control character is in an id"
	case d.doc.Table != "":
		item.Name, item.Row = name(d.doc.Table, cmp.Or(schemaorg.ID(data), id)), bytes.Clone(d.Scanner.Row)
	case row != "":
		item.Parent, item.Row = name(member, row), bytes.Clone(d.Scanner.Row)
		var err error
		if whole, err = d.whole(item.Parent); err != nil {
			return err
		}
		if whole == nil {
			why = fmt.Sprintf("its %s %.100q is not in the table", member, row)
		}
		if data["superEvent"] == nil {
			data["superEvent"] = data[member]
		}
	}
	if err := d.Item(item); err != nil {
		return err
	}
	switch {
	case why != "":
		d.Reject("", cmp.Or(schemaorg.ID(data), item.ID), line, why)
	case d.doc.Table == "":
		return d.events.Event(data, whole, item.ID, line)
	}
	return nil
}

// reference returns the first table that a node refers to, and what it calls the row there; or
// nothing.
func (d *decoder) reference(data map[string]any) (table, row string) {
	for _, table := range d.tables {
		if row := schemaorg.Reference(data, table); row != "" {
			return table, row
		}
	}
	return "", ""
}

// name returns the name of a row of a table, as [feed.Item] has it. Two tables may have rows with
// the same name.
func name(table, row string) string { return feed.ID([]byte(table + " " + row)) }

// maxWholeBytes bounds the rows of tables that are remembered for a page.
const maxWholeBytes = 16 << 20

// whole returns the data of a row of a table, or nil if it is not there.
func (d *decoder) whole(name string) (map[string]any, error) {
	if whole, known := d.wholes[name]; known || d.doc.Parent == nil {
		return whole, nil
	}
	row, err := d.doc.Parent(name)
	if err != nil {
		return nil, fmt.Errorf("look up a row of a table: %w", err)
	}
	var whole map[string]any
	if row != nil {
		d.rows.Reset(bytes.NewReader(row))
		item, _ := d.rows.Any().(map[string]any)
		whole, _ = item["data"].(map[string]any)
	}
	if d.wholeBytes += len(row) + len(name); d.wholeBytes > maxWholeBytes {
		clear(d.wholes)
		d.wholeBytes = len(row) + len(name)
	}
	d.wholes[name] = whole
	return whole, nil
}
