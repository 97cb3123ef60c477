#!/usr/bin/env bash
# expected: a Go value means the same to the server in each mode of execution of pgx: 01:30 on 1 March, five hours east of Greenwich, is the date 2026-03-01, and []byte("abc") the text abc
# seen (github.com/jackc/pgx/v5 v5.13.0, PostgreSQL 15.18): in the modes exec and simple_protocol, which a pooler of transactions is said to need, it is the date 2026-02-28, a day before, and the text \x616263; no error
# what to do: store moments as timestamptz and bytes as bytea, which are the same in all modes; or use cache_describe, which works through PgBouncer's mode for transactions, too
set -euo pipefail
version=15.18-0+deb12u1
folder=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done; wait; rm -rf "$folder"' EXIT
cd "$folder"
apt-get download "postgresql-15=$version" "postgresql-client-15=$version" libpq5 >download.log 2>&1 || {
	echo "PostgreSQL $version cannot be had here: $(tail -n 1 download.log)"
	exit 2
}
for package in *.deb; do dpkg -x "$package" .; done
chmod 777 .
bin=$folder/usr/lib/postgresql/15/bin
LD_LIBRARY_PATH=$(find "$folder/usr/lib" -maxdepth 1 -name '*-linux-gnu')
export LD_LIBRARY_PATH
as=() # PostgreSQL refuses to run as root
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
start() { # a server in a folder, with settings
	"${as[@]}" mkdir -p "$1"
	[ -e "$1/data" ] || "${as[@]}" "$bin/initdb" --no-sync --auth=trust --username=finding --pgdata="$1/data" >initdb.log
	"${as[@]}" "$bin/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off "${@:2}" >>server.log 2>&1 &
	server=$!
	pids+=("$server")
	for _ in $(seq 300); do "$bin/pg_isready" --quiet --host="$1" && break; sleep 0.1; done
}
start "$folder/one"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/jackc/pgx/v5 v5.13.0
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

func main() {
	ctx := context.Background()
	early := time.Date(2026, 3, 1, 1, 30, 0, 0, time.FixedZone("", 5*60*60))
	for _, mode := range []string{"cache_statement", "cache_describe", "exec", "simple_protocol"} {
		conn, err := pgx.Connect(ctx, os.Args[1]+" timezone=UTC default_query_exec_mode="+mode)
		if err != nil {
			panic(err)
		}
		var date, moment, text string
		if err := conn.QueryRow(ctx, "select $1::date::text, $2::timestamptz::text, $3::text", early, early, []byte("abc")).Scan(&date, &moment, &text); err != nil {
			panic(err)
		}
		fmt.Println(mode, date, moment, text)
	}
}
GO
go mod tidy 2>/dev/null
go build -o program .
echo "pgx $(go list -m -f '{{.Version}}' github.com/jackc/pgx/v5), $("$bin/postgres" --version): mode, date, moment, text"
./program "host=$folder/one user=finding dbname=postgres" | tee answers
diff answers - <<'SEEN'
cache_statement 2026-03-01 2026-02-28 20:30:00+00 abc
cache_describe 2026-03-01 2026-02-28 20:30:00+00 abc
exec 2026-02-28 2026-02-28 20:30:00+00 \x616263
simple_protocol 2026-02-28 2026-02-28 20:30:00+00 \x616263
SEEN
