// Package explain says what is stored of an event and since when, what its times and its price
// come from, and why a search finds it or does not.
package explain

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/inspect"
	"fever/store"
)

// MaxEvents is the most events, and the most rejections, of an [Answer].
const MaxEvents = 20

// An Answer is what is known of the events that somebody asks about.
type Answer struct {
	Events []Event `json:"events"` // in the order of a search
	More   int     `json:"more"`   // events that the question fits, too, and that are left out

	// Rejections are rows with the ids that were asked for, the newest first, as far as the jobs on record tell of
	// them. Those with the same ids and the same reason are one. Removals are what somebody removed by hand of the
	// provider that was asked for. Both, and Elsewhere, are looked for only if no event is found.
	Rejections []Rejection `json:"rejections"`
	Removals   []Removal   `json:"removals,omitempty"`
	// Elsewhere has the names of stored events with the same ids: provider/base id/event id of each.
	Elsewhere []string `json:"elsewhere,omitempty"`
	// Archive is what documents tell of an event that is not stored. It is nil if none were searched: there is no
	// archive, or the settings do not say how the provider's are read.
	Archive *Searched `json:"archive,omitempty"`
}

// An Event is a stored event with what its answers are made of.
type Event struct {
	ID uuid.UUID `json:"id"`
	event.Record

	// Renamed says that the question names the event as it was called before. It is nil if it is called so now.
	Renamed *Renamed `json:"renamed,omitempty"`

	FirstJob uint64 `json:"first_job,omitempty"` // brought it first; 0: it is no longer on record
	LastJob  uint64 `json:"last_job,omitempty"`  // brought its values; likewise
	// Rejected is the newest row with its ids that a job has rejected since its values came. It counts all jobs on
	// record that did so, for any reason. It is nil if none did.
	Rejected *Rejection `json:"rejected,omitempty"`
	// LatestJob is the job on record that brought the latest snapshot of its provider; 0: none is. LatestRow is its
	// row in the documents of that job, if the snapshot has a row of the event and not the event. Of a feed of changes
	// it is the row that changed the event last, if that is not sold any more. It is nil if there is none, or the archive
	// does not have the documents, or no history was kept of a feed of changes.
	LatestJob uint64 `json:"latest_job,omitempty"`
	LatestRow *Row   `json:"latest_row,omitempty"`

	latest time.Time // when LatestJob began

	// Refused is the newest job that brought a newer snapshot, which was refused as suspect. It is nil if none did.
	Refused *Refusal `json:"refused,omitempty"`

	// Origin is the row that its values come from. If it is nil, NoOrigin says why.
	Origin   *Place `json:"origin,omitempty"`
	NoOrigin string `json:"no_origin,omitempty"`
	// TableRow is the row of a table that the last job has brought, and that Origin takes values from. It
	// is nil if there is none.
	TableRow *Place `json:"table_row,omitempty"`

	// History has the latest changes that the store has kept, the newest first, at most MaxChanges, and
	// then the oldest version if these are all.
	History []Change `json:"history,omitempty"`

	StartsAt  string `json:"starts_at"`  // when it starts, in UTC
	EndsAt    string `json:"ends_at"`    // when it ends, in UTC; as it starts if the provider gave no end
	CountedIn string `json:"counted_in"` // the IANA name of the zone in which its local times count
	OwnZone   bool   `json:"own_zone"`   // the zone is the event's own, not its provider's

	// OfChanges says that its provider has a feed of changes, in which an event is until it is deleted.
	OfChanges bool `json:"of_changes,omitempty"`

	MinPrice event.Price `json:"min_price"`
	MaxPrice event.Price `json:"max_price"`
	// Uncounted says for each price zone, in their order, why its price does not count. It is
	// empty for a zone whose price does.
	Uncounted []string `json:"uncounted"`

	FoundBy string   `json:"found_by"`         // a search that finds it: the path and the query
	Search  *Verdict `json:"search,omitempty"` // of the search that was asked about
}

// A Verdict says whether a search finds an event, and why.
type Verdict struct {
	Found bool   `json:"found"`
	Why   string `json:"why"` // for people
}

