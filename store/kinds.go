package store

import (
	"context"
	"fmt"
)

// Check returns an error, ErrOtherKind (wrapped), if one of the two providers has a feed of changes and
// the other one has not: neither could go on from what is stored of the other. Changes are the kinds that
// the settings give, by provider. Those of the new name count beside what is stored of it, since it may have
// nothing yet; those of the old name count if the store does not tell.
func (r *Renaming) Check(ctx context.Context, st Store, changes map[string]bool) error {
	from, known, err := hasChanges(ctx, st, r.From)
	if err != nil {
		return err
	}
	if !known {
		if from, known = changes[r.From]; !known {
			return nil
		}
	}
	to, stored, err := hasChanges(ctx, st, r.To)
	if err != nil {
		return err
	}
	if set, configured := changes[r.To]; stored && to != from || configured && set != from {
		with, without := r.From, r.To
		if !from {
			with, without = r.To, r.From
		}
		return fmt.Errorf("rename %s to %s: %w: %s has a feed of changes, and %s has none", r.From, r.To, ErrOtherKind, with, without)
	}
	return nil
}

// hasChanges reports whether what is stored of a provider comes from a feed of changes, and whether that
// is known. It is not from when a provider was renamed, which forgets how far such a feed was taken, to its next
// job that brings something.
func hasChanges(ctx context.Context, st Store, provider string) (changes, known bool, err error) {
	stream, err := st.Stream(ctx, provider)
	if err != nil || stream.Generation > 0 {
		return true, err == nil, err
	}
	for job, err := range st.Jobs(ctx, JobFilter{Provider: provider}) {
		if err != nil || job.Trigger == Rename {
			return false, false, err
		}
		if job.Applied() {
			return false, true, nil
		}
	}
	return false, false, nil
}
