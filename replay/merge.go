package replay

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"

	"fever/event"
	"fever/store"
)

// A Merge is what is stored now, with what was replayed of some providers in place of what is stored of
// them. What the archive cannot tell is taken from what is stored now:
//
//   - of events that both have, when they were first seen and last changed, if that is earlier than the
//     archive;
//   - events of which only documents that the archive does not have can have told: they are not current,
//     and have not changed since the archive begins, or something in it is wrong;
//   - the outcomes of jobs, and all of the other providers;
//   - the history of events that are as stored. The others have none.
type Merge struct {
	Stored   store.Store // nil: nothing is
	Replayed store.Store
	// Results are those of the providers that were replayed. If nothing of one was committed it
	// stays as it is stored.
	Results map[string]Result
	// Kept is how many events the archive does not tell of, once Differences has yielded all.
	Kept int

	other map[string]bool // keys of events that are not as stored: their history leads elsewhere
}

// A Difference is a change of an event, or of a provider's time zone.
type Difference struct {
	Provider      string
	Before, After *event.Record // nil: there is none
	OldTimeZone   string        // if it is one of the time zone, in which all local times count
	TimeZone      string
}

// Differences yields how the merge differs from what is stored, in the order of keys.
func (m *Merge) Differences(ctx context.Context) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		m.Kept = 0
		for p, err := range m.pairs(ctx) {
			var d Difference
			differs := false
			if err == nil {
				d, differs, err = m.difference(&p)
			}
			if err != nil {
				yield(d, err)
				return
			}
			if differs && !yield(d, nil) {
				return
			}
		}
	}
}

func (m *Merge) difference(p *pair) (d Difference, differs bool, err error) {
	now, err := m.choose(p)
	if err != nil {
		return d, false, err
	}
	d.Provider = p.provider()
	switch p.kind() {
	case store.ProviderPart:
		if p.stored == nil || now == nil {
			return d, false, nil
		}
		was, err := store.DecodeProvider(p.stored.Key, p.stored.Value)
		if err != nil {
			return d, false, err
		}
		is, err := store.DecodeProvider(now.Key, now.Value)
		d.OldTimeZone, d.TimeZone = was.TimeZone, is.TimeZone
		return d, d.OldTimeZone != d.TimeZone, err
	case store.EventPart:
		if now != nil && p.replayed == nil && m.Results[d.Provider].Committed > 0 {
			m.Kept++
		}
		if now != nil && p.stored != nil && now.Current == p.stored.Current && bytes.Equal(now.Value, p.stored.Value) {
			return d, false, nil
		}
		if d.Before, err = recordOf(p.stored); err == nil {
			d.After, err = recordOf(now)
		}
		return d, true, err
	}
	return d, false, nil
}

// recordOf returns the event that is a part, or nil.
func recordOf(p *store.Part) (*event.Record, error) {
	if p == nil {
		return nil, nil
	}
	r, err := store.DecodeRecord(p.Key, p.Value)
	r.Current = p.Current
	return &r, err
}

// Parts yields the merge. If it differs from what is stored, it is all of a new revision, as after
// Rename of a [store.Store]: whoever follows the changes begins anew. Differs says whether
// Differences yields any.
func (m *Merge) Parts(ctx context.Context, differs bool) iter.Seq2[store.Part, error] {
	if m.Stored == nil {
		return m.Replayed.Parts(ctx, false)
	}
	return func(yield func(store.Part, error) bool) {
		for p, err := range m.pairs(ctx) {
			var part *store.Part
			if err == nil {
				part, err = m.choose(&p)
			}
			if err == nil && part != nil && differs {
				err = renew(part)
			}
			if err != nil {
				yield(store.Part{}, err)
				return
			}
			if part != nil && !yield(*part, nil) {
				return
			}
		}
	}
}

// renew makes a part one of the next revision, up to which changes cannot be told.
func renew(p *store.Part) (err error) {
	switch p.Kind {
	case store.HeadPart:
		p.Revision++
		p.Rewritten = p.Revision
	case store.EventPart:
		var v store.Value
		if v, err = store.DecodeValue(p.Key, p.Value); err == nil {
			v.Revision = 0
			p.Value, err = v.Encode(p.Key)
		}
	}
	return err
}

// A pair is what is stored under a key, and what was replayed; nil is nothing.
type pair struct{ stored, replayed *store.Part }

func (p *pair) any() *store.Part {
	if p.stored != nil {
		return p.stored
	}
	return p.replayed
}

