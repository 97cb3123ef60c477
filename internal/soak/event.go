//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"fever/internal/harness"
)

// dawn is when the first hour begins. All times are UTC, the default time zone of fever.
var dawn = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// A catalogue has the events of one provider. Each is within an hour of its own, so that a
// search for some hours has exactly one answer for each version of the feed. In every version,
// all titles, prices and times change.
type catalogue struct {
	provider string
	first    int // hour of the first event
	events   int
	zones    int // of each event, 3 at least
}

// absent reports whether version v of the feed lacks event n. A search still finds the event as
// it was in the last version that had it. The first version has all events.
func absent(n, v int) bool { return v > 0 && (n+v)%10 == 0 }

const titleVersion = " ñ «&» version " // what is between the name and the version in a title

func (c *catalogue) title(n, v int) string {
	return c.provider + " " + strconv.Itoa(n) + titleVersion + strconv.Itoa(v)
}

// times returns when event n starts and ends. It moves within its hour.
func (c *catalogue) times(n, v int) (start, end time.Time) {
	start = dawn.Add(time.Duration(c.first+n)*time.Hour + time.Duration(v%4)*10*time.Minute)
	return start, start.Add(15 * time.Minute)
}

// summary returns what answers must show of event n when v was the last version with it.
func (c *catalogue) summary(n, v int) harness.Summary {
	start, end := c.times(n, v)
	return harness.Summary{
		ID:        c.id(n),
		Title:     c.title(n, v),
		StartDate: start.Format(time.DateOnly),
		StartTime: start.Format(time.TimeOnly),
		EndDate:   end.Format(time.DateOnly),
		EndTime:   end.Format(time.TimeOnly),
		MinPrice:  json.Number(strconv.Itoa(v) + ".25"),
		MaxPrice:  json.Number(strconv.Itoa(v) + ".75"),
	}
}

func (c *catalogue) id(n int) string {
	number := strconv.Itoa(n)
	return harness.PublicID(c.provider, number, number).String()
}

// feed returns version v. It also has two rows that no search must find: one that is not sold
// online, and one with an impossible date.
func (c *catalogue) feed(v int) []byte {
	const local = "2006-01-02T15:04:05"
	b := make([]byte, 0, 1024+c.events*(300+90*c.zones))
	b = append(b, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<planList><output>\n"...)
	b = append(b, `<base_plan base_plan_id="off" sell_mode="offline" title="not sold online"><plan plan_id="1" plan_start_date="2030-01-01T00:00:00" plan_end_date="2030-01-01T00:01:00"/></base_plan>`+"\n"...)
	b = append(b, `<base_plan base_plan_id="bad" sell_mode="online" title="no such day"><plan plan_id="1" plan_start_date="2030-09-31T00:00:00" plan_end_date="2030-09-31T00:01:00"/></base_plan>`+"\n"...)
	for n := range c.events {
		if absent(n, v) {
			continue
		}
		start, end := c.times(n, v)
		b = fmt.Appendf(b, `<base_plan base_plan_id="%d" sell_mode="online" title="%s %d ñ «&amp;» version %d"><plan plan_id="%d" plan_start_date="%s" plan_end_date="%s" sold_out="false">`,
			n, c.provider, n, v, n, start.Format(local), end.Format(local))
		for z := range c.zones {
			capacity, price := 0, "99999.00" // nobody can pay it
			switch z {
			case 0:
				capacity, price = 2, strconv.Itoa(v)+".75"
			case 1:
				capacity, price = 1, strconv.Itoa(v)+".25"
			}
			b = fmt.Appendf(b, `<zone zone_id="%d" capacity="%d" price="%s" name="Zona %d" numbered="true"/>`, z, capacity, price, z)
		}
		b = append(b, "</plan></base_plan>\n"...)
	}
	return append(b, "</output></planList>\n"...)
}
