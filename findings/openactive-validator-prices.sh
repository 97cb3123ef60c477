#!/usr/bin/env bash
# expected: a price below zero is an error, and 2026-12-07T10:00:00.000Z a valid time (ISO 8601 allows a decimal fraction)
# seen (@openactive/data-model-validator 3.0.3): an offer with the price -5 passes without a word on the price; the time with .000 is a failure, twice
# what to do: check prices yourself, also those of feeds that validate; read times with a fraction, and write them without
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' >package.json
npm install --ignore-scripts --no-audit --no-fund --loglevel error @openactive/data-model-validator@3.0.3 >/dev/null
cat >check.js <<'JS'
const { validate } = require('@openactive/data-model-validator');

const event = {
  '@context': 'https://openactive.io/', '@type': 'Event', '@id': 'https://a.example/1', name: 'Yoga', url: 'https://a.example/1',
  startDate: '2026-12-07T10:00:00Z', endDate: '2026-12-07T11:00:00Z',
  offers: [{ '@type': 'Offer', '@id': 'https://a.example/1#o', price: 5, priceCurrency: 'GBP' }],
};
// failures returns the paths of the failures that a change of the event causes.
const failures = async (change) => {
  const found = async (data) => (await validate(data, { loadRemoteJson: false, type: 'Event' }))
    .filter((e) => e.severity === 'failure').map((e) => e.path);
  const before = await found(event);
  return (await found({ ...event, ...change })).filter((path) => !before.includes(path));
};
(async () => {
  const price = await failures({ offers: [{ ...event.offers[0], price: -5 }] });
  const word = await failures({ offers: [{ ...event.offers[0], price: 'five' }] });
  const time = await failures({ startDate: '2026-12-07T10:00:00.000Z' });
  const end = await failures({ endDate: '2026-12-07T09:00:00Z' });
  console.log(`price -5: ${price.join(' ') || 'no failure'}`);
  console.log(`price "five": ${word.join(' ') || 'no failure'}`); // prices are looked at
  console.log(`start with .000: ${time.join(' ') || 'no failure'}`);
  console.log(`end before the start: ${end.join(' ') || 'no failure'}`); // and times are, too
  if (price.length > 0 || word.length === 0 || time.length === 0 || end.length === 0) {
    console.log('it is no longer as it was seen');
    process.exit(1);
  }
})();
JS
npm ls @openactive/data-model-validator | grep validator
node check.js