func (p *pair) kind() store.Kind { return p.any().Kind }

func (p *pair) provider() string {
	name, _, _ := bytes.Cut(p.any().Key, []byte{0})
	return string(name)
}

// pairs yields all parts of both stores in their order.
func (m *Merge) pairs(ctx context.Context) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		var stored iter.Seq2[store.Part, error] = func(func(store.Part, error) bool) {}
		if m.Stored != nil {
			stored = m.Stored.Parts(ctx, false)
		}
		nextStored, stop := iter.Pull2(stored)
		defer stop()
		nextReplayed, stop := iter.Pull2(m.Replayed.Parts(ctx, false))
		defer stop()
		s, err1, moreStored := nextStored()
		r, err2, moreReplayed := nextReplayed()
		for moreStored || moreReplayed {
			if err1 != nil || err2 != nil {
				yield(pair{}, fmt.Errorf("compare what is stored with what was replayed: %w", cmp.Or(err1, err2)))
				return
			}
			order := 0
			switch {
			case !moreStored:
				order = 1
			case !moreReplayed:
				order = -1
			default:
				if order = int(s.Kind - r.Kind); order == 0 {
					order = bytes.Compare(s.Key, r.Key)
				}
			}
			var p pair
			if order <= 0 {
				p.stored = &s
			}
			if order >= 0 {
				p.replayed = &r
			}
			if !yield(p, nil) {
				return
			}
			if order <= 0 {
				s, err1, moreStored = nextStored()
			}
			if order >= 0 {
				r, err2, moreReplayed = nextReplayed()
			}
		}
	}
}

// choose returns the part of the merge, or nil if there is none.
func (m *Merge) choose(p *pair) (*store.Part, error) {
	result := m.Results[p.provider()]
	switch {
	case p.kind() == store.HeadPart || p.kind() == store.JobPart || result.Committed == 0:
		return clone(p.stored), nil
	case p.kind() == store.EventPart:
		part, err := chooseEvent(p, &result)
		if part == nil || p.stored == nil || part.Current != p.stored.Current || !bytes.Equal(part.Value, p.stored.Value) {
			if m.other == nil {
				m.other = make(map[string]bool)
			}
			m.other[string(p.any().Key)] = true
		}
		return part, err
	case p.kind() == store.UndoPart: // which leads back from what is stored
		key, _, err := store.ParseUndoKey(p.any().Key)
		if m.other[string(key)] {
			return nil, err
		}
		return clone(p.stored), err
	case p.kind() == store.ProviderPart && p.stored != nil && p.replayed != nil:
		return chooseProvider(p)
	}
	return clone(p.replayed), nil
}

// chooseEvent chooses an event of a provider that was replayed.
func chooseEvent(p *pair, result *Result) (*store.Part, error) {
	if p.stored == nil {
		return clone(p.replayed), nil
	}
	was, err := store.DecodeValue(p.stored.Key, p.stored.Value)
	if err != nil {
		return nil, err
	}
	if p.replayed == nil {
		if len(result.Wrong) == 0 && (p.stored.Current || was.LastChanged >= result.From.UnixMilli()) {
			return nil, nil // the archive's documents would tell of it
		}
		part := clone(p.stored)
		part.Item = ""
		return part, nil
	}
	is, err := store.DecodeValue(p.replayed.Key, p.replayed.Value)
	if err != nil {
		return nil, err
	}
	is.FirstSeen, is.Revision = min(is.FirstSeen, was.FirstSeen), was.Revision
	if bytes.Equal(is.Event, was.Event) {
		is.LastChanged = min(is.LastChanged, was.LastChanged)
	}
	part := clone(p.replayed)
	part.Value, err = is.Encode(part.Key)
	return part, err
}

// chooseProvider chooses what is kept of a provider. A later answer may have brought other validators of
// the same document.
func chooseProvider(p *pair) (*store.Part, error) {
	was, err := store.DecodeProvider(p.stored.Key, p.stored.Value)
	if err != nil {
		return nil, err
	}
	is, err := store.DecodeProvider(p.replayed.Key, p.replayed.Value)
	if err != nil {
		return nil, err
	}
	digest := is.Validators.Digest
	if digest != [32]byte{} && was.Validators.Digest == digest && was.Validators.Source == is.Validators.Source {
		return clone(p.stored), nil
	}
	return clone(p.replayed), nil
}

func clone(p *store.Part) *store.Part {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
