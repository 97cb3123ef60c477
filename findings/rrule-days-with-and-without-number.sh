#!/usr/bin/env bash
# expected: BYDAY=1MO,SU of a month is its first Monday and all Sundays: each element of the list adds days (RFC 5545 section 3.3.10)
# seen (rrule.js 2.8.1, rrule-go 1.8.2): a list of days with and without a number gives only days that match both kinds, here the first Sunday that is a first Monday: none
# what to do: expand the two kinds of days apart and join them, or refuse such a list; python-dateutil, which both were made after, does the same
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --ignore-scripts --no-audit --no-fund --loglevel error rrule@2.8.1 >/dev/null
cat >days.mjs <<'JS'
import rrule from 'rrule';

const days = (byday) =>
  rrule.rrulestr(`DTSTART:20261101T200000Z\nRRULE:FREQ=MONTHLY;BYDAY=${byday};UNTIL=20261130T235959Z`).all().map((d) => d.toISOString().slice(5, 10)).join(' ');
const seen = { '1MO': '11-02', SU: '11-01 11-08 11-15 11-22 11-29', '1MO,SU': '' };
let changed = false;
for (const [byday, want] of Object.entries(seen)) {
  const got = days(byday);
  console.log(`rrule.js: BYDAY=${byday}: ${got || 'nothing'}`);
  changed ||= got !== want;
}
process.exit(changed ? 1 : 0);
JS
npm ls rrule | grep rrule@
changed=0
node days.mjs || changed=1
cat >go.mod <<'MOD'
module finding

go 1.24

require github.com/teambition/rrule-go v1.8.2
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/teambition/rrule-go"
)

func main() {
	rule, err := rrule.StrToRRule("DTSTART:20261101T200000Z\nRRULE:FREQ=MONTHLY;BYDAY=1MO,SU;UNTIL=20261130T235959Z")
	if err != nil {
		panic(err)
	}
	fmt.Printf("rrule-go: BYDAY=1MO,SU: %d days\n", len(rule.All()))
	if len(rule.All()) != 0 {
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go list -m github.com/teambition/rrule-go
go run main.go || changed=1
[ "$changed" = 0 ] || { echo "it is no longer as it was seen"; exit 1; }
