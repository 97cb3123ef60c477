// Votes asks other implementations of iCalendar when series of events take place, around the
// changes of the clocks in several time zones. It writes what they say to
// provider/feed/ical/testdata/votes.json, which a test of that package compares with what
// fever says. It needs Node, npm, and
// Debian's python3-recurring-ical-events.
//
// Run it in the root of the repository: go run ./internal/votes.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"fever/internal/harness"
	"fever/provider/rrule"
)

func main() {
	out := flag.String("out", "provider/feed/ical/testdata/votes.json", "the `file` to write")
	flag.Parse()
	harness.Main("votes", func(ctx context.Context, _ io.Writer) error {
		return harness.InTemp(func(dir string) error { return run(ctx, dir, *out) })
	})
}

// A question is a series.
type question struct {
	Zone     string             `json:"zone"`
	Start    string             `json:"start"`
	Rule     string             `json:"rule"`
	Excluded []string           `json:"excluded"`
	ICS      string             `json:"ics,omitempty"` // not kept: it follows from the others
	Votes    map[string][]int64 `json:"votes"`         // Unix seconds by implementation; null: it failed
}

func run(ctx context.Context, dir, out string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("internal", "votes", "testdata"))); err != nil {
		return fmt.Errorf("copy the programs: %w", err)
	}
	install := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error")
	install.Dir, install.Stdout, install.Stderr = dir, os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return fmt.Errorf("install ical.js and rrule.js: %w", err)
	}
	questions := questions()
	var input bytes.Buffer
	for i := range questions {
		if err := json.NewEncoder(&input).Encode(&questions[i]); err != nil {
			return fmt.Errorf("encode a question: %w", err)
		}
	}
	for name, command := range map[string][]string{
		"ical.js":               {"node", "expand.mjs", "ical.js"},
		"rrule.js":              {"node", "expand.mjs", "rrule.js"},
		"recurring-ical-events": {"/usr/bin/python3", "expand.py"},
	} {
		votes, err := ask(ctx, dir, command, input.Bytes(), len(questions))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i := range questions {
			questions[i].Votes[name] = votes[i]
		}
	}
	var result bytes.Buffer
	for i := range questions {
		questions[i].ICS = ""
		line, err := json.Marshal(&questions[i])
		if err != nil {
			return fmt.Errorf("encode the votes: %w", err)
		}
		result.Write(append(line, '\n'))
	}
	if err := os.WriteFile(out, result.Bytes(), 0o644); err != nil { //nolint:gosec // everybody may read it
		return fmt.Errorf("write the votes: %w", err)
	}
	fmt.Printf("%d questions, in %s\n", len(questions), out)
	return nil
}

// ask gives the questions to an implementation, and returns a list of times for each.
func ask(ctx context.Context, dir string, command []string, input []byte, n int) ([][]int64, error) {
	program := exec.CommandContext(ctx, command[0], command[1:]...)
	program.Dir, program.Stdin, program.Stderr = dir, bytes.NewReader(input), os.Stderr
	program.Env = append(os.Environ(), "TZ=UTC")
	output, err := program.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", strings.Join(command, " "), err)
	}
	var all [][]int64
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var times []int64
		if err := json.Unmarshal(lines.Bytes(), &times); err != nil {
			return nil, fmt.Errorf("read its answer: %w", err)
		}
		all = append(all, times)
	}
	if len(all) != n {
		return nil, fmt.Errorf("%d answers to %d questions", len(all), n)
	}
	return all, nil
}

// A timeZone is one with a VTIMEZONE that says what the zone database says of these years, and
// days near its changes.
type timeZone struct {
	name, ics string
	near      []string
}

func zone(name, winter, summer, toSummer, summerRule, toWinter, winterRule string, near ...string) timeZone {
	return timeZone{name, "BEGIN:VTIMEZONE\r\nTZID:" + name + "\r\n" +
		"BEGIN:STANDARD\r\nDTSTART:" + toWinter + "\r\nTZOFFSETFROM:" + summer + "\r\nTZOFFSETTO:" + winter + "\r\nRRULE:FREQ=YEARLY;" + winterRule + "\r\nEND:STANDARD\r\n" +
		"BEGIN:DAYLIGHT\r\nDTSTART:" + toSummer + "\r\nTZOFFSETFROM:" + winter + "\r\nTZOFFSETTO:" + summer + "\r\nRRULE:FREQ=YEARLY;" + summerRule + "\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n", near}
}

