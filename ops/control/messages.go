package control

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"fever/event"
	"fever/store"
)

// An envelope is around the data of every answer in JSON, but for those about health.
type envelope struct {
	Data  any       `json:"data"`
	Error *struct{} `json:"error"`
}

// Readiness is the answer of GET /readyz. It has no envelope.
type Readiness struct {
	Status    string              `json:"status"` // ready, waiting (for the data file), loading, collecting, draining or stopping
	Events    int                 `json:"events"`
	Store     *StoreDown          `json:"store,omitempty"` // while a database does not answer: searches go on from memory
	Providers []ProviderReadiness `json:"providers"`
}

// StoreDown is the part of a database in [Readiness].
type StoreDown struct {
	Down time.Time `json:"down"` // since when it has not answered
	Why  string    `json:"why"`
}

// ProviderReadiness is the part of a provider in [Readiness].
type ProviderReadiness struct {
	Freshness
	NotReady string `json:"not_ready,omitempty"` // while collecting: why the service waits for this provider
}

// Providers is the data of GET /providers.
type Providers struct {
	Providers []ProviderStatus `json:"providers"`
}

// Jobs is the data of GET /jobs.
type Jobs struct {
	Jobs []store.Job `json:"jobs"` // the newest first
	Next *uint64     `json:"next"` // the value of before for the next page; null: this is the last
}

// Synced is the data of POST /sync.
type Synced struct {
	Jobs []store.Job `json:"jobs"` // as they are now; one that waits for a worker has no id
	Busy []string    `json:"busy"` // providers without a new job, as their last one still runs
}

// Imported is the data of POST /snapshots.
type Imported struct {
	Job store.Job `json:"job"`
}

// A line is a line of the answer of GET /events.
type line struct {
	ID uuid.UUID `json:"id"`
	event.Record
}

// values returns a query of pairs of names and values. It leaves out empty values.
func values(pairs ...string) url.Values {
	query := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			query.Set(pair[0], pair[1])
		}
	}
	return query
}

func flag(set bool) string {
	if set {
		return "1"
	}
	return ""
}

func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// Run is the query of POST /sync and of POST /snapshots.
type Run struct {
	Provider string // empty: all of them; POST /snapshots needs one
	Force    bool   // read the document even if it has not changed, and refuse none as suspect
	Wait     bool   // answer when the jobs have ended; POST /snapshots always does
}

func (r Run) values() url.Values {
	return values("provider", r.Provider, "force", flag(r.Force), "wait", flag(r.Wait))
}

func (q *Query) run() Run {
	return Run{Provider: q.Name("provider"), Force: q.flag("force"), Wait: q.flag("wait")}
}

// Events is the query of GET /events.
type Events struct {
	Provider         string // empty: all of them
	StartsAt, EndsAt string // date-times of RFC 3339, as for a search; empty: no bound
	Limit            int    // 0: all
}

func (e Events) values() url.Values {
	return values("provider", e.Provider, "starts_at", e.StartsAt, "ends_at", e.EndsAt, "limit", number(uint64(e.Limit)))
}

// Filter reads the query of GET /events. As of a search, a window that ends before it begins is
// an error.
func (q *Query) Filter() store.Filter {
	f := store.Filter{Provider: q.Name("provider"), Window: event.Always, Limit: int(q.Number("limit", 0, 0, MaxID))}
	from, begins := q.instant("starts_at")
	if begins {
		f.Window.From = from.Ceil()
	}
	to, ends := q.instant("ends_at")
	if ends {
		f.Window.To = to.Floor()
	}
	if begins && ends && from.Compare(to) > 0 {
		q.Fail("starts_at is after ends_at")
	}
	return f
}

// The query of GET /jobs is a [store.JobFilter].
func jobValues(f store.JobFilter) url.Values {
	return values("provider", f.Provider, "state", string(f.State), "before", number(f.Before), "limit", number(uint64(f.Limit)))
}

// Bounds of one page of jobs. One job with its rejections can have 150 KiB, so a page may
// have fewer jobs than the limit although others follow. Clients have to look at next.
const (
	usualJobs = 50
	mostJobs  = 1000
	pageBytes = 4 << 20
)

func (q *Query) jobFilter() store.JobFilter {
	f := store.JobFilter{
		Provider: q.Name("provider"),
		State:    store.State(q.oneOf("state", string(store.Pending), string(store.Running), string(store.Completed), string(store.Failed))),
		Before:   q.Number("before", 0, 1, MaxID),
		Limit:    int(q.Number("limit", usualJobs, 1, mostJobs)),
	}
	if f.State == store.Pending {
		q.Fail("state is pending: a job that waits for a worker has no record yet; /providers says whose does")
	}
	return f
}

// The query of POST /forget is a [store.Forgetting], its answer a [store.Forgotten].
func forgetValues(f store.Forgetting) url.Values {
	return values("provider", f.Provider, "gone_before", f.GoneBefore.String(), "dry_run", flag(f.DryRun))
}

func (q *Query) forgetting() store.Forgetting {
	f := store.Forgetting{Provider: q.required("provider"), DryRun: q.flag("dry_run")}
	if text, given := q.Text("gone_before"); given {
		var err error
		if f.GoneBefore, err = store.ParseCutoff(text); err != nil {
			q.Fail("gone_before: %v", err)
		}
	}
	return f
}

// The query of POST /rename is a [store.Renaming], its answer a [store.Renamed].
func renameValues(r store.Renaming) url.Values {
	return values("from", r.From, "to", r.To, "dry_run", flag(r.DryRun))
}

func (q *Query) renaming() store.Renaming {
	r := store.Renaming{From: q.required("from"), To: q.required("to"), DryRun: q.flag("dry_run")}
	if r.From == r.To {
		q.Fail("from and to are the same name")
	}
	return r
}
