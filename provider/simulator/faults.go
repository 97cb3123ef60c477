package simulator

import (
	"bytes"
	"slices"
	"time"
)

// A Fault is one thing that a provider may do wrong, and what is to become of it.
type Fault struct {
	Name       string
	Steps      []Step        // for one fetch
	Kind       string        // of the failure, in the words of package feed
	Status     int           // of the last answer, 0 when none is complete, or AnyStatus
	RetryAfter time.Duration // what the answer asks for, cut to an hour
	Says       string        // what its message has to contain
}

// AnyStatus is the [Fault.Status] of a fetch that may or may not have seen the header
// when it ends.
const AnyStatus = -1

// MaxBytes is the size limit of a provider that is to fail in the way that a [Fault]
// tells. What is too large in a fault is much larger, and what is not, much smaller.
const MaxBytes = 17 << 20

// Faults returns all of them. Those in documents are made from doc, a small feed that
// is well-formed and has none of them.
//
// Those of kind "timeout" take whatever a fetch is allowed to take; all others end by
// themselves, however slow the machine.
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
