// Package page has the status page.
package page

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"fever/explain"
	"fever/index"
	"fever/ingest"
	"fever/ingest/sandbox"
	"fever/ops/human"
	"fever/store"
)

//go:embed *.html *.css *.js *.svg
var files embed.FS

// pageTemplate is parsed once it is needed: most runs of this program never show the page.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page.html").Funcs(template.FuncMap{
		"ago":    ago,
		"amount": amount,
		"bytes":  size,
		"rough":  rough,
		"span":   human.Duration,
		"number": number,
		"past":   func(history []explain.Change) past { return newPast(history, time.Now()) },
	}).ParseFS(files, "*.html"))
})

// A Page answers "/" with everything that a person on call wants to know, and "/page/" with
// its style sheet, script and icons. The script keeps the page up to date. The page also
// works without it.
type Page struct {
	Index    *index.Index
	Ingester *ingest.Ingester
	Store    store.Store
	// Documents are those that the search of the page reads, to explain why it finds an event or not.
	Documents *explain.Documents
	Search    http.Handler // the public handler, for trying a search
	Version   string
	State     func() string   // the status of /readyz
	Traffic   func() Traffic  // how searches went
	Replicas  func() Replicas // nil: the store is not shared
	Log       *slog.Logger
	// Entry makes a sandbox of settings that somebody tries, for documents that have at most so many
	// bytes. It reads no file and no environment variable.
	Entry func(settings []byte, most int64) (*sandbox.Sandbox, error)

	trying chan struct{} // holds an element while a document is tried
}

// Routes adds the page.
func (p *Page) Routes(mux *http.ServeMux) {
	assets := http.StripPrefix("/page/", http.FileServerFS(files))
	mux.HandleFunc("GET /{$}", p.show)
	p.trying = make(chan struct{}, 1)
	mux.HandleFunc("GET /try", p.showTry)
	mux.HandleFunc("POST /try", p.tryProvider)
	for _, name := range []string{"page.css", "page.js", "ok.svg", "wait.svg", "bad.svg"} {
		mux.HandleFunc("GET /page/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache") // another binary has other files
			assets.ServeHTTP(w, r)
		})
	}
}

// Traffic has the numbers of searches of the last minute.
type Traffic struct {
	Answered int
	Shed     int           // got 503
	Failed   int           // got 500
	InFlight int           // now
	P50, P99 time.Duration // durations of the answered ones, estimated; 0: there are none
}

// A view is the data of the page.
type view struct {
	Now       time.Time
	Version   string
	Verdict   verdict
	Searches  Traffic
	Providers []card
	Replicas  []replicaRow
	Differ    bool // they have different settings
	Stored    stored
	Try       trial
}

func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	p.write(w, r, http.StatusOK, "page.html", p.look(r))
}

// look collects the data of the page. An error becomes a part of the verdict, since people
// need the rest of the page most when something is wrong.
func (p *Page) look(r *http.Request) view {
	ctx, now := r.Context(), time.Now()
	stats := p.Store.Stats()
	down := outage(&stats, now)
	v := view{Now: now.UTC(), Version: p.Version, Searches: p.Traffic()}
	var problems []error
	var bad, others []card // in this order
	for _, status := range p.Ingester.Status() {
		var jobs []store.Job
		var snapshot *store.Job
		if down == "" { // else each question may wait for long, and would be in vain
			var err1, err2 error
			jobs, err1 = p.jobs(ctx, status.Name)
			snapshot, err2 = p.snapshot(ctx, &status)
			if err := errors.Join(err1, err2); err != nil {
				problems = append(problems, err)
			}
		}
		if c := newCard(now, status, jobs, snapshot); c.Level == levelBad {
			bad = append(bad, c)
		} else {
			others = append(others, c)
		}
	}
	v.Providers = slices.Concat(bad, others)
	snapshot := p.Index.Snapshot()
	if snapshot != nil {
		query := r.URL.Query()
		v.Stored = newStored(p.Index.Days(), query.Get("provider"), query.Get("year"), now)
		v.Stored.Events = snapshot.Events
	}
	if stats.Broken != nil {
		problems = []error{stats.Broken} // the cause of the others
	}
	if p.Replicas != nil {
		replicas := p.Replicas()
		v.Replicas, v.Differ = replicas.rows(), replicas.differ()
	}
	v.Verdict = judge(p.State(), problems, down, v.Searches, v.Providers, v.Differ, int(p.Ingester.Unarchived.Load()))
	v.Try = p.try(r, v.Stored)
	return v
}

// snapshot returns the job of a provider's latest snapshot, if the page shows something of
// it and it is on record, or else nil.
func (p *Page) snapshot(ctx context.Context, s *ingest.Status) (*store.Job, error) {
	if s.Rejected == 0 && s.Suspect == "" { // nothing of it is shown
		return nil, nil
	}
	for job, err := range p.Store.Jobs(ctx, store.JobFilter{Provider: s.Name, Before: s.Snapshot + 1, Limit: 1}) {
		if err != nil {
			return nil, err
		}
		if job.ID == s.Snapshot {
			return &job, nil
		}
	}
	return nil, nil
}

// jobs returns the newest jobs of a provider: those of its chart, and the one under way.
func (p *Page) jobs(ctx context.Context, provider string) ([]store.Job, error) {
	var jobs []store.Job
	for job, err := range p.Store.Jobs(ctx, store.JobFilter{Provider: provider, Limit: chartRuns + 1}) {
		if err != nil {
			return jobs, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}
