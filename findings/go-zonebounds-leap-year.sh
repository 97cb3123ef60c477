#!/usr/bin/env bash
# expected: time.Time.ZoneBounds returns an end that is after the time, so that going on from each end walks through all changes of a zone
# seen (go1.26.8, Europe/Madrid; known as golang/go#81583): from 2038 on, where the rule of the zone counts, bounds are also at the end of each 365 days; on 31 December of a leap year (2040-12-31 01:00) the end is the time itself, and the walk never ends
# what to do: do not walk by ZoneBounds beyond 2037: compare the offsets of one day and the next, and search within a day that differs
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'MOD'
module finding

go 1.24
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"
	_ "time/tzdata"
)

func main() {
	place, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		panic(err)
	}
	at := time.Date(2037, 6, 1, 0, 0, 0, 0, place)
	for at.Year() < 2045 {
		_, end := at.ZoneBounds()
		_, before := at.Zone()
		_, after := end.Zone()
		fmt.Printf("%s: the bounds end at %s, and the offset changes by %d s\n", at.Format(time.RFC3339), end.Format(time.RFC3339), after-before)
		if !end.After(at) {
			fmt.Println("the end is not after the time")
			os.Exit(0)
		}
		at = end
	}
	fmt.Println("it is no longer as it was seen")
	os.Exit(1)
}
GO
go version
ulimit -t 60
go run main.go
