package schemaorg

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	_ "time/tzdata" // for a machine that has no time zones

	"fever/internal/feedtest"
	"fever/provider/feed"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	t.Parallel()
	feedtest.Golden(t, New(), *update, feedtest.Documents(t, 3, "testdata/*.html", "testdata/*.json"))
}

// read reads a document of a provider in Madrid. Schedules are expanded from 1 October 2026 to
// the end of April 2028.
func read(tb testing.TB, doc string) (*feed.Feed, error) {
	tb.Helper()
	loc, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		tb.Fatal(err)
	}
	began := time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)
	return feed.Decode(&feed.Document{Body: io.NopCloser(strings.NewReader(doc)), Op: "read", Page: feed.Page{Began: began}}, New(), "test", loc)
}

// rows writes a feed as text: a line for each event, and one for each rejection.
func rows(f *feed.Feed) string {
	var b strings.Builder
	for i := range f.Events {
		e := &f.Events[i]
		fmt.Fprintf(&b, "%s %s %s", e.BaseID, e.EventID, e.Start)
		if !e.End.IsZero() {
			fmt.Fprintf(&b, " to %s", e.End)
		}
		if e.Title != "t" {
			fmt.Fprintf(&b, " %q", e.Title)
		}
		if e.SoldOut {
			b.WriteString(" sold out")
		}
		for _, z := range e.Zones {
			fmt.Fprintf(&b, " [%s", z.ID)
			if z.Price.Known() {
				fmt.Fprintf(&b, " %s", z.Price)
			}
			if z.Currency != "" {
				fmt.Fprintf(&b, " %s", z.Currency)
			}
			if z.Available {
				b.WriteString(" available")
			}
			if z.Capacity > 0 {
				fmt.Fprintf(&b, " %d", z.Capacity)
			}
			b.WriteString("]")
		}
		b.WriteString("\n")
	}
	for _, r := range f.Rejections {
		fmt.Fprintf(&b, "line %d: %s\n", r.Line, r.Reason)
	}
	if f.Ignored > 0 {
		fmt.Fprintf(&b, "%d ignored\n", f.Ignored)
	}
	return b.String()
}

// of returns an event with these members beside its type.
func of(members string) string {
	return `{"@context": "https://schema.org", "@type": "MusicEvent", "name": "t", ` + members + `}` // a second name counts
}

