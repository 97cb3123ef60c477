#!/usr/bin/env bash
# expected: FREQ=YEARLY;BYWEEKNO=12;BYDAY=MO is the Monday of week 12 of each year (RFC 5545 section 3.3.10)
# seen (ical.js 2.2.1): it gives the Mondays of the weeks after week 12, one week after the other, and not the start, which matches; without BYDAY it gives nothing
# what to do: do not let ical.js expand rules with BYWEEKNO; python-dateutil and rrule.js have the right weeks if BYDAY names the days
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --ignore-scripts --no-audit --no-fund --loglevel error ical.js@2.2.1 >/dev/null
cat >week.mjs <<'JS'
import ICAL from 'ical.js';

const expand = (rule) => {
  const calendar = `BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//f//EN\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20270322T200000\r\nRRULE:${rule}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`;
  const event = new ICAL.Event(new ICAL.Component(ICAL.parse(calendar)).getFirstSubcomponent('vevent'));
  const iterator = event.iterator();
  const days = [];
  for (let next; (next = iterator.next());) days.push(next.toString().slice(0, 10));
  return days.join(' ');
};
let changed = false;
for (const [rule, seen] of [
  ['FREQ=YEARLY;BYWEEKNO=12;BYDAY=MO;COUNT=4', '2027-03-29 2027-04-05 2027-04-12 2027-04-19'],
  ['FREQ=YEARLY;BYWEEKNO=12;COUNT=4', ''],
]) {
  const days = expand(rule);
  console.log(`${rule}: ${days || 'nothing'}`);
  changed ||= days !== seen;
}
if (changed) {
  console.log('it is no longer as it was seen');
  process.exit(1);
}
JS
npm ls ical.js | grep ical.js
node week.mjs
