package mapped

import (
	"cmp"
	"slices"

	"github.com/itchyny/gojq"

	"fever/event"
)

// An ids program makes only the ids of the events that a row is about, also where the program that it comes from
// leaves the row out. It is for those who trace: nobody would know otherwise which event a row without one was.
type ids struct{ *program }

// compileIDs makes it of the text of a program that can be compiled. It returns nil if it cannot.
func compileIDs(text string) *ids {
	query, err := gojq.Parse(text)
	if err != nil {
		return nil
	}
	onlyIDs(query)
	p, err := compile(query.String())
	if err != nil {
		return nil // such as one that has become too long
	}
	return &ids{p}
}

// of returns the ids that a row has where the program takes them from.
func (p *ids) of(d *decoder, row any) (keys []event.Key) {
	if p == nil {
		return nil
	}
	records, err := p.run(row)
	if err != nil {
		return nil
	}
	for _, text := range records {
		e, _, _ := d.reader.Read(text, d.Location) // which wants more than ids
		if e.BaseID != "" && e.EventID != "" && !slices.Contains(keys, e.Key) {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// onlyIDs changes what the row goes through from the beginning of a query to its end: what selects rows lets all pass,
// all branches count, and objects have only their ids. It leaves alone how these are computed, and what it does not
// know: a row of which the rest makes no ids has none. So no value elsewhere in a row is taken for an id.
func onlyIDs(q *gojq.Query) {
	switch {
	case q == nil:
	case q.Op == gojq.OpPipe && len(q.Patterns) > 0: // what is bound is no record
		onlyIDs(q.Right)
	case q.Op == gojq.OpPipe, q.Op == gojq.OpComma:
		onlyIDs(q.Left)
		onlyIDs(q.Right)
	case q.Term != nil:
		onlyIDsOf(q.Term)
	}
}

func onlyIDsOf(t *gojq.Term) {
	switch {
	case t.Query != nil:
		onlyIDs(t.Query)
	case t.If != nil:
		branches := []*gojq.Query{t.If.Then, cmp.Or(t.If.Else, &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}})}
		for _, elif := range t.If.Elif {
			branches = append(branches, elif.Then)
		}
		*t = gojq.Term{Type: gojq.TermTypeQuery, Query: anyOf(branches), SuffixList: t.SuffixList}
	case t.Func != nil && t.Func.Name == "select" && len(t.Func.Args) == 1:
		*t = gojq.Term{Type: gojq.TermTypeIdentity, SuffixList: t.SuffixList}
	case t.Func != nil && t.Func.Name == "error":
		t.Func = &gojq.Func{Name: "empty"}
	case t.Object != nil:
		named := slices.DeleteFunc(slices.Clone(t.Object.KeyVals), func(member *gojq.ObjectKeyVal) bool {
			return member.Key != "base_id" && member.Key != "event_id"
		})
		if len(named) > 0 {
			t.Object.KeyVals = named
		}
	}
}

// anyOf returns a query that makes the ids that any of some queries make: in one that is not for the row, something may
// fail.
func anyOf(queries []*gojq.Query) (all *gojq.Query) {
	for _, q := range queries {
		onlyIDs(q)
		inside := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeQuery, Query: q}}
		tried := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeTry, Try: &gojq.Try{Body: inside}}}
		if all == nil {
			all = tried
		} else {
			all = &gojq.Query{Op: gojq.OpComma, Left: all, Right: tried}
		}
	}
	return all
}
