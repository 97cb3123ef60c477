// Reads calendars with one series each, one JSON text a line, and prints the starts that
// ical.js and rrule.js find, in UTC.
import fs from 'node:fs';
import readline from 'node:readline';
import ICAL from 'ical.js';
import rrule from 'rrule';

const name = process.argv[2];
const most = 400;

function icaljs(item) {
  const component = new ICAL.Component(ICAL.parse(item.ics));
  for (const zone of component.getAllSubcomponents('vtimezone')) ICAL.TimezoneService.register(zone);
  const event = new ICAL.Event(component.getFirstSubcomponent('vevent'));
  const iterator = event.iterator();
  const times = [];
  for (let next; times.length < most && (next = iterator.next());) {
    times.push(next.toUnixTime());
  }
  return times;
}

// rrule.js knows no iCalendar: it gets the rule, and the zone by name. It gives the local time
// as if it were UTC, or the instant, as its documentation says for each.
function rrulejs(item) {
  const set = rrule.rrulestr(`DTSTART;TZID=${item.zone}:${item.start}\nRRULE:${item.rule}`, { forceset: true });
  for (const t of item.excluded) set.exdate(wall(t));
  return set.all((_, n) => n < most).map((d) => d.getTime() / 1000);
}

const wall = (s) => new Date(s.replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/, '$1-$2-$3T$4:$5:$6Z'));

for await (const line of readline.createInterface({ input: fs.createReadStream(null, { fd: 0 }) })) {
  const item = JSON.parse(line);
  let times = null;
  try {
    times = name === 'ical.js' ? icaljs(item) : rrulejs(item);
  } catch (error) {
    console.error(item.rule, error.message);
  }
  console.log(JSON.stringify(times));
}
