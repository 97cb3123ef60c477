#!/usr/bin/env bash
# expected: when its context ends while COMMIT waits for a synchronous standby, Commit of pgx returns an error, as it is not known whether the commit will be kept
# seen (github.com/jackc/pgx/v5 v5.13.0, PostgreSQL 15.18): with CancelRequestContextWatcherHandler it returns nil: the server answers the cancel request with a success and a notice (01000), and the rows, which are on no standby, are seen by all
# what to do: leave the handler as it is by default, or fail a commit when OnNotice gets 01000; take any error of Commit for "unknown", and ask
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
start "$folder/one" -c synchronous_standby_names=nobody
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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	ctx := context.Background()
	config, err := pgx.ParseConfig(os.Args[1])
	must(err)
	notice := "none"
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notice = n.Code }
	if os.Args[2] == "cancel" {
		config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: time.Minute}
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	must(err)
	tx, err := conn.Begin(ctx)
	must(err)
	_, err = tx.Exec(ctx, "create table "+os.Args[2]+" ()")
	must(err)
	short, end := context.WithTimeout(ctx, time.Second)
	defer end()
	err = tx.Commit(short)
	fmt.Printf("%s: Commit fails: %t, notice %s\n", os.Args[2], err != nil, notice)
}
GO
go mod tidy 2>/dev/null
go build -o program .
echo "pgx $(go list -m -f '{{.Version}}' github.com/jackc/pgx/v5), $("$bin/postgres" --version), with a standby that never answers:"
for handler in deadline cancel; do ./program "host=$folder/one user=finding dbname=postgres" "$handler"; done | tee answers
"$bin/psql" --no-psqlrc --tuples-only --no-align --host="$folder/one" --username=finding --command="select 'seen by all: ' || count(*) from pg_class where relname = 'cancel'" postgres | tee -a answers
diff answers - <<'SEEN'
deadline: Commit fails: true, notice none
cancel: Commit fails: false, notice 01000
seen by all: 1
SEEN
