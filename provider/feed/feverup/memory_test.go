package feverup

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"fever/internal/feedtest"
)

// A document of any size costs no more memory than a small one when nothing in it is
// kept. Not parallel: what other tests allocate would count.
func TestMemory(t *testing.T) {
	const noise = `<base_event base_event_id="1" sell_mode="offline" title="&lt;&#241;"><event event_id="2"><zone zone_id="3"/></event></base_event>` +
		"<!-- comment --><?instruction ?> text &amp; <![CDATA[ text ]]><unknown><base_event sell_mode='online'/></unknown>\n" +
		`<base_event base_event_id="1" sell_mode="online" title="t"><event event_id="2"><zone zone_id="3" price="1.25" name="a&#9;b"/></event></base_event>`
	doc := io.MultiReader(strings.NewReader("<eventList>"), io.LimitReader(feedtest.Repeat(noise), int64(len(noise))*100_000), strings.NewReader("</eventList>"))
	var before, after runtime.MemStats
	runtime.GC() // what other tests left behind would be collected meanwhile, or not
	runtime.ReadMemStats(&before)
	snapshot, err := decode(doc)
	runtime.ReadMemStats(&after)
	if err != nil || snapshot.Ignored != 100_000 || snapshot.Rejected != 100_000 {
		t.Fatalf("%+v, %v", snapshot, err)
	}
	// The document has 40 MB. What a rejected row leaves behind is collected in time.
	if after.HeapInuse > before.HeapInuse+8<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapInuse, after.HeapInuse)
	}
}
