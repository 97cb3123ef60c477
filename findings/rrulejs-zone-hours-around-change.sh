#!/usr/bin/env bash
# expected: a daily show at 01:30 in Madrid is at 23:30 UTC of the day before while summer time lasts, also in the night in which it ends an hour and a half later
# seen (rrule.js 2.8.1): with DTSTART;TZID= it is at 00:30 UTC in that night, which is 02:30 by the clock there; the offset is that of 01:30 UTC
# what to do: give such libraries local times as if they were UTC, without a zone, and turn what they give into instants by your own rule
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --ignore-scripts --no-audit --no-fund --loglevel error rrule@2.8.1 >/dev/null
cat >zone.mjs <<'JS'
import rrule from 'rrule';

const times = rrule.rrulestr('DTSTART;TZID=Europe/Madrid:20261024T013000\nRRULE:FREQ=DAILY;COUNT=3').all();
const clock = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Madrid', hour: '2-digit', minute: '2-digit' });
for (const t of times) console.log(`${t.toISOString()} is ${clock.format(t)} in Madrid`);
if (times.map((t) => clock.format(t)).join(' ') !== '01:30 02:30 01:30') {
  console.log('it is no longer as it was seen');
  process.exit(1);
}
JS
npm ls rrule | grep rrule@
TZ=UTC node zone.mjs
