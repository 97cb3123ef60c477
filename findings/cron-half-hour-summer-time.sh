#!/usr/bin/env bash
# expected: of "0 0 * * *" in Australia/Lord_Howe no midnight is left out when clocks go back by half an hour, and "30 1 * * *" is never due at 02:30
# seen (github.com/robfig/cron/v3 v3.0.1): Next goes from midnight of 2026-04-05 to that of 04-07, a whole day later; and of "30 1" it gives 02:30 on 2026-10-04
# what to do: ask a schedule for the next turn in a fixed offset (time.FixedZone), and go on with the new one at the end that Time.ZoneBounds gives
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'MOD'
module finding

go 1.24

require github.com/robfig/cron/v3 v3.0.1
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

func main() {
	place, err := time.LoadLocation("Australia/Lord_Howe")
	if err != nil {
		panic(err)
	}
	changed := false
	for _, turn := range []struct{ spec, after, seen string }{
		{"0 0 * * *", "2026-04-05T00:00:00+11:00", "2026-04-07T00:00:00+10:30"},
		{"30 1 * * *", "2026-10-04T01:30:00+10:30", "2026-10-04T02:30:00+11:00"},
	} {
		schedule, err := cron.ParseStandard(turn.spec)
		if err != nil {
			panic(err)
		}
		after, err := time.Parse(time.RFC3339, turn.after)
		if err != nil {
			panic(err)
		}
		next := schedule.Next(after.In(place)).Format(time.RFC3339)
		fmt.Printf("%q after %s is due at %s\n", turn.spec, turn.after, next)
		changed = changed || next != turn.seen
	}
	if changed {
		fmt.Println("it is no longer as it was seen")
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go list -m github.com/robfig/cron/v3
go run main.go
