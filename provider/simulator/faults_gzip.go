package simulator

import (
	"bytes"
	"fmt"
)

// gzipFaults send small bodies that are compressed wrongly, or otherwise than their header says.
func gzipFaults(doc []byte) []Fault {
	const malformed, decode = "malformed", "decode"
	fault := func(name, kind, says, coding string, body []byte) Fault {
		return Fault{Name: name, Steps: []Step{Body(body, "Content-Encoding: "+coding)}, Kind: kind, Status: 200, Says: says}
	}
	zipped := compress(doc)
	damaged, checksum := bytes.Clone(zipped), bytes.Clone(zipped)
	damaged[12] ^= 0xff
	checksum[len(checksum)-5] ^= 0xff // of the last eight bytes the first four
	faults := []Fault{
		fault("gzip that begins as such and is none", malformed, "gzip", "gzip", append([]byte("\x1f\x8b"), doc...)),
		fault("gzip that is damaged", malformed, "flate: corrupt input", "gzip", damaged),
		fault("gzip with a wrong checksum", malformed, "checksum", "gzip", checksum),
		fault("gzip with rubbish behind it", malformed, "gzip", "gzip", append(bytes.Clone(zipped), "0123456789"...)),
		fault("gzip of nothing", malformed, "cut short", "gzip", compress(nil)),
		fault("gzip three times", decode, "compressed more than 2 times", "gzip", compress(compress(zipped))),
		fault("gzip twice, cut", malformed, "cut short", "gzip", compress(zipped[:len(zipped)/2])),
		fault("another compression", decode, `content coding "br"`, "br", doc),
		fault("another compression, and gzip", decode, `content coding "br"`, "gzip, br", zipped),
		fault("a compression that is not known", decode, `content coding "rot13"`, "rot13", doc),
	}
	for percent := range 100 {
		cut := zipped[:len(zipped)*percent/100]
		faults = append(faults, fault(fmt.Sprintf("gzip cut at %d %%", percent), malformed, "cut short", "gzip", cut))
	}
	return faults
}
