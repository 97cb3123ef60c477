// Package storetest is what every store must pass: one suite for all of them.
package storetest

import (
	"testing"
	"time"

	"fever/store"
)

// A Place opens what is stored in one place, which is empty at first, again and again. The
// store keeps so many finished jobs of each provider, and for so long the history of events. Nobody opens it
// twice at a time.
type Place func(keep int, history time.Duration) (store.Store, error)

// Keep is the number of jobs that stores keep where a test does not say another.
const Keep = 3

// History is how long stores keep the history of events where a test does not say otherwise.
const History = 100 * 365 * 24 * time.Hour

// Run runs the suite. Each test gets places of its own, which are there as long as it runs.
func Run(t *testing.T, place func(*testing.T) Place) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, place)
		})
	}
}

// RunCopies runs the tests that make copies. The places can be those of different stores.
func RunCopies(t *testing.T, place func(*testing.T) Place) {
	for _, name := range []string{"Model", "Copy", "CopyStopped"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tests[name](t, place)
		})
	}
}

// opened is a store that can be closed and opened again.
type opened struct {
	store.Store
	place   Place
	keep    int
	history time.Duration
}

// open opens a store in a place of its own. When the test ends it is closed, opened again,
// and checked.
func open(t *testing.T, place func(*testing.T) Place) *opened {
	t.Helper()
	o := &opened{place: place(t), keep: Keep, history: History}
	var err error
	if o.Store, err = o.place(o.keep, o.history); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		reopen(t, o)
		if err := o.Check(); err != nil {
			t.Error(err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

func reopen(t *testing.T, s *opened) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.Store, err = s.place(s.keep, s.history); err != nil {
		t.Fatal(err)
	}
}

// tests are the suite by name.
var tests = map[string]func(*testing.T, func(*testing.T) Place){
	"Apply":                   testApply,
	"ApplyRecordsTheTimeZone": testApplyRecordsTheTimeZone,
	"NothingStored":           testNothingStored,
	"EditBesideJob":           testEditBesideJob,
	"RenameToOtherKind":       testRenameToOtherKind,
	"Jobs":                    testJobs,
	"FinishRevalidates":       testFinishRevalidates,
	"ApplyAsks":               testApplyAsks,
	"ApplyIsAllOrNothing":     testApplyIsAllOrNothing,
	"Digests":                 testDigests,
	"Interrupt":               testInterrupt,
	"BeginInterrupts":         testBeginInterrupts,
	"Retention":               testRetention,
	"RetentionOfTheBest":      testRetentionOfTheBest,
	"DocumentIsNoAnswer":      testDocumentIsNoAnswer,
	"JobFilter":               testJobFilter,
	"JobsWhileWriting":        testJobsWhileWriting,
	"JobStateWhileWriting":    testJobStateWhileWriting,
	"JobsRefused":             testJobsRefused,
	"JobsInParallel":          testJobsInParallel,
	"Validators":              testValidators,
	"ValueLimits":             testValueLimits,
	"JobLimits":               testJobLimits,
	"Model":                   testModel,
	"LoadNothing":             testLoadNothing,
	"LoadCancelled":           testLoadCancelled,
	"Records":                 testRecords,
	"RecordsWhileWriting":     testRecordsWhileWriting,
	"RecordsWhileEditing":     testRecordsWhileEditing,
	"Revisions":               testRevisions,
	"ChangesOrder":            testChangesOrder,
	"RevisionBetween":         testRevisionBetween,
	"Wait":                    testWait,
	"Published":               testPublished,
	"Locations":               testLocations,
	"Pages":                   testPages,
	"PagesOfAJob":             testPagesOfAJob,
	"PagesRefused":            testPagesRefused,
	"Tables":                  testTables,
	"History":                 testHistory,
	"HistoryOfPages":          testHistoryOfPages,
	"HistoryRenamed":          testHistoryRenamed,
	"HistoryForgotten":        testHistoryForgotten,
	"HistoryBounds":           testHistoryBounds,
	"Copy":                    testCopy,
	"CopyStopped":             testCopyStopped,
}
