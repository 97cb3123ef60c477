package config

import (
	"bytes"
	"errors"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/robfig/cron/v3"

	"fever/event"
)

// timeZone is a flag's value: a time zone of the IANA database.
type timeZone struct{ *time.Location }

func (z timeZone) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

func (z *timeZone) UnmarshalText(text []byte) error {
	location, err := event.LoadLocation(string(text))
	if err != nil {
		return errors.New("it is not an IANA time zone such as Europe/Madrid or UTC")
	}
	z.Location = location
	return nil
}

// size is a flag's value: a number of bytes, more than zero.
type size int64

func (s size) MarshalText() ([]byte, error) { return []byte(humanize.IBytes(uint64(s))), nil }

func (s *size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	// humanize drops commas, which in half of Europe would make 15GiB of 1,5GiB.
	if err != nil || n == 0 || n > math.MaxInt64 || bytes.ContainsRune(text, ',') {
		return errors.New("it is not a size such as 512MiB, 1GiB or 1048576")
	}
	*s = size(n)
	return nil
}

// origins is a flag's value: web origins as browsers send them (RFC 6454, section 6.2), or * alone.
type origins []string

func (o origins) MarshalText() ([]byte, error) { return []byte(strings.Join(o, ",")), nil }

func (o *origins) UnmarshalText(text []byte) error {
	*o = nil
	if len(text) == 0 {
		return nil
	}
	for origin := range strings.SplitSeq(string(text), ",") {
		origin = strings.TrimSpace(origin)
		if err := checkOrigin(origin); err != nil {
			return err
		}
		*o = append(*o, origin)
	}
	if len(*o) > 1 && slices.Contains(*o, "*") {
		return errors.New("* allows all origins, so it has to be alone")
	}
	return nil
}

// checkOrigin returns an error for an origin that no browser sends: it would never match.
func checkOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Scheme == "" || u.Hostname() == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, origin):
		return errors.New("an origin has a scheme, a host and perhaps a port, such as https://events.example.com")
	case origin != strings.ToLower(origin):
		return errors.New("browsers write an origin in lower case")
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return errors.New("browsers leave out the usual port of an origin")
	case strings.Contains(origin, "*"):
		return errors.New("an origin is compared as a whole: give each of them, or * alone for all")
	case strings.ContainsFunc(origin, func(r rune) bool { return r > '~' }):
		return errors.New("browsers write the host of an origin in ASCII (xn--...)")
	}
	return nil
}

// crontab is a flag's value: a cron expression of five fields. The zero value has no
// schedule.
type crontab struct {
	text     string
	schedule cron.Schedule
}

func (c crontab) MarshalText() ([]byte, error) { return []byte(c.text), nil }

func (c *crontab) UnmarshalText(text []byte) error {
	spec := string(text)
	// The parser also accepts a time zone (TZ=), which has a setting of its own here.
	if !strings.Contains(spec, "=") {
		schedule, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(spec)
		if err == nil && schedule.Next(time.Now()).IsZero() {
			return errors.New("it is never due")
		}
		if err == nil {
			*c = crontab{spec, schedule}
			return nil
		}
	}
	return errors.New("it is not a cron expression of five fields such as */5 * * * *")
}

// after returns the next time after t at which c is due in a time zone, or the zero time if
// there is none. A local time that the clocks skip is due with the offset from before the
// gap. One that they show twice is due twice.
//
// The schedule is only used with fixed offsets, between two changes of the clocks. Across a
// change it omits the times that are skipped and, where the clocks change by half an hour,
// all of the next day.
func (c crontab) after(t time.Time, location *time.Location) time.Time {
	since := t.In(location) // due is computed with its offset
	for {
		_, offset := since.Zone()
		_, change := since.ZoneBounds()
		if !change.IsZero() && !change.After(since) { // golang/go#81583: on the last day of a leap year
			change = since.Add(time.Hour)
		}
		due := c.schedule.Next(t.In(time.FixedZone("", offset))).In(location)
		if due.IsZero() || change.IsZero() || due.Before(change) {
			return due
		}
		_, next := change.Zone()
		if skipped := time.Duration(next-offset) * time.Second; due.Before(change.Add(skipped)) {
			return due
		}
		since, t = change, change.Add(-1)
	}
}
