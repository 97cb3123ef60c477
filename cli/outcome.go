package cli

import (
	"fmt"
	"io"
	"math"

	"fever/ingest"
	"fever/ops/human"
	"fever/provider/feed"
	"fever/store"
)

// line makes text from outside safe to print within a line: see [cell].
func line(text string) string { return cell(text, math.MaxInt) }

// A printer writes lines, and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// rowCounts says in short what became of the rows of a job.
func rowCounts(job *store.Job) string {
	return fmt.Sprintf("%d seen: %d new, %d changed, %d unchanged, %d not online, %d rejected; %d gone",
		job.Seen, job.New, job.Changed, job.Unchanged, job.Ignored, job.Rejected, job.Gone)
}

// idsOf writes the ids of a rejected row, as far as they are known.
func idsOf(r *feed.Rejection) string {
	switch {
	case r.BaseID == "" && r.EventID == "":
		return ""
	case r.EventID == "":
		return ", base id " + line(r.BaseID)
	case r.BaseID == "":
		return ", event id " + line(r.EventID)
	}
	return ", event " + line(r.BaseID) + "/" + line(r.EventID)
}

// printOutcome prints the outcome of a job for people.
func printOutcome(w io.Writer, label string, job *store.Job) error {
	p := &printer{w: w}
	took := human.Duration(job.Finished.Sub(job.Started))
	switch {
	case job.State != store.Completed:
		attempts := ""
		if job.Attempts > 1 {
			attempts = fmt.Sprintf(" and %d attempts", job.Attempts)
		}
		p.printf("%s: failed after %s%s: %s: %s\n", label, took, attempts, job.Kind, line(job.Message))
		if job.Seen > 0 {
			p.printf("  stored before that: %s\n", rowCounts(job))
		}
		return p.err
	case job.NotModified:
		p.printf("%s: completed in %s: not modified since the last time\n", label, took)
	default:
		more := ""
		if job.More {
			more = "; the feed goes on"
		}
		p.printf("%s: completed in %s: %s%s\n", label, took, rowCounts(job), more)
	}
	if job.Suspect != "" {
		p.printf("  suspect: %s\n", ingest.Suspicion(job.Suspect))
	}
	for _, r := range job.Rejections {
		if job.Rejected == 0 { // it is about the document, not a row
			p.printf("  line %d: %s\n", r.Line, line(r.Reason))
			continue
		}
		p.printf("  rejected: line %d%s: %s\n", r.Line, idsOf(&r), line(r.Reason))
	}
	if more := job.Rejected - len(job.Rejections); more > 0 {
		p.printf("  and %d more rejected\n", more)
	}
	return p.err
}
