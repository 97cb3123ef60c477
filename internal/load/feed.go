//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	feedHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<planList version="1.0"><output>` + "\n"
	feedTail = "</output></planList>\n"
	local    = "2006-01-02T15:04:05"
)

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;")

// appendBase appends the base plan of the events as a feed has it. It calls priced, unless that
// is nil, with the offset of each event's first price.
func appendBase(b []byte, plans []event, version int, priced func(number int32, offset int)) []byte {
	b = fmt.Appendf(b, `<base_plan base_plan_id="%s" sell_mode="online" organizer_company_id="%d" title="%s">`+"\n",
		plans[0].base(), plans[0].dice('o')%50, escape.Replace(plans[0].title()))
	for _, e := range plans {
		start, end := time.Unix(e.start, 0).UTC().Format(local), time.Unix(e.end, 0).UTC().Format(local)
		b = fmt.Appendf(b, `<plan plan_id="%s" plan_start_date="%s" plan_end_date="%s" sell_from="2000-01-01T00:00:00" sell_to="%s" sold_out="false">`+"\n",
			e.plan(), start, end, start)
		for i, z := range e.zones(version) {
			b = fmt.Appendf(b, `<zone zone_id="%d" capacity="%d" price="`, i+1, z.capacity)
			if i == 0 && priced != nil {
				priced(e.number, len(b))
			}
			b = fmt.Appendf(b, `%d.%02d" name="%s" numbered="%t"/>`+"\n", z.cents/100, z.cents%100, seats[i%len(seats)], i%2 == 0)
		}
		b = append(b, "</plan>\n"...)
	}
	return append(b, "</base_plan>\n"...)
}

// writeFeed writes a feed of n events with numbers from first on, in no order of time.
func writeFeed(path string, first, n int) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	_, _ = io.WriteString(w, feedHead) // Flush returns the first error
	const stride = 7919                // a prime, so that every base plan comes once
	bases := n / 2
	var b []byte
	for i := range bases {
		number := int32(first + i*stride%bases*2)
		b = appendBase(b[:0], []event{newEvent(number), newEvent(number + 1)}, 0, nil)
		_, _ = w.Write(b)
	}
	_, _ = io.WriteString(w, feedTail)
	return w.Flush()
}
