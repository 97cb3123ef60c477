package simulator

import (
	"bytes"
	"slices"
	"time"
)

// A Fault is one thing that a provider may do wrong, and the failure that it must cause.
type Fault struct {
	Name       string
	Steps      []Step        // of one fetch
	Kind       string        // of the failure: one of package feed
	Status     int           // of the last answer with a complete header, 0 for none, or AnyStatus
	RetryAfter time.Duration // the wait that the answer asks for, at most an hour
	Says       string        // a part of the message
}

// AnyStatus is the [Fault.Status] of a fetch that can end before or after the header has come.
const AnyStatus = -1

// MaxBytes is the size limit with which a provider fails as each [Fault] says. A fault that is
// too large is much larger, and any other is much smaller.
const MaxBytes = 17 << 20

// Faults returns all faults. Those of documents are made from doc, a small feed without faults.
//
// Faults of kind "timeout" last as long as a fetch is allowed to. All others end by themselves,
// also on a slow machine.
func Faults(doc []byte) []Fault {
	doc = bytes.TrimSpace(doc)
	return slices.Concat(
		connectionFaults(doc),
		protocolFaults(doc),
		statusFaults(),
		documentFaults(doc),
		cutFaults(doc),
		gzipFaults(doc),
		sizeFaults(doc),
	)
}
