package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"fever/archive"
)

// archiveSuffix follows the name of a data file in that of its archive.
const archiveSuffix = ".archive"

// examineArchive checks that the archive has the document of each job that has completed since the
// last examination, with the bytes that were sent, and says of no other job that it has. A
// process without room may leave documents out.
func (v *victim) examineArchive() error {
	dir := v.db + archiveSuffix
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return v.unarchived(nil)
	}
	found := make(map[uint64]bool)
	for p := range providers {
		for doc, err := range archive.Documents(dir, providerName(p)) {
			if err != nil {
				return err
			}
			j := v.model.jobs[doc.Job]
			if committed := doc.Outcome.Known() && doc.Outcome.Failure == ""; committed && j.State != "completed" ||
				doc.Outcome.Failure != "" && j.State == "completed" {
				return fmt.Errorf("the archive has the outcome %+v for job %+v", doc.Outcome, j)
			}
			found[doc.Job] = true
			if j.State != "completed" || v.archived[doc.Job] {
				continue
			}
			in, err := doc.Open()
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
		switch {
		case j.State != "completed" || v.archived[id]:
		case found[id]:
			v.figures.archived++
			v.archived[id] = true
		case v.process.starved:
			v.archived[id] = true
		default:
			return fmt.Errorf("the archive has no document of job %+v", j)
		}
	}
	return nil
}
