package cli

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"fever/explain"
	"fever/store"
)

// A printedVersion is a version of an event as it is printed.
type printedVersion struct {
	dumped
	At  time.Time `json:"at"`
	Job uint64    `json:"job,omitempty"`

	before *dumped // the version before it; nil: none is known
}

// withBefore puts each version beside the one before it, at most so many; 0: all. Without a version there
// is an error.
func withBefore(all iter.Seq2[store.Version, error], limit int) iter.Seq2[printedVersion, error] {
	return func(yield func(printedVersion, error) bool) {
		var later *printedVersion
		n := 0
		for v, err := range all {
			if err != nil {
				yield(printedVersion{}, err)
				return
			}
			this := &printedVersion{dumped: *withID(&v.Record), At: v.At, Job: v.Job}
			if later != nil {
				later.before = &this.dumped
				if n++; !yield(*later, nil) || n == limit {
					return
				}
			}
			later = this
		}
		if later == nil {
			yield(printedVersion{}, errNoEvent)
			return
		}
		yield(*later, nil)
	}
}

var errNoEvent = errors.New("no such event is stored: give its public id, or provider/base id/event id, as fever dump prints them")

var historyForms = forms[printedVersion]{
	columns: "SINCE\tJOB\tWHAT",
	row:     versionRow,
	fields:  append([]string{"at", "job"}, eventForms.fields...),
	record: func(v printedVersion) ([]string, error) {
		fields, err := eventRecord(v.dumped)
		return append([]string{v.At.Format(millis), strconv.FormatUint(v.Job, 10)}, fields...), err
	},
}

func versionRow(v printedVersion) string {
	job, what := "-", fmt.Sprintf("%q, prices %s, tickets %s", v.Title, explain.Prices(&v.Event), explain.Tickets(&v.Event))
	if v.Job > 0 {
		job = strconv.FormatUint(v.Job, 10)
	}
	if v.before != nil {
		what = strings.Join(explain.Changed(&v.before.Record, &v.Record), "; ")
	}
	return fmt.Sprintf("%s\t%s\t%s", v.At.Format(millis), job, cell(what, 400))
}