func TestRows(t *testing.T) {
	t.Parallel()
	const id = `"@id": "https://a.example/1", `
	for name, test := range map[string]struct{ doc, want string }{
		"an offset":                            {of(id + `"startDate": "2026-11-20T20:00:00+01:00", "endDate": "2026-11-20T22:00+0100"`), "https://a.example/1 https://a.example/1 2026-11-20T20:00:00 to 2026-11-20T22:00:00\n"},
		"no offset":                            {of(id + `"startDate": "2026-11-20T20:00"`), "https://a.example/1 https://a.example/1 2026-11-20T20:00:00\n"},
		"a date":                               {of(id + `"startDate": "2026-11-20", "endDate": "2026-11-22"`), "https://a.example/1 https://a.example/1 2026-11-20 to 2026-11-22\n"},
		"a date of its own":                    {of(id + `"startDate": "2019-9-13T10-00-00-00"`), "line 1: start date \"2019-9-13T10-00-00-00\""},
		"no id, a URL":                         {of(`"url": "https://a.example/x?b=2&utm_source=mail&a=1#top", "startDate": "2026-11-20T20:00:00"`), "https://a.example/x?b=2&a=1 20261120T190000Z 2026-11-20T20:00:00\n"},
		"no id, a date":                        {of(`"url": "https://a.example/x", "startDate": "2026-11-20"`), "https://a.example/x 20261120 2026-11-20\n"},
		"aliases":                              {`{"type": "Event", "id": "i", "name": "t", "startDate": "2026-11-20"}`, "i i 2026-11-20\n"},
		"a list of JSON-LD":                    {of(id + `"startDate": "2026-11-20", "offers": {"@list": [{"sku": "A", "price": 1}]}`), "https://a.example/1 https://a.example/1 2026-11-20 [A 1 available]\n"},
		"a schedule with the time in its date": {of(id + `"eventSchedule": {"startDate": "2026-11-17T20:00:00", "repeatFrequency": "P1W", "repeatCount": 2}`), "https://a.example/1 20261117T190000Z 2026-11-17T20:00:00\nhttps://a.example/1 20261124T190000Z 2026-11-24T20:00:00\n"},
		"a blank node":                         {of(`"@id": "_:b0", "url": "https://a.example/x", "startDate": "2026-11-20"`), "https://a.example/x 20261120 2026-11-20\n"},
		"an identifier":                        {of(`"identifier": 17, "startDate": "2026-11-20"`), "17 17 2026-11-20\n"},
		"an identifier with a name":            {of(`"identifier": {"@type": "PropertyValue", "propertyID": "x", "value": "a-1"}, "startDate": "2026-11-20"`), "a-1 a-1 2026-11-20\n"},
		"no id at all":                         {of(`"startDate": "2026-11-20"`), "line 1: it has neither @id, nor identifier, nor url\n"},
		"moved":                                {of(`"url": "https://a.example/x", "startDate": "2026-12-20T20:00:00+01:00", "previousStartDate": ["2026-12-01T20:00:00+01:00", "2026-11-20T20:00:00+01:00"], "eventStatus": "https://schema.org/EventRescheduled"`), "https://a.example/x 20261120T190000Z 2026-12-20T20:00:00\n"},
		"cancelled":                            {of(id + `"startDate": "2026-11-20", "eventStatus": "http://schema.org/EventCancelled"`), "1 ignored\n"},
		"postponed":                            {of(id + `"startDate": "2026-11-20", "eventStatus": {"@id": "https://schema.org/EventPostponed"}`), "1 ignored\n"},
		"online now":                           {of(id + `"startDate": "2026-11-20", "eventStatus": "EventMovedOnline"`), "https://a.example/1 https://a.example/1 2026-11-20\n"},
		"whole names":                          {`{"@type": ["http://schema.org/Event"], "http://schema.org/name": {"@value": "t", "@language": "en"}, "schema:startDate": {"@type": "http://schema.org/Date", "@value": "2026-11-20"}, "@id": "i"}`, "i i 2026-11-20\n"},
		"languages":                            {of(id + `"startDate": "2026-11-20", "name": {"fr": "Bonjour &amp; merci", "es": "Hola &amp; gracias"}`), "https://a.example/1 https://a.example/1 2026-11-20 \"Hola & gracias\"\n"},
		"languages in a list":                  {of(id + `"startDate": "2026-11-20", "name": [{"@language": "fr", "@value": "Bonjour"}, "Plain"]`), "https://a.example/1 https://a.example/1 2026-11-20 \"Plain\"\n"},
		"a graph, lines":                       {"{\"@graph\": [\n{\"@type\": \"Place\"},\n" + of(`"startDate": "never", `+id+`"x": 1`) + ",\n" + of(id+`"startDate": "2026-11-20"`) + "]}", "https://a.example/1 https://a.example/1 2026-11-20\nline 3: start date \"never\""},
		"a list of items":                      {`{"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "item": ` + of(id+`"startDate": "2026-11-20"`) + `}]}`, "https://a.example/1 https://a.example/1 2026-11-20\n"},
		"NDJSON":                               {of(id+`"startDate": "2026-11-20"`) + "\n" + of(`"@id": "2", "startDate": "2026-11-21"`), "https://a.example/1 https://a.example/1 2026-11-20\n2 2 2026-11-21\n"},
		"an id that is no text":                {`[` + of(`"@id": 1, "startDate": "2026-11-20"`) + `,` + of(id+`"startDate": "2026-11-20"`) + `]`, "https://a.example/1 https://a.example/1 2026-11-20\nline 1: it has neither @id, nor identifier, nor url\n"},
		"parts":                                {of(id + `"startDate": "2026-11-01", "subEvent": [{"@type": "Event", "startDate": "2026-11-20T20:00:00"}, {"@type": "Event", "@id": "b", "name": "Second", "startDate": "2026-11-21T20:00:00"}, {"@id": "elsewhere"}]`), "https://a.example/1 20261120T190000Z 2026-11-20T20:00:00\nhttps://a.example/1 b 2026-11-21T20:00:00 \"Second\"\n"},
		"a whole":                              {of(id + `"startDate": "2026-11-20", "superEvent": {"@type": "EventSeries", "@id": "series"}`), "series https://a.example/1 2026-11-20\n"},
		"an offer":                             {of(id + `"startDate": "2026-11-20", "offers": {"@type": "Offer", "price": 12.5, "priceCurrency": "EUR", "availability": "https://schema.org/InStock"}`), "https://a.example/1 https://a.example/1 2026-11-20 [1 12.5 EUR available]\n"},
		"offers":                               {of(id + `"startDate": "2026-11-20", "offers": [{"sku": "A", "price": "12,50"}, {"name": "B", "price": "20.00", "availability": "SoldOut"}, {"@id": "C", "price": "0", "inventoryLevel": {"value": 7}}]`), "https://a.example/1 https://a.example/1 2026-11-20 [A 12.5 available] [B 20] [C 0 7]\n"},
		"all sold out":                         {of(id + `"startDate": "2026-11-20", "offers": [{"price": 1, "availability": "http://schema.org/SoldOut"}, {"price": 2, "availability": {"@id": "schema:OutOfStock"}}]`), "https://a.example/1 https://a.example/1 2026-11-20 sold out [1 1] [2 2]\n"},
		"low and high":                         {of(id + `"startDate": "2026-11-20", "offers": {"@type": "AggregateOffer", "lowPrice": "10", "highPrice": 30, "priceCurrency": "GBP"}`), "https://a.example/1 https://a.example/1 2026-11-20 [1-low 10 GBP available] [1-high 30 GBP available]\n"},
		"two currencies":                       {of(id + `"startDate": "2026-11-20", "offers": [{"price": 1, "priceCurrency": "EUR"}, {"price": 2, "priceCurrency": "USD"}]`), "line 1: zone 2 of 2: its currency is USD"},
		"a price in words":                     {of(id + `"startDate": "2026-11-20", "offers": {"price": "free"}`), "line 1: offer 1 of 1: price \"free\""},
		"a negative price":                     {of(id + `"startDate": "2026-11-20", "offers": {"price": -5}`), "line 1: offer 1 of 1: price \"-5\""},
		"a schedule":                           {of(id + `"eventSchedule": {"@type": "Schedule", "startDate": "2026-11-17", "endDate": "2026-11-30", "repeatFrequency": "P1W", "byDay": ["https://schema.org/Friday", "https://schema.org/Saturday"], "startTime": "22:00", "endTime": "01:00", "exceptDate": "2026-11-21", "scheduleTimezone": "Europe/London"}`), "https://a.example/1 20261120T220000Z 2026-11-20T22:00:00 to 2026-11-21T01:00:00\nhttps://a.example/1 20261127T220000Z 2026-11-27T22:00:00 to 2026-11-28T01:00:00\nhttps://a.example/1 20261128T220000Z 2026-11-28T22:00:00 to 2026-11-29T01:00:00\n"},
		"a schedule that counts":               {of(id + `"eventSchedule": {"startDate": "2026-11-17", "repeatFrequency": "Weekly", "byDay": "MO", "repeatCount": 2}`), "https://a.example/1 20261123 2026-11-23\nhttps://a.example/1 20261130 2026-11-30\n"},
		"the second Monday":                    {of(id + `"eventSchedule": {"startDate": "2026-12-01", "repeatFrequency": "P1M", "byDay": "2MO", "repeatCount": 2}`), "https://a.example/1 20261214 2026-12-14\nhttps://a.example/1 20270111 2027-01-11\n"},
		"Mondays in two weeks":                 {of(id + `"eventSchedule": {"startDate": "2026-12-01", "repeatFrequency": "P1M", "byDay": "https://schema.org/Monday", "byMonthWeek": [1, 3], "repeatCount": 3}`), "https://a.example/1 20261207 2026-12-07\nhttps://a.example/1 20261221 2026-12-21\nhttps://a.example/1 20270104 2027-01-04\n"},
		"weeks without a day":                  {of(id + `"eventSchedule": {"startDate": "2026-12-01", "repeatFrequency": "P1M", "byMonthWeek": 2}`), "line 1: eventSchedule 1 of 1: byMonthWeek without byDay\n"},
		"the last of the month":                {of(id + `"eventSchedule": {"startDate": "2026-12-01", "repeatFrequency": "P1M", "byMonthDay": -1, "repeatCount": 2}`), "https://a.example/1 20261231 2026-12-31\nhttps://a.example/1 20270131 2027-01-31\n"},
		"parts of parts":                       {of(id + `"subEvent": {"@type": "Event", "subEvent": [{"@type": "Event", "startDate": "2026-11-21"}, {"@type": "Event", "startDate": "2026-11-22"}]}`), "https://a.example/1 20261121 2026-11-21\nhttps://a.example/1 20261122 2026-11-22\n"},
		"a sign of a currency":                 {of(id + `"startDate": "2026-11-20", "offers": {"price": 1, "priceCurrency": "€"}`), "https://a.example/1 https://a.example/1 2026-11-20 [1 1 available]\n"},
		"offers in an offer":                   {of(id + `"startDate": "2026-11-20", "offers": {"@type": "AggregateOffer", "priceCurrency": "EUR", "availability": "SoldOut", "offers": [{"price": 1}, {"price": 2, "availability": "InStock"}]}`), "https://a.example/1 https://a.example/1 2026-11-20 [1 1 EUR] [2 2 EUR available]\n"},
		"a schedule of the past":               {of(id + `"eventSchedule": {"startDate": "2020-11-17", "endDate": "2020-12-01", "repeatFrequency": "P1W"}`), "1 ignored\n"},
		"a schedule in words":                  {of(id + `"eventSchedule": {"startDate": "2026-11-17", "repeatFrequency": "now and then"}`), "line 1: eventSchedule 1 of 1: repeatFrequency \"now and then\" is not one like P1W\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := "<!doctype html>\n<html><head><script type=\"application/ld+json; charset=utf-8\">" + test.doc + "</script><script>var x = '{'</script></head></html>"
			for _, doc := range []string{test.doc, "\ufeff" + test.doc, page} {
				if doc == page && name == "NDJSON" {
					continue
				}
				got, err := read(t, doc)
				if err != nil {
					t.Fatal(err)
				}
				text := rows(got)
				if doc == page {
					text = strings.NewReplacer("line 2:", "line 1:", "line 4:", "line 3:").Replace(text)
				}
				if !strings.HasPrefix(text, test.want) || strings.HasSuffix(test.want, "\n") && text != test.want {
					t.Fatalf("%q: got\n%s\nwant\n%s", doc, text, test.want)
				}
			}
		})
	}
}

