package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"fever/internal/harness"
)

// keepJobs is how many finished jobs of each provider fever is told to keep.
const keepJobs = 1000

// A job is one of fever dump --jobs.
type job struct {
	ID          uint64
	Provider    string
	State       string
	Kind        string
	Started     time.Time
	Finished    time.Time
	Bytes       int64
	NotModified bool `json:"not_modified"`
}

// A record is one of fever dump.
type record struct {
	Provider    string
	BaseID      string `json:"base_id"`
	Title       string
	Start       string
	End         string
	Current     bool
	FirstSeen   time.Time `json:"first_seen"`
	LastChanged time.Time `json:"last_changed"`
}

// dump runs fever dump on the database, and decodes what it prints.
func dump[T any](ctx context.Context, r *rig, args ...string) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	command := harness.Command(ctx, r.fever, slices.Concat([]string{"dump", "--db", r.primary.URL(database), "--format", "json"}, args)...)
	out, err := harness.Output(command)
	if err != nil {
		return nil, err
	}
	var all []T
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, fmt.Errorf("fever dump: %w", err)
	}
	return all, nil
}

// examine checks what is stored: each snapshot was applied once, in order, and none that was
// acknowledged is missing, unless the rig is lossy; and the events are what these snapshots make.
func (r *rig) examine(ctx context.Context) error {
	said := make(map[string][]harness.Line) // before the jobs are read, as there are new ones all the time
	var failed []harness.Line
	for _, x := range r.replicas {
		completed, gaveUp := x.said()
		said[x.name], failed = completed, append(failed, gaveUp...)
	}
	jobs, err := dump[job](ctx, r, "--jobs")
	if err != nil {
		return err
	}
	slices.SortFunc(jobs, func(a, b job) int { return cmp.Compare(a.ID, b.ID) })
	dropped := make(map[string]uint64) // by provider: older jobs need not be there any more
	kept := make(map[string]int)
	for _, j := range slices.Backward(jobs) {
		if kept[j.Provider]++; kept[j.Provider] == keepJobs {
			dropped[j.Provider] = j.ID
		}
	}
	var applied [providers][]int
	completed := make(map[uint64]job)
	snapshots := 0
	for _, j := range jobs {
		p := providerNumber(j.Provider)
		if p < 0 {
			return fmt.Errorf("job %d of provider %q", j.ID, j.Provider)
		}
		if j.State != "completed" {
			continue
		}
		completed[j.ID] = j
		if j.NotModified {
			continue
		}
		version := versionOf(j.Bytes)
		if n := len(applied[p]); n > 0 && version <= applied[p][n-1] {
			return fmt.Errorf("job %d brought version %d of %s after version %d", j.ID, version, j.Provider, applied[p][n-1])
		}
		applied[p] = append(applied[p], version)
		snapshots++
	}
	acknowledged, lost, fenced := 0, 0, 0
	by := make(map[uint64]string)
	for _, x := range r.replicas {
		fenced += x.fenced()
		for _, line := range said[x.name] {
			acknowledged++
			if line.Job < dropped[line.Provider] {
				continue
			}
			j, ok := completed[line.Job]
			if there := ok && j.Bytes == line.Bytes && j.NotModified == line.NotModified; !there && !r.lossy {
				return fmt.Errorf("%s said that job %d has completed, and the database has %+v", x.name, line.Job, j)
			} else if !there {
				lost++
			}
			if other := by[line.Job]; other != "" && !r.lossy {
				return fmt.Errorf("%s and %s said that job %d has completed", x.name, other, line.Job)
			}
			by[line.Job] = x.name
		}
	}
	for _, line := range failed {
		if j, ok := completed[line.Job]; ok && !r.lossy {
			return fmt.Errorf("a replica said that job %d has failed (%s), and the database has %+v", line.Job, line.Error, j)
		}
	}
	records, err := dump[record](ctx, r)
	if err != nil {
		return err
	}
	if err := compare(records, applied); err != nil {
		return err
	}
	r.say("%d snapshots applied, each once and in order; %d jobs acknowledged, %d of them lost; %d refused, as another replica had taken over", snapshots, acknowledged, lost, fenced)
	return nil
}

// compare returns an error unless the records are what versions make that were applied one after
// the other.
func compare(found []record, applied [providers][]int) error {
	want := make(map[string]record)
	for p, versions := range applied {
		for i := range events {
			for n, version := range slices.Backward(versions) {
				if !shows(i, version) {
					continue
				}
				o := occurrenceOf(p, i, version)
				want[o.title] = record{Provider: providerName(p), BaseID: fmt.Sprint(i), Title: o.title, Start: o.start, End: o.end, Current: n == len(versions)-1}
				break
			}
		}
	}
	for _, got := range found {
		got.FirstSeen, got.LastChanged = time.Time{}, time.Time{}
		if got != want[got.Title] {
			return fmt.Errorf("event %+v is stored, which should be %+v", got, want[got.Title])
		}
		delete(want, got.Title)
	}
	if len(want) > 0 {
		return fmt.Errorf("%d events are not stored", len(want))
	}
	return nil
}
