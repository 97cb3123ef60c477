package replay

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"fever/event"
	"fever/store"
)

// A Merge is what is stored now, with what was replayed of some providers in place of what is stored of
// them. What the archive cannot tell is taken from what is stored now:
//
//   - of events that both have, when they were first seen and last changed, if that is earlier than the
//     archive;
//   - events of which only documents that the archive does not have can have told: they are not current,
//     and have not changed since the archive begins, or that begins within a harvest of a feed of
//     changes, or something in it is wrong;
//   - the values of events that came with documents that are missing, if no later document that was replayed had
//     the event; and which events are current, if the documents of the last job are missing;
//   - the outcomes of jobs, and all of the other providers;
//   - the history of events that are as stored. Without one, and for the others, the documents tell it, if
//     it leads to when the event last changed.
type Merge struct {
	Stored   store.Store // nil: nothing is
	Replayed store.Store
	Since    time.Time // what events were before is left out if they changed earlier; zero: all is kept
	// Results are those of the providers that were replayed. If nothing of one was committed it
	// stays as it is stored.
	Results map[string]Result
	// Kept is how many events the archive does not tell of, once Differences has yielded all, and Later how many it
	// tells of, but not what they were last: the documents of that are missing.
	Kept, Later int

	// Keys of events to which the history that is stored does not lead, or that which was replayed.
	notStored, notReplayed map[string]bool
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
		m.Kept, m.Later = 0, 0
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
	if p.kind() != store.ProviderPart && p.kind() != store.EventPart {
		return d, false, nil
	}
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
		if now != nil && now.later {
			m.Later++
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
func recordOf(p *piece) (*event.Record, error) {
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
			var chosen *piece
			if err == nil {
				chosen, err = m.choose(&p)
			}
			if err == nil && chosen != nil && differs {
				err = renew(&chosen.Part)
			}
			if err != nil {
				yield(store.Part{}, err)
				return
			}
			if chosen == nil {
				continue
			}
			parts := chosen.undos
			if chosen.Kind != store.UndoPart {
				parts = []store.Part{chosen.Part}
			}
			for _, part := range parts {
				if !yield(part, nil) {
					return
				}
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

// A piece is a part, or all undos of an event under its key.
type piece struct {
	store.Part
	undos []store.Part // the oldest first
	later bool         // it is chosen since what was replayed is older
}

// pieces joins the undos of each event.
func pieces(parts iter.Seq2[store.Part, error]) iter.Seq2[piece, error] {
	return func(yield func(piece, error) bool) {
		var of piece
		for part, err := range parts {
			if err != nil || part.Kind != store.UndoPart {
				if !yield(piece{Part: part}, err) {
					return
				}
				continue
			}
			key, _, err := store.ParseUndoKey(part.Key)
			if err != nil {
				yield(piece{}, err)
				return
			}
			if len(of.undos) > 0 && !bytes.Equal(of.Key, key) {
				if !yield(of, nil) {
					return
				}
				of.undos = nil
			}
			of.Kind, of.Key = store.UndoPart, bytes.Clone(key)
			of.undos = append(of.undos, store.Part{Kind: store.UndoPart, Key: bytes.Clone(part.Key), Value: bytes.Clone(part.Value)})
		}
		if len(of.undos) > 0 {
			yield(of, nil)
		}
	}
}

// A pair is what is stored under a key, and what was replayed; nil is nothing.
type pair struct{ stored, replayed *piece }

func (p *pair) any() *piece {
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

// pairs yields all pieces of both stores in their order.
func (m *Merge) pairs(ctx context.Context) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		var stored iter.Seq2[store.Part, error] = func(func(store.Part, error) bool) {}
		if m.Stored != nil {
			stored = m.Stored.Parts(ctx, false)
		}
		nextStored, stop := iter.Pull2(pieces(stored))
		defer stop()
		nextReplayed, stop := iter.Pull2(pieces(m.Replayed.Parts(ctx, false)))
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

// choose returns the piece of the merge, or nil if there is none.
func (m *Merge) choose(p *pair) (*piece, error) {
	result := m.Results[p.provider()]
	switch {
	case p.kind() == store.UndoPart:
		return m.chooseHistory(p, &result)
	case p.kind() == store.HeadPart || p.kind() == store.JobPart || result.Committed == 0:
		return clone(p.stored), nil
	case p.kind() == store.EventPart:
		return m.chooseEvent(p, &result)
	case p.kind() == store.ProviderPart && p.stored != nil && p.replayed != nil:
		return chooseProvider(p)
	}
	return clone(p.replayed), nil
}

func note(keys *map[string]bool, key []byte) {
	if *keys == nil {
		*keys = make(map[string]bool)
	}
	(*keys)[string(key)] = true
}

// chooseHistory chooses the history that leads to the values of an event.
func (m *Merge) chooseHistory(p *pair, result *Result) (*piece, error) {
	key := p.any().Key
	switch {
	case p.stored != nil && !m.notStored[string(key)]:
		return m.recent(p.stored)
	case p.replayed != nil && !m.notReplayed[string(key)] && result.Committed > 0:
		renumbered, err := renumber(p.replayed, result.jobs)
		if err != nil {
			return nil, err
		}
		return m.recent(renumbered)
	}
	return nil, nil
}

// recent leaves out changes that are too old.
func (m *Merge) recent(history *piece) (*piece, error) {
	kept := clone(history)
	for len(kept.undos) > 0 && !m.Since.IsZero() {
		u, err := store.DecodeUndo(kept.undos[0].Key, kept.undos[0].Value)
		if err != nil {
			return nil, err
		}
		if u.At >= m.Since.UnixMilli() {
			break
		}
		kept.undos = kept.undos[1:]
	}
	return kept, nil
}

// renumber gives the changes of a history the jobs of then, for those of the replay. As that makes them longer,
// the oldest may no longer have room.
func renumber(history *piece, jobs map[uint64]uint64) (*piece, error) {
	all := clone(history)
	all.undos = slices.Clone(all.undos)
	var size uint64
	for i := range all.undos {
		part := &all.undos[i]
		u, err := store.DecodeUndo(part.Key, part.Value)
		if err != nil {
			return nil, err
		}
		u.Job = jobs[u.Job]
		part.Key = store.UndoKey(all.Key, size)
		if part.Value, err = u.Encode(part.Key); err != nil {
			return nil, err
		}
		size += store.UndoSize(part.Value)
	}
	for size > store.MaxHistory {
		size -= store.UndoSize(all.undos[0].Value)
		all.undos = all.undos[1:]
	}
	return all, nil
}

// chooseEvent chooses an event of a provider that was replayed.
func (m *Merge) chooseEvent(p *pair, result *Result) (chosen *piece, err error) {
	if p.stored == nil {
		note(&m.notStored, p.replayed.Key)
		return clone(p.replayed), nil
	}
	was, err := store.DecodeValue(p.stored.Key, p.stored.Value)
	if err != nil {
		return nil, err
	}
	if p.replayed == nil {
		told := !result.UntilTheEnd
		if !p.stored.Current {
			told = !result.Within && was.LastChanged >= result.From.UnixMilli()
		}
		if len(result.Wrong) == 0 && told {
			note(&m.notStored, p.stored.Key)
			return nil, nil // the archive's documents would tell of it
		}
		chosen = clone(p.stored)
		chosen.Item = ""
		return chosen, nil
	}
	is, err := store.DecodeValue(p.replayed.Key, p.replayed.Value)
	if err != nil {
		return nil, err
	}
	if result.toldLater(&was, &is, p.replayed.Current) {
		note(&m.notReplayed, p.stored.Key)
		chosen = clone(p.stored)
		if result.changes { // the items that were replayed say which events are current
			chosen = clone(p.replayed)
		}
		if chosen.Current != p.stored.Current {
			note(&m.notStored, p.stored.Key)
		}
		was.FirstSeen = min(is.FirstSeen, was.FirstSeen)
		chosen.Value, err = was.Encode(chosen.Key)
		chosen.later = true
		return chosen, err
	}
	is.FirstSeen, is.Revision = min(is.FirstSeen, was.FirstSeen), was.Revision
	if bytes.Equal(is.Event, was.Event) && (was.LastChanged < is.LastChanged || result.Within) {
		is.LastChanged = was.LastChanged
		note(&m.notReplayed, p.replayed.Key)
	}
	chosen = clone(p.replayed)
	if !result.changes && result.lost.After(result.To) && chosen.Current != p.stored.Current {
		chosen.Current = p.stored.Current
		note(&m.notReplayed, p.replayed.Key)
	}
	chosen.Value, err = is.Encode(chosen.Key)
	if chosen.Current != p.stored.Current || !bytes.Equal(chosen.Value, p.stored.Value) {
		note(&m.notStored, chosen.Key)
	}
	return chosen, err
}

// chooseProvider chooses what is kept of a provider. A later answer may have brought other validators of
// the same document.
func chooseProvider(p *pair) (*piece, error) {
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

func clone(p *piece) *piece {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