// TestErrors refuses documents without events, and those that cannot be read.
func TestErrors(t *testing.T) {
	t.Parallel()
	good := `<script type="application/ld+json">` + of(`"@id": "1", "startDate": "2026-11-20"`) + `</script>`
	for name, test := range map[string]struct {
		doc  string
		kind feed.Kind
		text string
	}{
		"nothing":        {"", feed.KindMalformed, "the document is empty"},
		"another thing":  {`{"@type": "Place"}`, feed.KindDecode, "no schema.org Event in it"},
		"a page without": {"<html><script>1</script></html>", feed.KindDecode, "no schema.org Event in it"},
		"null":           {"null", feed.KindDecode, "no schema.org Event in it"},
		"cut":            {of(`"@id": "1", "startDate": "2026-11-20"`)[:40], feed.KindMalformed, "line 1"},
		"a broken block": {`<script type="application/ld+json">{"a": }</script>`, feed.KindMalformed, "no block of JSON-LD in the page can be read"},
	} {
		got, err := read(t, test.doc)
		failure, ok := errors.AsType[*feed.Error](err)
		if got != nil || !ok || failure.Kind != test.kind || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %+v, %v, want %s with %q", name, got, err, test.kind, test.text)
		}
	}
	got, err := read(t, "<html>\n<script type='application/ld+json'>\n{\"a\": }</script>\n<script type=\"application/ld+json\">null</script>"+good)
	if want := "1 1 2026-11-20\nline 2: a block of JSON-LD that is not JSON: line 2 "; err != nil || !strings.HasPrefix(rows(got), want) {
		t.Errorf("%v, %s", err, rows(got))
	}
}

