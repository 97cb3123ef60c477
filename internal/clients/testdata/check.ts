// Holds a server against the client that openapi-typescript and openapi-fetch make.
//
//   node built/check.js URL          a fever
//   node built/check.js URL mock     a mock made from the document
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const [baseUrl = "", mock] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl });

// prefer asks a mock for an answer. A fever gives it by itself.
const prefer = (status: number) => (mock ? { Prefer: `code=${status}` } : {});

const window = { starts_at: "2021-01-01T00:00:00+00:00", ends_at: "2030-01-01T00:00:00Z" };
const found = await client.GET("/search", { params: { query: window } });
assert.equal(found.response.status, 200);
assert.equal(found.error, undefined);
assert.ok(found.data);
// openapi-fetch leaves what is always null out of its types.
assert.ok("error" in found.data && found.data.error === null);
const events: components["schemas"]["EventSummary"][] = found.data.data.events;
assert.ok(events.length >= 2);
for (const event of events) {
  assert.equal(Object.keys(event).length, 8);
  assert.match(event.id, /^[0-9a-f-]{36}$/);
  assert.equal(typeof event.title, "string");
  assert.match(event.start_date, /^\d{4}-\d\d-\d\d$/);
  for (const time of [event.start_time, event.end_time]) assert.ok(time === null || /^\d\d:\d\d:\d\d$/.test(time));
  for (const price of [event.min_price, event.max_price]) assert.ok(price === null || typeof price === "number");
}
assert.ok(events.some((e) => e.start_time === null && e.end_date === null && e.end_time === null && e.min_price === null && e.max_price === null));
const highest: number = mock ? 30.5 : 1234567.89;
assert.ok(events.some((e) => e.max_price === highest));
if (!mock) assert.equal(found.response.headers.get("content-encoding"), "gzip");

const invalid = await client.GET("/search", { params: { query: { starts_at: "yesterday" } }, headers: prefer(400) });
assert.equal(invalid.response.status, 400);
assert.equal(invalid.data, undefined);
assert.ok(invalid.error);
assert.equal(invalid.error.error.code, "invalid_parameter");
assert.ok("data" in invalid.error && invalid.error.data === null);

// A 304 is neither data nor an error: only the response tells.
const tag = found.response.headers.get("etag");
assert.ok(tag);
const same = await client.GET("/search", {
  params: { query: window, header: { "If-None-Match": tag } },
  headers: prefer(304),
});
assert.equal(same.response.status, 304);
assert.equal(same.data, undefined);
assert.ok(!same.error);

const header = await client.HEAD("/search", { params: { query: window } });
assert.equal(header.response.status, 200);
assert.equal(header.error, undefined);
if (mock) assert.ok(header.response.headers.get("etag"));
else assert.equal(header.response.headers.get("etag"), tag);

// All events, page by page. A mock has a single page.
const paged: typeof events = [];
for (let cursor = "", more = true; more; more = !mock && cursor !== "") {
  const page = await client.GET("/search", {
    params: { query: { ...window, match: "overlap", limit: 1, ...(cursor ? { cursor } : {}) } },
  });
  assert.equal(page.response.status, 200);
  assert.ok(page.data);
  paged.push(...page.data.data.events);
  cursor = page.response.headers.get("link")?.match(/cursor=([^>]+)>/)?.[1] ?? "";
}
assert.deepEqual(paged, events);

const options = await client.OPTIONS("/search");
assert.equal(options.response.status, 204);
assert.equal(options.error, undefined);
assert.equal(options.response.headers.get("allow"), "GET, HEAD, OPTIONS");
