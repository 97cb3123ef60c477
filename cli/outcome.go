package cli

import (
	"cmp"
	"fmt"
	"io"
	"math"

	"fever/ingest"
	"fever/ops/human"
	"fever/store"
)

// line makes text from outside fit for a line that people read: see [cell].
func line(text string) string { return cell(text, math.MaxInt) }

// printOutcome tells people what a job did.
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
		return p.err
	case job.NotModified:
		p.printf("%s: completed in %s: not modified since the last time\n", label, took)
	default:
		p.printf("%s: completed in %s: %d seen: %d new, %d changed, %d unchanged, %d not online, %d rejected; %d gone\n",
			label, took, job.Seen, job.New, job.Changed, job.Unchanged, job.Ignored, job.Rejected, job.Gone)
	}
	if job.Suspect != "" {
		p.printf("  suspect: %s\n", ingest.Suspicion(job.Suspect))
	}
	for _, r := range job.Rejections {
		if job.Rejected == 0 { // it is no row
			p.printf("  line %d: %s\n", r.Line, line(r.Reason))
			continue
		}
		p.printf("  rejected: line %d, event %s/%s: %s\n", r.Line, line(cmp.Or(r.BaseID, "?")), line(cmp.Or(r.EventID, "?")), line(r.Reason))
	}
	if more := job.Rejected - len(job.Rejections); more > 0 {
		p.printf("  and %d more rejected\n", more)
	}
	return p.err
}