// TestFollow tells which addresses of a document are those of rows, and which are other links.
func TestFollow(t *testing.T) {
	t.Parallel()
	const full, cancelled = `{"@type": "Event", "@id": "1", "url": "/e", "name": "t", "startDate": "2026-11-20"}`, `"eventStatus": "EventCancelled"`
	list := func(elements string) string { return `{"@type": "ItemList", "itemListElement": [` + elements + `]}` }
	for name, test := range map[string]struct {
		doc, links string // a star follows the addresses of rows
		rows       string
	}{
		"items with a url":           {list(`{"@type": "ListItem", "position": 1, "url": "/a"}, {"@type": "ListItem", "position": 2, "url": "/b"}`), "/a* /b*", ""},
		"items that are texts":       {list(`"/a", {"@type": "ListItem", "item": "/b"}`), "/a* /b*", ""},
		"items that are references":  {list(`{"@type": "ListItem", "item": {"@id": "/a"}}, {"item": {"@type": "Event", "@id": "/b"}}`), "/a* /b*", ""},
		"items of any type":          {list(`{"item": {"@type": "Thing", "url": "/a"}}`), "/a*", ""},
		"events with their url":      {list(`{"url": "/x", "item": {"@type": "Event", "name": "t", "url": "/a"}}`), "/a*", ""},
		"events that are whole":      {list(`{"url": "/x", "item": ` + full + `}`), "", "1 1 2026-11-20\n"},
		"events without a list":      {`[{"@type": "MusicEvent", "url": "/a", ` + cancelled + `}, {"@type": "Event", "@id": "https://x.example/b"}, ` + full + `]`, "/a*", "1 1 2026-11-20\n"},
		"an event with an @id alone": {`{"@type": "Event", "@id": "https://x.example/a", "name": "t"}`, "https://x.example/a*", ""},
		"the whole names":            {`{"@type": "https://schema.org/ItemList", "schema:itemListElement": {"@list": [{"http://schema.org/url": "/a"}]}}`, "/a*", ""},
		"a row that is refused":      {list(`"/refused"`), "/refused*", "line 1: refused\n"},
		"a row that is not followed": {`{"@type": "Event", "url": "/no", "name": "t"}`, "/no*", "line 1: no start date\n"},
		"breadcrumbs":                {`[{"@type": "BreadcrumbList", "itemListElement": [{"@type": "ListItem", "item": "/"}]}, ` + full + `]`, "", "1 1 2026-11-20\n"},
		"a page":                     {`<html><a class="x" href="/1">1</a><A HREF='2?a=b&amp;c'></a><a>3</a><a href="">4</a><script type="application/ld+json">` + list(`"/a"`) + `</script>`, "/1 2?a=b&c /a*", ""},
		"a page with a base": {
			`<base href="https://www.x.example/y/"/><base href="/z/"><a href="1">1</a><script type="application/ld+json">` + list(`"/a"`) + `</script>`,
			"https://www.x.example/y/1 https://www.x.example/a*", "",
		},
	} {
		var links []string
		doc := &feed.Document{Body: io.NopCloser(strings.NewReader(test.doc)), Op: "read", Follow: func(address string, row bool) (bool, error) {
			switch {
			case !row:
				links = append(links, address)
				return false, nil
			case address == "/refused":
				links = append(links, address+"*")
				return false, errors.New("refused")
			}
			links = append(links, address+"*")
			return address != "/no", nil
		}}
		got, err := feed.Decode(doc, New(), "test", time.UTC)
		if err != nil || strings.Join(links, " ") != test.links || rows(got) != test.rows {
			t.Errorf("%s: %v, links %q, want %s; rows %+v, want %s", name, err, links, test.links, got, test.rows)
		}
	}
}

