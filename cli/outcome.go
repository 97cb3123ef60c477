package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"fever/ingest"
	"fever/store"
)

// line makes text from outside fit for a line that people read: see [cell].
func line(text string) string { return cell(text, math.MaxInt) }

// printSuspicion tells people what is odd about a feed as a whole.
func printSuspicion(w io.Writer, job *store.Job) error {
	if job.Suspect == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "  suspect: %s\n", ingest.Suspicion(job.Suspect))
	return err
}

// printOutcome tells people what a job did.
func printOutcome(w io.Writer, label string, job *store.Job) error {
	took := job.Finished.Sub(job.Started).Round(100 * time.Microsecond)
	if job.State != store.Completed {
		attempts := ""
		if job.Attempts > 1 {
			attempts = fmt.Sprintf(" and %d attempts", job.Attempts)
		}
		_, err := fmt.Fprintf(w, "%s: failed after %v%s: %s: %s\n", label, took, attempts, job.Kind, line(job.Message))
		return err
	}
	if job.NotModified {
		_, err := fmt.Fprintf(w, "%s: completed in %v: not modified since the last time\n", label, took)
		return errors.Join(err, printSuspicion(w, job))
	}
	_, err := fmt.Fprintf(w, "%s: completed in %v: %d seen: %d new, %d changed, %d unchanged, %d not online, %d rejected; %d gone\n",
		label, took, job.Seen, job.New, job.Changed, job.Unchanged, job.Ignored, job.Rejected, job.Gone)
	err = errors.Join(err, printSuspicion(w, job))
	for _, r := range job.Rejections {
		if err != nil {
			return err
		}
		if job.Rejected == 0 { // it is no row
			_, err = fmt.Fprintf(w, "  line %d: %s\n", r.Line, line(r.Reason))
			continue
		}
		_, err = fmt.Fprintf(w, "  rejected: line %d, event %s/%s: %s\n", r.Line,
			line(cmp.Or(r.BaseID, "?")), line(cmp.Or(r.EventID, "?")), line(r.Reason))
	}
	if more := job.Rejected - len(job.Rejections); more > 0 && err == nil {
		_, err = fmt.Fprintf(w, "  and %d more rejected\n", more)
	}
	return err
}
