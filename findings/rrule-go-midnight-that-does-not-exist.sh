#!/usr/bin/env bash
# expected: a daily show at 00:00 in Santiago has one instance a day, also on the day that begins at 01:00 since the clocks skip its midnight
# seen (teambition/rrule-go 1.8.2): the day before comes twice, and that day not at all; in Cairo, east of Greenwich, the same rule is right
# what to do: expand wall-clock times as if they were UTC, and turn each into an instant by your own rule (RFC 5545 section 3.3.5)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"
	_ "time/tzdata"

	"github.com/teambition/rrule-go"
)

func days(zone string, month time.Month, day int) (all string) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	r, err := rrule.NewRRule(rrule.ROption{Freq: rrule.DAILY, Count: 3, Dtstart: time.Date(2027, month, day, 0, 0, 0, 0, loc)})
	if err != nil {
		panic(err)
	}
	for _, t := range r.All() {
		fmt.Println(t.Format("2006-01-02 15:04 -0700"), zone)
		all += t.Format("2 ")
	}
	return all
}

func main() {
	if days("Africa/Cairo", time.April, 29) != "29 30 1 " || days("America/Santiago", time.September, 4) != "4 4 6 " {
		fmt.Println("it is no longer as it was seen")
		os.Exit(1)
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/teambition/rrule-go@v1.8.2 >/dev/null 2>&1
go list -m github.com/teambition/rrule-go
go run .