// TestNothing tells a page of a feed that is empty from one that is something else, and what may
// be missing in the settings.
func TestNothing(t *testing.T) {
	t.Parallel()
	const list = `{"@type": "ItemList", "itemListElement": ["/a", "/b"]}`
	no := func(string, bool) (bool, error) { return false, nil }
	for name, test := range map[string]struct {
		doc  feed.Document
		text string
		want string // of the error
	}{
		"the first page":        {feed.Document{Page: feed.Page{Number: 1}}, `{"@type": "Organization"}`, "no schema.org Event in it"},
		"a page after it":       {feed.Document{Page: feed.Page{Number: 2}}, `{"@type": "Organization"}`, ""},
		"an HTML page after it": {feed.Document{Page: feed.Page{Number: 2}}, `<html><script type="application/ld+json">{"@type": "Organization"}</script>`, ""},
		"without JSON-LD":       {feed.Document{Page: feed.Page{Number: 2}}, `<html>Sorry`, "no schema.org Event in it"},
		"the page of a row":     {feed.Document{Page: feed.Page{Number: 2, Link: "/a"}}, `{"@type": "Organization"}`, "no schema.org Event in it"},
		"a listing":             {feed.Document{Follow: no}, list, "no schema.org Event in it, and no link to follow"},
		"a listing, unknown":    {feed.Document{}, list, "no schema.org Event in it, but the addresses of 2: `follow: link` reads them"},
	} {
		doc := test.doc
		doc.Body, doc.Op = io.NopCloser(strings.NewReader(test.text)), "read"
		_, err := feed.Decode(&doc, New(), "test", time.UTC)
		if (err == nil) != (test.want == "") || err != nil && !strings.HasSuffix(err.Error(), ": "+test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// FuzzDecode reads any document: it is refused with a kind, or gives the same feed twice.
func FuzzDecode(f *testing.F) {
	f.Add(of(`"@id": "1", "startDate": "2026-11-20", "offers": [{"price": "12,50", "availability": "SoldOut"}]`))
	f.Add(`<html><script type="application/ld+json">{"@graph": [` + of(`"url": "https://a.example/?utm_x=1", "eventSchedule": {"startDate": "2026-11-17", "repeatFrequency": "P1W", "byDay": ["MO"]}`) + `]}</script>`)
	f.Fuzz(func(t *testing.T, doc string) {
		got, err := read(t, doc)
		if err != nil {
			if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind == feed.KindInternal {
				t.Fatal(err)
			}
			return
		}
		if got.Seen != len(got.Events)+got.Ignored+got.Rejected {
			t.Fatalf("%d rows, %d events, %d ignored, %d rejected", got.Seen, len(got.Events), got.Ignored, got.Rejected)
		}
		if again, err := read(t, doc); err != nil || rows(again) != rows(got) {
			t.Fatalf("%v, first\n%s\nthen\n%s", err, rows(got), rows(again))
		}
	})
}

// A page may begin with as many empty lines as templates leave, and have many blocks.
func TestPage(t *testing.T) {
	t.Parallel()
	const blocks = 20_000
	doc := strings.Repeat("\r\n", 1000) + "<html>" + strings.Repeat("<script type='application/ld+json'>{</script>", blocks) +
		`<script type="application/ld+json">` + of(`"@id": "1", "startDate": "2026-11-20"`) + `</script>`
	if got, err := read(t, doc); err != nil || len(got.Events) != 1 || got.Rejected != blocks || got.Rejections[0].Line != 1001 {
		t.Errorf("%v", err)
	}
}

// TestExpired ends a row of many schedules when the time of its document is over.
func TestExpired(t *testing.T) {
	t.Parallel()
	late := feed.Errorf(feed.KindTimeout, "late")
	calls := 0
	schedules := strings.Repeat(`{"startDate": "2026-11-17", "repeatFrequency": "P1W"}, `, 9) + `{}`
	doc := &feed.Document{
		Body: io.NopCloser(strings.NewReader(of(`"@id": "1", "eventSchedule": [` + schedules + `]`))), Op: "read",
		Expired: func() error {
			if calls++; calls > 4 {
				return late
			}
			return nil
		},
	}
	if got, err := feed.Decode(doc, New(), "test", time.UTC); !errors.Is(err, late) || calls != 5 {
		t.Errorf("%+v, %v after %d calls", got, err, calls)
	}
}
