//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
)

// print writes the report for people.
func (r *report) print(out io.Writer) error {
	var b bytes.Buffer // which never fails
	fmt.Fprintf(&b, "%s, %d processors that servers and load share, medians of %d turns, %.0f s in all\n", r.Go, r.Processors, r.Turns, r.Seconds)

	const heads = "REQ/S\tCPU us\tTO BARE\tTO ALIKE\tP50 ms\tP99 ms\tP99.9 ms\tMAX ms\tBYTES\t"
	title, size := fmt.Sprintf("\nSearches, one after the other on each of %d connections\n", connections), 0
	t := newTable(&b)
	for i := range r.Rows {
		x := &r.Rows[i]
		if x.Rate > 0 {
			continue
		}
		if size == 0 {
			fmt.Fprintf(t, "%s  SERVER\tSTORED\tEVENTS\t%s\n", title, heads)
		} else if size != x.Size {
			fmt.Fprint(t, "  \t\t\t\t\t\t\t\t\t\t\t\t\n")
		}
		size = x.Size
		server, events := x.Server, "~"+strconv.Itoa(x.Size)
		if x.Server == fever {
			events = strconv.FormatFloat(x.Events, 'f', 1, 64)
			if x.Kind != within {
				server += ", " + x.Kind
			}
			if x.Encoding == gzipped {
				server += ", gzip"
			}
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", server, x.label(), events, x.cells())
	}
	_ = t.Flush()

	t, title = newTable(&b), fmt.Sprintf("\nSearches of a week at a rate, latency from when they are due, %d connections\n", openConnections)
	for i := range r.Rows {
		x := &r.Rows[i]
		if x.Rate == 0 {
			continue
		}
		if title != "" {
			fmt.Fprintf(t, "%s  SERVER\tSTATE\tSTORED\tRATE\t%s\n", title, heads)
			title = ""
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%d\t%s\n", x.Server, x.State, x.label(), x.Rate, x.cells())
	}
	_ = t.Flush()
	if n := r.Ingested; n != nil {
		fmt.Fprintf(&b, "  %d feeds of %.0f MB were ingested meanwhile, in %.2f s each\n", n.Jobs, megabytes(n.Bytes), n.Seconds)
	}

	if w := r.Job; w != nil {
		fmt.Fprintf(&b, "\nA job of a feed of %.0f MB, of which %d events changed, without searches: fever had %.1f MB before and grew by %.1f MB at most, and the process that decodes had %.1f MB (medians of %d jobs)\n",
			megabytes(w.Bytes), w.Changed, megabytes(w.Before), megabytes(w.Serve), megabytes(w.Child), w.Jobs)
	}

	t = newTable(&b)
	fmt.Fprint(t, "\nMemory in MB after all that\n  STORED\tSUMMARIES\tANONYMOUS\tFILE\tPEAK\t\n")
	for _, w := range r.Memory {
		fmt.Fprintf(t, "  %s\t%.1f\t%.1f\t%.1f\t%.1f\t\n", w.label(), megabytes(w.Summaries), megabytes(w.Anonymous), megabytes(w.File), megabytes(w.Peak))
	}
	_ = t.Flush()

	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\nTargets\n")
	for _, x := range r.Targets {
		verdict := "met"
		if !x.Met {
			verdict = "missed"
		}
		fmt.Fprintf(t, "  %s\t%.2f\tat most %.4g\t%s\n", x.What, x.Figure, x.Limit, verdict)
	}
	_ = t.Flush()
	_, err := out.Write(b.Bytes())
	return err
}

func newTable(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
}

// cells returns the cells that all rows have.
func (x *row) cells() string {
	ratio := func(v float64) string {
		if v == 0 {
			return "-"
		}
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return fmt.Sprintf("%.0f\t%.1f\t%s\t%s\t%.2f\t%.2f\t%.2f\t%.1f\t%.0f\t",
		x.PerSecond, x.CPU, ratio(x.ToPlain), ratio(x.ToAlike), x.P50, x.P99, x.P999, x.Slowest, x.Wire)
}

// save writes the files that were asked for.
func (r *report) save(figures, plot string) (err error) {
	if figures != "" {
		text, e := json.MarshalIndent(r, "", "\t")
		if e == nil {
			e = os.WriteFile(figures, append(text, '\n'), 0o600)
		}
		err = e
	}
	if plot != "" {
		err = errors.Join(err, os.WriteFile(plot, []byte(r.picture()), 0o600))
	}
	return err
}
