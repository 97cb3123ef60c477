#!/usr/bin/env bash
# expected: in a transaction at the level READ COMMITTED each statement sees what was committed before it, so to_regclass('t') finds a table that another session has made meanwhile
# seen (PostgreSQL 15.18-0+deb12u1): to_regclass and to_regnamespace still answer null, as before, also after pg_advisory_xact_lock; only after a statement that reads some table do they find it. Of two programs that migrate one database under such a lock, both make the schema
# what to do: in a transaction, look in pg_class and pg_namespace for what another session may have made
set -euo pipefail
version=15.18-0+deb12u1
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -INT "$server" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
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
"${as[@]}" "$bin/initdb" --no-sync --auth=trust --username=finding --pgdata=data >initdb.log
"${as[@]}" "$bin/postgres" -D data -k "$folder" -c listen_addresses= -c fsync=off >server.log 2>&1 &
server=$!
psql() { "$bin/psql" --no-psqlrc --quiet --tuples-only --no-align --host="$folder" --username=finding postgres "$@"; }
for _ in $(seq 300); do "$bin/pg_isready" --quiet --host="$folder" && break; sleep 0.1; done
psql --command='select version()'

# The first session asks, another makes a table and a schema, and the first asks again: by
# function, and then in the catalogue.
functions="select to_regclass('t') is not null, to_regnamespace('s') is not null;"
catalogue="select exists (select from pg_class where relname = 't'), exists (select from pg_namespace where nspname = 's');"
other="$bin/psql --no-psqlrc --quiet --host=$folder --username=finding --command='create schema s' --command='create table t ()' postgres"
psql >answers <<SQL
$functions
begin;
select 'lock' from pg_advisory_xact_lock(1);
\\! $other
$functions
$catalogue
$functions
SQL
mapfile -t answers <answers
echo "there are a table, a schema:"
echo "${answers[0]}  before"
echo "${answers[2]}  by function, when another session has made both"
echo "${answers[3]}  in the catalogue, in the next statement"
echo "${answers[4]}  by function, after that"
[ "${answers[0]} ${answers[2]} ${answers[3]} ${answers[4]}" = "f|f f|f t|t t|t" ]