var zones = []timeZone{
	zone("Europe/Madrid", "+0100", "+0200", "20200329T020000", "BYMONTH=3;BYDAY=-1SU", "20201025T030000", "BYMONTH=10;BYDAY=-1SU", "20261018", "20270321"),
	zone("America/New_York", "-0500", "-0400", "20200308T020000", "BYMONTH=3;BYDAY=2SU", "20201101T020000", "BYMONTH=11;BYDAY=1SU", "20261025", "20270307"),
	zone("America/Santiago", "-0400", "-0300", "20220911T000000", "BYMONTH=9;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=SU", "20200405T000000", "BYMONTH=4;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=SU", "20270329", "20270829"),
	zone("Australia/Lord_Howe", "+1030", "+1100", "20201004T020000", "BYMONTH=10;BYDAY=1SU", "20200405T020000", "BYMONTH=4;BYDAY=1SU", "20260928", "20270329"),
	zone("Europe/Dublin", "+0000", "+0100", "20200329T010000", "BYMONTH=3;BYDAY=-1SU", "20201025T020000", "BYMONTH=10;BYDAY=-1SU", "20261018", "20270321"),
}

// questions returns series with rules of all kinds, which start where their rule does.
func questions() []question {
	random := rand.New(rand.NewPCG(5545, 3310)) //nolint:gosec // the same each time
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	var all []question
	for len(all) < 300 {
		in := zones[len(all)%len(zones)]
		rule := pick("FREQ=DAILY", "FREQ=DAILY;INTERVAL=2", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=WEEKLY;INTERVAL=2;WKST="+pick("SU", "MO")+";BYDAY=SU,MO,FR",
			"FREQ=MONTHLY;BYDAY="+pick("1SU", "-1SU", "2SA", "-1FR"), "FREQ=MONTHLY;BYMONTHDAY="+pick("1", "-1", "28,-3", "31"), "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS="+pick("1", "-1", "2,-2"),
			"FREQ=MONTHLY;BYDAY="+pick("1SU,SA", "-1SU,MO"), "FREQ=YEARLY;BYMONTH=3,10,11;BYDAY="+pick("-1SU", "1SU"), "FREQ=YEARLY;BYYEARDAY="+pick("87,298", "-1,1"),
			"FREQ=YEARLY;BYWEEKNO="+pick("12,43,44", "53,1")+";BYDAY=SU,MO", "FREQ=YEARLY;BYWEEKNO="+pick("12", "43"), "FREQ=HOURLY", "FREQ=HOURLY;INTERVAL=5", "FREQ=MINUTELY;INTERVAL=30",
			"FREQ=DAILY;BYHOUR=1,2,3", "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR")
		day := pick(in.near...)
		clock := pick("000000", "003000", "013000", "020000", "023000", "030000", "200000")
		base, _, err := rrule.ParseTime(day + "T" + clock)
		if err != nil {
			panic(err)
		}
		base += int64(random.IntN(7)) * 24 * 3600
		parsed, err := rrule.Parse(rule)
		if err != nil {
			panic(err)
		}
		// The first time after it that the rule matches: the base itself may not match.
		times, _ := parsed.Between(base, base+9*366*24*3600, base, base+9*366*24*3600)
		start := times[1]
		rule += fmt.Sprintf(";COUNT=%d", 5+random.IntN(6))
		text := func(wall int64) string { return time.Unix(wall, 0).UTC().Format("20060102T150405") }
		q := question{Zone: in.name, Start: text(start), Rule: rule, Excluded: []string{}, Votes: make(map[string][]int64)}
		lines := ""
		if random.IntN(4) == 0 {
			parsed, err := rrule.Parse(rule)
			if err != nil {
				panic(err)
			}
			times, _ := parsed.Between(start, start+9*366*24*3600, start, start+9*366*24*3600)
			q.Excluded = []string{text(times[1+random.IntN(len(times)-1)])}
			lines = "EXDATE;TZID=" + q.Zone + ":" + q.Excluded[0] + "\r\n"
		}
		q.ICS = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//votes//EN\r\n" + in.ics + "BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:t\r\nDTSTART;TZID=" + q.Zone + ":" + q.Start +
			"\r\nRRULE:" + rule + "\r\n" + lines + "END:VEVENT\r\nEND:VCALENDAR\r\n"
		all = append(all, q)
	}
	return all
}