// A Refusal is a job whose snapshot was refused as suspect, so that what is sold may be another one.
type Refusal struct {
	Job     uint64    `json:"job"`
	Started time.Time `json:"started"`
	Message string    `json:"message"` // of the job: why
	Jobs    int       `json:"jobs"`    // of which that is so: this one, and older ones
}

// A Removal is the record of events that somebody removed by hand.
type Removal struct {
	Record uint64    `json:"record"` // a job's id
	At     time.Time `json:"at"`
	What   string    `json:"what"` // for people
}

// A Rejection is a row that jobs could not keep, as the newest of them tells it.
type Rejection struct {
	Job     uint64    `json:"job"`     // the newest one
	Started time.Time `json:"started"` // the newest one
	feed.Rejection
	Jobs  int       `json:"jobs"`  // that rejected it: the newest one, and older ones
	Since time.Time `json:"since"` // when the oldest of them began

	oldest uint64
}

// by counts a job that is not newer than those before, once.
func (r *Rejection) by(job *store.Job) {
	if r.oldest != job.ID {
		r.oldest, r.Since = job.ID, job.Started
		r.Jobs++
	}
}

// Explain answers what is known of the events that a text names: a public id,
// provider/base id/event id as [event.Key.String] has it, which may be several events if ids have slashes, or a part of
// a title in any case, with or without accents. Of several titles those that are the whole text count alone. S is a
// search to explain the answer of, or nil. It reads all events to find a title, and all keys to find an id. No title
// begins with the name of a stored provider and has ids after that. An id or a key may be the one that an event had
// before its provider was renamed. The documents tell where the values come from and, of what is not stored, what became
// of its rows. By its title they tell only of a row that was rejected, and only the latest documents do.
func Explain(ctx context.Context, st store.Store, docs *Documents, text string, s *Search) (Answer, error) {
	answer := Answer{Events: []Event{}, Rejections: []Rejection{}}
	locations, _, err := st.Locations(ctx)
	if err != nil {
		return answer, err
	}
	found, err := answer.find(ctx, st, text, locations)
	if err != nil {
		return answer, err
	}
	var renamed *Renamed
	if len(found) == 0 {
		var now *event.Record
		if now, renamed, err = formerly(ctx, st, text); err != nil {
			return answer, err
		}
		if now != nil {
			found = append(found, *now)
		}
	}
	if len(found) == 0 {
		if err := answer.miss(ctx, st, text, locations); err != nil {
			return answer, err
		}
		answer.Archive, err = docs.search(ctx, st, text)
		return answer, err
	}
	for i := range found {
		e := explained(&found[i], locations[found[i].Provider])
		e.Renamed = renamed
		if s != nil {
			e.Search = s.judge(&found[i].Event, locations[found[i].Provider])
		}
		answer.Events = append(answer.Events, e)
	}
	if err := answer.findJobs(ctx, st); err != nil {
		return answer, err
	}
	for i := range answer.Events {
		e := &answer.Events[i]
		stream, err := st.Stream(ctx, e.Provider)
		if err != nil {
			return answer, err
		}
		e.OfChanges = stream.Generation > 0
		if err := e.addHistory(ctx, st); err != nil {
			return answer, err
		}
	}
	return answer, docs.origins(ctx, st, answer.Events)
}

// publicID returns the public id that a text is. The nil id is none: no event has it, and a filter with it
// finds all.
func publicID(text string) (id uuid.UUID, ok bool) {
	id, err := uuid.Parse(text)
	return id, err == nil && id != uuid.Nil
}

// find returns the events that a text names, and counts those that are left out.
func (a *Answer) find(ctx context.Context, st store.Store, text string, providers map[string]*time.Location) (found []event.Record, err error) {
	if id, ok := publicID(text); ok {
		return named(ctx, st, store.Filter{ID: id})
	}
	isKey := false
	for key := range keys(text) {
		isKey = isKey || providers[key.Provider] != nil
	}
	if found, err = withKeys(ctx, st, text); isKey || len(found) > 0 || err != nil {
		return found, err
	}
	part := inspect.Folded(text)
	if part == "" {
		return nil, nil
	}
	exact := false // found has events that have the whole text as title
	for r, err := range st.Records(ctx, store.Filter{Window: event.Always}) {
		if err != nil {
			return nil, err
		}
		title := inspect.Folded(r.Title)
		switch whole := title == part; {
		case !whole && (exact || !strings.Contains(title, part)):
			continue
		case whole && !exact:
			exact, found, a.More = true, nil, 0
		}
		if len(found) == MaxEvents {
			a.More++
			continue
		}
		found = append(found, r)
	}
	return found, nil
}

