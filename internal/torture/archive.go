package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"fever/archive"
	"fever/internal/harness"
)

// archiveSuffix follows the name of a data file in that of its archive.
const archiveSuffix = ".archive"

// examineArchive checks that the archive has the document of each job that has completed since the
// last examination, with the bytes that were sent, and says of no other job that it has. A
// process without room may leave documents out.
func (v *victim) examineArchive(ctx context.Context) error {
	dir := v.db + archiveSuffix
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return v.unarchived(nil)
	}
	found := make(map[uint64]bool)
	for p := range providers {
		for doc, err := range archive.Documents(ctx, archive.Folder(dir), providerName(p)) {
			if err != nil {
				return err
			}
			j := v.model.jobs[doc.Job]
			if committed := doc.Outcome.Known() && doc.Outcome.Failure == ""; committed && j.State != "completed" ||
				doc.Outcome.Failure != "" && j.State == "completed" {
				return fmt.Errorf("the archive has the outcome %+v for job %+v", doc.Outcome, j)
			}
			found[doc.Job] = true
			if _, examined := v.archived[doc.Job]; j.State != "completed" || examined {
				continue
			}
			in, err := doc.Open(ctx)
			if err != nil {
				return err
			}
			body, err := io.ReadAll(in)
			if err := errors.Join(err, in.Close()); err != nil {
				return err
			}
			if !bytes.Equal(body, document(p, versionOf(j.Bytes))) {
				return fmt.Errorf("the archive has another document for job %+v", j)
			}
		}
	}
	return v.unarchived(found)
}

// unarchived looks for jobs whose documents are missing.
func (v *victim) unarchived(found map[uint64]bool) error {
	for id, j := range v.model.jobs {
		if _, examined := v.archived[id]; j.State != "completed" || examined {
			continue
		}
		if !found[id] && !v.process.starved {
			return fmt.Errorf("the archive has no document of job %+v", j)
		}
		if v.archived[id] = found[id]; found[id] {
			v.figures.archived++
		}
	}
	return nil
}

// A difference is one of fever replay --json.
type difference struct{ Before, After *record }

// replay has fever run the jobs again from the archive, and checks that nothing differs from what is
// stored but what the documents tell that processes without room have left out.
func (v *victim) replay(ctx context.Context) error {
	if v.model.last == 0 {
		return nil // there is no data file, or no job in it
	}
	cmd := harness.Command(ctx, v.fever, "replay", "--config", v.config, "--compare", "--json")
	out, failed := cmd.Output()
	var exit *exec.ExitError
	if errors.As(failed, &exit) {
		failed = fmt.Errorf("%w: %s", failed, exit.Stderr)
	}
	var all []difference
	if err := json.Unmarshal(out, &all); err != nil {
		return fmt.Errorf("fever replay: %w: %w", err, failed)
	}
	differs := make(map[place]bool)
	for _, d := range all {
		r := cmp.Or(d.After, d.Before)
		if r == nil {
			return fmt.Errorf("fever replay says that something else than events differs: %s", out)
		}
		differs[r.place()] = true
	}
	whole := true
	for p := range providers {
		told := slices.DeleteFunc(slices.Clone(v.model.applied[p]), func(a applied) bool { return !v.archived[a.job] })
		v.figures.replayed += len(told)
		whole = whole && len(told) == len(v.model.applied[p])
		for n := range events {
			at, stored := place{p, n}, v.model.events[p][n]
			var e kept
			for _, a := range told {
				e.apply(n, a)
			}
			if want := e.version != stored.version || e.current != stored.current; e.version > 0 && differs[at] != want {
				return fmt.Errorf("fever replay says of %+v that it differs: %t; replayed it is %+v, and stored is %+v", at, !want, e, stored)
			}
		}
	}
	if whole && failed != nil {
		return fmt.Errorf("fever replay: %w", failed)
	}
	return nil
}
