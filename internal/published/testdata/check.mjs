// Reads what a fever publishes at the address of its ops listener, with programs of others.
import assert from "node:assert/strict";
import ICAL from "ical.js";
import feeds from "@openactive/rpde-validator";
import models from "@openactive/data-model-validator";

const base = process.argv[2];
const get = async (path) => {
  const response = await fetch(new URL(path, base));
  assert.equal(response.status, 200, path);
  return response;
};
const graph = (await (await get("/events.jsonld")).json())["@graph"];
const ics = await (await get("/calendar.ics")).text();

// The feed of changes. Its licence is not fever's to give.
const log = await feeds.RpdeValidator(`${base}/rpde`);
const failures = log.pages.flatMap((page) => page.errors.map((e) => ({ url: page.url, ...e.data })))
  .filter((e) => e.severity === "failure" && !/`license`/.test(e.message));
assert.deepEqual(failures, [], "OpenActive's validator of feeds");

const items = new Map();
let pages = 0;
for (let url = `${base}/rpde`; ;pages++) {
  const page = await (await get(url)).json();
  for (const item of page.items) items.set(item.id, item);
  if (page.next === url && page.items.length === 0) break;
  url = page.next;
}
assert.equal(items.size, 1116);
assert.equal([...items.values()].filter((item) => item.state === "deleted").length, 2);

// The events in it. OpenActive asks for more than fever knows, has dates with a time alone, and
// ids that are URLs. The members of fever's own have no published context.
const unknown = [
  'invalid_id $["@id"]',
  "missing_required_field $.url", "missing_required_field $.location", "missing_required_field $.activity",
  "missing_required_field $.superEvent.name", "missing_required_field $.superEvent.activity", "missing_required_field $.superEvent.organizer",
  "missing_required_field $.organizer.id", "missing_required_field $.organizer.name", "missing_required_field $.organizer",
];
const seen = new Map();
for (const item of [...items.values()].slice(0, 10)) {
  if (item.state === "deleted") continue;
  const data = { ...item.data, "@context": "https://openactive.io/" };
  const timed = data.startDate.length > 10 && (data.endDate ?? data.startDate).length > 10;
  for (const e of await models.validate(data)) {
    const known = unknown.includes(`${e.type} ${e.path}`)
      || (e.type === "experimental_fields_not_checked" && e.path.includes('["fever:'))
      || (!timed && /^\$\.(startDate|endDate|duration)$/.test(e.path));
    if (e.severity === "failure" && !known) seen.set(`${e.type} ${e.path}: ${e.message}`, item.id);
  }
}
assert.deepEqual([...seen], [], "OpenActive's validator of events");

// The calendar, by its own time zones, against the instants of the other document.
const events = new Map(graph.map((e) => [e["@id"].replace("urn:uuid:", ""), e]));
const calendar = new ICAL.Component(ICAL.parse(ics));
for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
let zoned = 0;
const vevents = calendar.getAllSubcomponents("vevent");
for (const vevent of vevents) {
  const event = new ICAL.Event(vevent);
  const want = events.get(event.uid);
  assert.equal(event.summary, want.name);
  assert.equal(event.startDate.isDate, want.startDate.length === 10, want.startDate);
  if (event.startDate.isDate) {
    assert.equal(event.startDate.toString(), want.startDate);
    if (want.endDate) { // exclusive here
      const last = event.endDate.clone();
      last.adjust(-1, 0, 0, 0);
      assert.equal(last.toString(), want.endDate);
    }
    continue;
  }
  zoned += vevent.getFirstProperty("dtstart").getParameter("tzid") ? 1 : 0;
  assert.equal(event.startDate.toUnixTime(), Date.parse(want.startDate) / 1000, `${event.summary} ${want.startDate}`);
  if (want.endDate?.length > 10) assert.equal(event.endDate.toUnixTime(), Date.parse(want.endDate) / 1000, want.endDate);
}
assert.equal(vevents.length, events.size);
assert.ok(zoned > 1000, `${zoned} with a zone`);
console.log(`${pages} pages with ${items.size} items, ${vevents.length} events: as OpenActive's validators and ical.js read them`);
