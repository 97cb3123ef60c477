#!/usr/bin/env bash
# expected: strptime("%Y-%m-%d %H:%M %Z") in a gojq program gives the same seconds for "2026-01-15 12:00 EST" on every machine
# seen (github.com/itchyny/gojq v0.12.20): EST is five hours behind UTC only where the machine's TZ is America/New_York; elsewhere the same text is read as UTC, without an error
# what to do: refuse %Z in programs that must give the same result everywhere, and read abbreviations of zones, which mean several, with an offset of your own
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'MOD'
module finding

go 1.24

require github.com/itchyny/gojq v0.12.20
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"time"
	_ "time/tzdata"

	"github.com/itchyny/gojq"
)

func main() {
	query, err := gojq.Parse(`strptime("%Y-%m-%d %H:%M %Z") | mktime`)
	if err != nil {
		panic(err)
	}
	value, _ := query.Run("2026-01-15 12:00 EST").Next()
	seconds, ok := gojq.ToInt(value)
	if !ok {
		panic(fmt.Sprint(value))
	}
	fmt.Println(time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339))
}
GO
go mod tidy 2>/dev/null
go build -o program .
echo "github.com/itchyny/gojq $(go list -m -f '{{.Version}}' github.com/itchyny/gojq): 2026-01-15 12:00 EST is"
failed=0
while read -r zone seen; do
	got=$(TZ=$zone ./program)
	echo "$got where TZ=$zone"
	[ "$got" = "$seen" ] || failed=1
done <<'SEEN'
UTC 2026-01-15T12:00:00Z
Europe/Madrid 2026-01-15T12:00:00Z
America/New_York 2026-01-15T17:00:00Z
SEEN
exit "$failed"
