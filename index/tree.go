package index

import (
	"github.com/google/btree"

	"fever/event"
)

// degree of the btree: nodes of 64 to 127 entries. Of a million entries, a degree of
// 16 takes a tenth more memory, and one of 128 copies half as much again in a batch
// that changes 1% of them.
const degree = 64

// tree is the only user of google/btree, whose generic form is final: should it ever
// have to be replaced, this file is the place.
//
// Concurrency, from its documentation: reads may run beside each other, and beside
// writes to a clone. clone itself counts as a write.
type tree struct {
	b *btree.BTreeG[item]
}

// An item carries its entry's start, so that a descent among a million entries
// touches the nodes alone: each entry looked at would be a cache miss.
type item struct {
	start int64
	entry *event.Entry // nil in the bound of a scan, which comes before every entry that starts then
}

func (a item) before(b item) bool {
	switch {
	case a.start != b.start:
		return a.start < b.start
	case a.entry == nil || b.entry == nil:
		return b.entry != nil
	default:
		return a.entry.Compare(b.entry) < 0
	}
}

func newTree() tree { return tree{btree.NewG(degree, item.before)} }

func (t tree) clone() tree { return tree{t.b.Clone()} }

func (t tree) len() int { return t.b.Len() }

// set adds e, or replaces the entry with the same start, end and id.
func (t tree) set(e *event.Entry) { t.b.ReplaceOrInsert(item{e.Start, e}) }

// remove deletes the entry with e's start, end and id.
func (t tree) remove(e *event.Entry) { t.b.Delete(item{e.Start, e}) }

// ascend calls yield with the entries that start from first to last, both included,
// in order, until it returns false.
func (t tree) ascend(first, last int64, yield func(*event.Entry) bool) {
	t.b.AscendGreaterOrEqual(item{start: first}, func(i item) bool {
		return i.start <= last && yield(i.entry)
	})
}