// named returns the event that a filter names, if it is stored.
func named(ctx context.Context, st store.Store, f store.Filter) (found []event.Record, err error) {
	f.Window = event.Always
	for r, err := range st.Records(ctx, f) {
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

// withKeys returns the stored events whose key a text may be. Of ids with slashes there can be several.
func withKeys(ctx context.Context, st store.Store, text string) (found []event.Record, err error) {
	for key := range keys(text) {
		one, err := named(ctx, st, store.Filter{Key: key})
		if err != nil {
			return nil, err
		}
		found = append(found, one...)
	}
	return found, nil
}

// maxSlashes bounds those of a text that may be a key: each may be the one before the event id.
const maxSlashes = 20

// keys yields the keys that a text may be: see [event.Key.String]. Ids may have slashes, too.
func keys(text string) iter.Seq[event.Key] {
	return func(yield func(event.Key) bool) {
		provider, ids, _ := strings.Cut(text, "/")
		if event.ValidProvider(provider) != nil || strings.Count(ids, "/") > maxSlashes {
			return
		}
		for i := range ids {
			if ids[i] == '/' && i > 0 && i < len(ids)-1 && !yield(event.Key{Provider: provider, BaseID: ids[:i], EventID: ids[i+1:]}) {
				return
			}
		}
	}
}

// wantedBy returns what to look for in rows if a text is a public id, or may be a key. If it is neither, it is a
// part of a title.
func wantedBy(text string) inspect.Wanted {
	w := inspect.Wanted{Keys: slices.Collect(keys(text))}
	id, ok := publicID(text)
	w.ID = id
	if !ok && len(w.Keys) == 0 {
		w.Title = inspect.Folded(text)
	}
	return w
}

// explained returns what is known of an event whose provider is at loc.
func explained(r *event.Record, loc *time.Location) Event {
	entry := event.NewEntry(&r.Event, loc)
	lowest, highest := r.PriceRange()
	e := Event{
		ID: entry.ID, Record: *r,
		StartsAt: instant(entry.Start), EndsAt: instant(entry.End),
		FoundBy: foundBy(entry), CountedIn: loc.String(), MinPrice: lowest, MaxPrice: highest, Uncounted: []string{},
	}
	if r.TimeZone != "" {
		e.CountedIn, e.OwnZone = r.TimeZone, true
	}
	for i := range r.Zones {
		z := &r.Zones[i]
		why := ""
		switch {
		case r.SoldOut:
			why = "the event is sold out"
		case z.Capacity == 0 && !z.Available:
			why = "it has no tickets left"
		case !z.Price.Known():
			why = "its provider gives no price"
		}
		e.Uncounted = append(e.Uncounted, why)
	}
	return e
}

// findJobs adds the jobs that brought the events, and those that rejected newer rows of them. What a job brings is
// recorded as of the moment at which the job began, or asked for the page of a feed of changes. The jobs of a provider
// come one after the other, but for a replay, which makes a job of each page: all of them begin with the first one.
func (a *Answer) findJobs(ctx context.Context, st store.Store) error {
	var first, last [MaxEvents]time.Time // when the jobs began
	for job, err := range st.Jobs(ctx, store.JobFilter{}) {
		if err != nil {
			return err
		}
		// A process that was killed while it followed a feed of changes did not record what it had brought.
		brought := (job.New+job.Changed > 0 || job.Kind == feed.KindInterrupted) && job.Trigger.Collects()
		for i := range a.Events {
			e := &a.Events[i]
			if e.Provider != job.Provider {
				continue
			}
			e.rejectedBy(&job)
			if job.Applied() && e.LatestJob == 0 {
				e.LatestJob, e.latest = job.ID, job.Started
			}
			if job.Kind == feed.KindSuspect && e.LatestJob == 0 {
				if e.Refused == nil {
					e.Refused = &Refusal{Job: job.ID, Started: job.Started, Message: job.Message}
				}
				e.Refused.Jobs++
			}
			if brought {
				bring(&e.FirstJob, &first[i], &job, e.FirstSeen)
				bring(&e.LastJob, &last[i], &job, e.LastChanged)
			}
		}
	}
	return nil
}

// rejectedBy adds the last row with the ids of the event that a job has rejected, unless the job was over when the
// event was changed. A later call has an older job. A job of a feed of changes can have rejected the row before it
// brought the values: its record does not tell.
func (e *Event) rejectedBy(job *store.Job) {
	if job.Started.Before(e.LastChanged) && !job.Finished.IsZero() && !job.Finished.After(e.LastChanged) {
		return
	}
	w := inspect.Wanted{Keys: []event.Key{e.Key}}
	for _, r := range slices.Backward(job.Rejections) {
		if !w.Is(event.Key{Provider: job.Provider, BaseID: r.BaseID, EventID: r.EventID}) {
			continue
		}
		if e.Rejected == nil {
			e.Rejected = &Rejection{Job: job.ID, Started: job.Started, Rejection: r}
		}
		e.Rejected.by(job)
	}
}

// bring makes a job the one that brought something as of a time, if it was on then. Of several the oldest counts,
// unless another one began at that time.
func bring(id *uint64, began *time.Time, job *store.Job, at time.Time) {
	on := !at.Before(job.Started) && (job.Finished.IsZero() || !at.After(job.Finished))
	if on && (*id == 0 || job.Started.Equal(at) || !began.Equal(at)) {
		*id, *began = job.ID, job.Started
	}
}

// maxElsewhere bounds the keys that are looked up for events of other providers.
const maxElsewhere = 200

// miss adds why nothing that a text names is stored: rejected rows, removals, and names of events with
// these ids of other providers, since a name may have changed or been left out.
func (a *Answer) miss(ctx context.Context, st store.Store, text string, providers map[string]*time.Location) error {
	w := wantedBy(text)
	for job, err := range st.Jobs(ctx, store.JobFilter{}) {
		if err != nil {
			return err
		}
		if job.Trigger == store.Forget && len(w.Keys) > 0 && job.Provider == w.Keys[0].Provider && len(a.Removals) < MaxEvents {
			a.Removals = append(a.Removals, Removal{job.ID, job.Started, job.Message})
		}
		for _, r := range job.Rejections {
			key := event.Key{Provider: job.Provider, BaseID: r.BaseID, EventID: r.EventID}
			if w.Is(key) {
				a.reject(&job, r)
			}
		}
	}
	looked := 0
	_, ids, _ := strings.Cut(text, "/")
	for _, provider := range slices.Sorted(maps.Keys(providers)) {
		for _, name := range []string{provider + "/" + text, provider + "/" + ids} {
			for key := range keys(name) {
				if looked++; looked > maxElsewhere || len(a.Elsewhere) == MaxEvents {
					return nil
				}
				found, err := named(ctx, st, store.Filter{Key: key})
				if err != nil {
					return err
				}
				if len(found) > 0 {
					a.Elsewhere = append(a.Elsewhere, key.String())
				}
			}
		}
	}
	return nil
}

// reject adds a row that a job has rejected, or counts it to those with the same ids and reason. A later call has an
// older job.
func (a *Answer) reject(job *store.Job, r feed.Rejection) {
	at := slices.IndexFunc(a.Rejections, func(other Rejection) bool {
		return other.BaseID == r.BaseID && other.EventID == r.EventID && other.Reason == r.Reason
	})
	if at < 0 {
		if len(a.Rejections) == MaxEvents {
			return
		}
		at = len(a.Rejections)
		a.Rejections = append(a.Rejections, Rejection{Job: job.ID, Started: job.Started, Rejection: r})
	}
	a.Rejections[at].by(job)
}

// A Search is what somebody searches for. Use [ParseSearch] to make one.
type Search struct {
	window  event.Window
	overlap bool
}

// ParseSearch reads the parameters of GET /search. All of them may be empty. It returns nil if
// none is given.
func ParseSearch(startsAt, endsAt, match string) (*Search, error) {
	if startsAt == "" && endsAt == "" && match == "" {
		return nil, nil //nolint:nilnil // no search
	}
	s := &Search{window: event.Always, overlap: match == "overlap"}
	if match != "" && match != "overlap" && match != "within" {
		return nil, fmt.Errorf("match is %.40q: it is either within, which is what counts when it is left out, or overlap", match)
	}
	var from, to event.Instant
	var err error
	if startsAt != "" {
		if from, err = event.ParseInstant(startsAt); err != nil {
			return nil, fmt.Errorf("starts_at %.60q: %w; write it like 2021-06-30T21:00:00Z", startsAt, err)
		}
		s.window.From = from.Ceil()
	}
	if endsAt != "" {
		if to, err = event.ParseInstant(endsAt); err != nil {
			return nil, fmt.Errorf("ends_at %.60q: %w; write it like 2021-06-30T22:00:00Z", endsAt, err)
		}
		s.window.To = to.Floor()
	}
	if startsAt != "" && endsAt != "" && from.Compare(to) > 0 {
		return nil, fmt.Errorf("starts_at %s is after ends_at %s", startsAt, endsAt)
	}
	return s, nil
}

// judge returns whether the search finds an event whose provider is at loc, and why.
func (s *Search) judge(e *event.Event, loc *time.Location) *Verdict {
	entry := event.NewEntry(e, loc)
	ends := "ends"
	if e.End.IsZero() {
		ends = "has no end, so it ends when it starts:"
	}
	v := s.reason(entry.Start, entry.End, ends)
	if !v.Found && !s.overlap {
		if other := (&Search{s.window, true}).reason(entry.Start, entry.End, ends); other.Found {
			v.Why += "; with match=overlap the search finds it"
		}
	}
	// Who reads its local times as UTC expects another answer.
	plain := *e
	plain.TimeZone = ""
	utc := event.NewEntry(&plain, time.UTC)
	if s.reason(utc.Start, utc.End, ends).Found != v.Found {
		v.Why += "; if its local times were UTC the answer would be the opposite, but they count in " + cmp.Or(e.TimeZone, loc.String())
	}
	return &v
}

// reason returns whether the search finds what is on between two Unix seconds. Ends is the verb for the
// second one.
func (s *Search) reason(start, end int64, ends string) Verdict {
	var against []string
	add := func(is bool, what string, at, bound int64, where string) {
		if is {
			against = append(against, fmt.Sprintf("it %s %s, %s %s", what, instant(at), apart(at, bound), where))
		}
	}
	in := "it starts at or after starts_at, and ends at or before ends_at"
	if s.overlap {
		in = "it starts at or before ends_at, and ends at or after starts_at"
		add(start > s.window.To, "starts", start, s.window.To, "after ends_at")
		add(end < s.window.From, ends, end, s.window.From, "before starts_at")
	} else {
		add(start < s.window.From, "starts", start, s.window.From, "before starts_at")
		add(end > s.window.To, ends, end, s.window.To, "after ends_at")
	}
	if len(against) == 0 {
		return Verdict{true, in}
	}
	return Verdict{false, strings.Join(against, ", and ")}
}

// lastSecond is the last one that a search can name: the end of the year 9999, in UTC.
const lastSecond = 253402300799

// foundBy returns a search that finds an event, and others only if they lie within its times.
func foundBy(e *event.Entry) string {
	search := "/search?starts_at=" + instant(min(e.Start, lastSecond))
	if e.End <= lastSecond {
		search += "&ends_at=" + instant(e.End)
	}
	return search
}

// instant writes a Unix second as RFC 3339 does. It is a text, since an event on the last day of
// the year 9999 can be in the next one in UTC, which [time.Time] does not encode.
func instant(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }

// apart writes how far two Unix seconds are apart, for people.
func apart(a, b int64) string {
	seconds := max(a, b) - min(a, b)
	if days := seconds / (24 * 60 * 60); days > 1 {
		return fmt.Sprintf("%d days", days)
	}
	text := (time.Duration(seconds) * time.Second).String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}
