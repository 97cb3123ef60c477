package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"fever/ops/human"
	"fever/store"
)

var jobForms = forms[store.Job]{
	none:    "No jobs.",
	columns: "ID\tWHEN\tPROVIDER\tTRIGGER\tSTATE\tTOOK\tATTEMPTS\tHTTP\tBYTES\tSEEN\tNEW\tCHANGED\tREJECTED\tGONE\tNOTE",
	row:     jobRow,
	fields: []string{
		"id", "provider", "trigger", "state", "scheduled", "started", "finished", "attempts", "http_status", "bytes", "not_modified",
		"seen", "new", "changed", "unchanged", "ignored", "rejected", "gone", "kind", "message",
	},
	record: jobRecord,
}

// maxNote bounds the message of a failure in a table, in characters.
const maxNote = 100

func jobRow(job store.Job) string {
	status := "-"
	if job.HTTPStatus != 0 {
		status = strconv.Itoa(job.HTTPStatus)
	}
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s", job.ID, job.Started.Local().Format(time.DateTime), job.Provider,
		job.Trigger, job.State, took(&job), job.Attempts, status, humanize.Bytes(uint64(job.Bytes)), counts(&job), note(&job))
}

// counts returns the cells with the counts of a job. They are empty if the job decoded
// nothing, since zeros would be misleading. A job that failed may have stored pages of a feed of
// changes before.
func counts(job *store.Job) string {
	if job.NotModified || job.State != store.Completed && job.Seen == 0 {
		return "-\t-\t-\t-\t-"
	}
	return fmt.Sprintf("%d\t%d\t%d\t%d\t%d", job.Seen, job.New, job.Changed, job.Rejected, job.Gone)
}

func note(job *store.Job) string {
	switch {
	case job.NotModified:
		return "not modified"
	case job.State == store.Failed:
		return cell(string(job.Kind)+": "+strings.TrimPrefix(job.Message, "provider "+job.Provider+": "), maxNote)
	case job.Message != "":
		return cell(job.Message, maxNote)
	}
	return "-"
}

// took returns how long a job took.
func took(job *store.Job) string {
	if job.Finished.IsZero() {
		return "-"
	}
	return human.Duration(job.Finished.Sub(job.Started))
}

func jobRecord(job store.Job) ([]string, error) {
	return []string{
		strconv.FormatUint(job.ID, 10), job.Provider, string(job.Trigger), string(job.State),
		moment(job.Scheduled), moment(job.Started), moment(job.Finished),
		strconv.Itoa(job.Attempts), strconv.Itoa(job.HTTPStatus), strconv.FormatInt(job.Bytes, 10), strconv.FormatBool(job.NotModified),
		strconv.Itoa(job.Seen), strconv.Itoa(job.New), strconv.Itoa(job.Changed), strconv.Itoa(job.Unchanged), strconv.Itoa(job.Ignored),
		strconv.Itoa(job.Rejected), strconv.Itoa(job.Gone), string(job.Kind), job.Message,
	}, nil
}

// moment returns a time for machines, or "" for the zero time.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(millis)
}
