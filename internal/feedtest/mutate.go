package feedtest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
)

// morsels are what mutations insert.
var morsels = strings.Split("<|>|/>|</|</event>|<event>|<event |<zone/>|<!--|-->|--|<![CDATA[|]]>|]]|<?|?>|<?a b?>|<!|<!DOCTYPE a>|<!DOCTYPE a [|"+
	"&|&amp;|&lt;|&#65;|&#x41;|&#10;|&#13;|&#0;|&a;|;|#|\"|'|=|:| |\n|\r|\r\n|\t|\x00|\x0b|\x7f|\xff|\xc3|\xc3\xa9|\xef\xbb\xbf|\xef\xbf\xbe|\xed\xa0\x80|\u0085|\u00a0|é|😀|"+
	"-|1|0|x|.|,|e9| event_id=\"1\"| plan_id='2'| capacity=\"-1\"| price=\"\"| sell_mode=\"online\"|offline|2021-09-31|T25:00:00|<a:b/>|<output>|</output>|true|"+
	"ISO-8859-1|utf-16|1.1|standalone='no'|<planList/>|<eventList>|event_date|max_price", "|")

// Mutate returns a copy of doc with a few random changes.
func Mutate(rnd *rand.Rand, doc []byte) []byte {
	doc = bytes.Clone(doc)
	for range 1 + rnd.IntN(3) {
		at := rnd.IntN(len(doc) + 1)
		end := min(len(doc), at+rnd.IntN(40))
		switch rnd.IntN(7) {
		case 0: // change a byte
			if at < len(doc) {
				doc[at] ^= 1 << rnd.IntN(8)
			}
		case 1: // remove some
			doc = slices.Delete(doc, at, end)
		case 2: // repeat some, here or elsewhere
			doc = slices.Insert(doc, rnd.IntN(len(doc)+1), bytes.Clone(doc[at:end])...)
		case 3: // end early
			if rnd.IntN(8) == 0 {
				doc = doc[:at]
			}
		case 4: // put something in the place of some
			doc = slices.Replace(doc, at, min(end, at+3), []byte(morsels[rnd.IntN(len(morsels))])...)
		default: // insert something
			doc = slices.Insert(doc, at, []byte(morsels[rnd.IntN(len(morsels))])...)
		}
	}
	return doc
}
