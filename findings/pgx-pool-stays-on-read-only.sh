#!/usr/bin/env bash
# expected: a pool of pgx with two hosts and target_session_attrs=read-write goes to the other host when the first one takes no more writes
# seen (github.com/jackc/pgx/v5 v5.13.0, PostgreSQL 15.18): the attribute is looked at when a connection is made, and never again: each write fails with 25006, however often one tries, until the connection has reached the end of its hour or Pool.Reset is called
# what to do: call Reset of the pool after an error with the code 25006
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
for one in one two; do
	start "$folder/$one"
	"$bin/psql" --no-psqlrc --quiet --host="$folder/$one" --username=finding --command="create table t ()" postgres
done
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/jackc/pgx/v5 v5.13.0
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	ctx := context.Background()
	one, two := os.Args[1], os.Args[2]
	pool, err := pgxpool.New(ctx, "host="+one+","+two+" user=finding dbname=postgres target_session_attrs=read-write")
	if err != nil {
		panic(err)
	}
	write := func() string {
		_, err := pool.Exec(ctx, "insert into t default values")
		if said := (*pgconn.PgError)(nil); errors.As(err, &said) {
			return said.Code
		}
		return fmt.Sprint("error ", err)
	}
	fmt.Println("the first is read-write:", write())
	conn, err := pgx.Connect(ctx, "host="+one+" user=finding dbname=postgres")
	if err != nil {
		panic(err)
	}
	for _, statement := range []string{"alter system set default_transaction_read_only = on", "select pg_reload_conf()"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			panic(err)
		}
	}
	for write() != "25006" {
		time.Sleep(10 * time.Millisecond)
	}
	for range 5 {
		time.Sleep(200 * time.Millisecond)
		fmt.Println("the first is read-only:", write())
	}
	pool.Reset()
	fmt.Println("after Reset:", write())
}
GO
go mod tidy 2>/dev/null
go build -o program .
echo "pgx $(go list -m -f '{{.Version}}' github.com/jackc/pgx/v5), $("$bin/postgres" --version)"
./program "$folder/one" "$folder/two" | tee answers
diff answers - <<'SEEN'
the first is read-write: error <nil>
the first is read-only: 25006
the first is read-only: 25006
the first is read-only: 25006
the first is read-only: 25006
the first is read-only: 25006
after Reset: error <nil>
SEEN
