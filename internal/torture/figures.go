package main

import (
	"fmt"
	"io"
	"time"
)

// figures count the kills by what the process was doing.
type figures struct {
	searches    int // answers compared with the stored events, or checked for mixed versions
	completed   int // jobs, each with its snapshot
	archived    int // of these, whose document is in the archive
	replayed    int // of these, from the archive
	interrupted int // jobs that ran when the process was killed
	starved     int // processes that had no room
	failed      int // jobs that failed for that

	// Each kill counts in one of these.
	creating   int // there was no data file yet, or nothing in it
	starting   int // it did not serve yet
	idle       int // no job ran
	fetching   int // jobs ran, and none had its feed
	committing int // a job had its feed: it was decoded, compared, or committed
	untold     int // a job was committed, and this was not said yet
}

// count counts a kill. Since the last one so many jobs have completed; running has those that
// ran at the kill.
func (f *figures) count(v *victim, completed int, running []job) {
	f.completed += completed
	f.failed += v.process.failed
	if v.process.starved {
		f.starved++
	}
	if !isClosed(v.process.Serving) {
		f.starting++ // its running jobs may be those of the process before
		return
	}
	f.interrupted += len(running)
	committing := false
	for _, j := range running {
		p := providerNumber(j.Provider)
		committing = committing || v.feeds.lastSent(p) > v.model.version[p]
	}
	switch {
	case completed > len(v.process.completed):
		f.untold++
	case committing:
		f.committing++
	case len(running) > 0:
		f.fetching++
	default:
		f.idle++
	}
}

func (f *figures) print(out io.Writer, took time.Duration, seed uint64) error {
	_, err := fmt.Fprintf(out, `
seed %d, %s
%6d kills: each file was whole, and all that was said and shown was in it
%6d   before the data file was made
%6d   while starting and loading
%6d   while jobs fetched
%6d   while a feed was decoded, compared or committed
%6d   after a commit, before it was said
%6d   between jobs
%6d jobs completed, each in the file with exactly its snapshot
%6d of their documents in the archive, each as it was sent; only processes without room left some out
%6d of these run again from the archive, with the same result
%6d jobs interrupted, each recorded as that by the next process
%6d jobs failed for want of room in %d of the processes; searches went on, and so did the next process
%6d answers of searches compared
`, seed, took.Round(time.Second), f.creating+f.starting+f.fetching+f.committing+f.untold+f.idle, f.creating, f.starting, f.fetching,
		f.committing, f.untold, f.idle, f.completed, f.archived, f.replayed, f.interrupted, f.failed, f.starved, f.searches)
	return err
}
