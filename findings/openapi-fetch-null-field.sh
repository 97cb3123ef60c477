#!/usr/bin/env bash
# Expected: a field whose type is null alone, such as "error" of {"data": 1, "error": null}, is in the type of an answer.
# Seen: openapi-fetch 0.17.0 takes it out of the type of data, though openapi-typescript 7.13.0 writes it: TS2339.
# What to do: read it by ("error" in data), or not at all: it says nothing that the status does not.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >openapi.yaml <<'END'
openapi: 3.0.3
info: {title: A, version: 1.0.0}
paths:
  /a:
    get:
      responses:
        '200':
          description: OK
          content:
            application/json:
              schema:
                type: object
                required: [data, error]
                properties:
                  data: {type: integer}
                  error: {type: string, nullable: true, enum: [null]}
END
cat >use.ts <<'END'
import createClient from "openapi-fetch";
import type { paths } from "./api.js";
export type Written = paths["/a"]["get"]["responses"]["200"]["content"]["application/json"]["error"]; // is there
const { data } = await createClient<paths>({ baseUrl: "" }).GET("/a");
export const number = data!.data;
export const nothing = data!.error;
END
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund openapi-fetch@0.17.0 openapi-typescript@7.13.0 typescript@5.9.3
node -p '["openapi-fetch", "openapi-typescript", "typescript"].map(p => p + " " + require(`./node_modules/${p}/package.json`).version).join(", ")'
node_modules/.bin/openapi-typescript openapi.yaml -o api.ts >/dev/null 2>&1
grep -n 'error: null' api.ts
out=$(node_modules/.bin/tsc --noEmit --strict --skipLibCheck --target es2022 --module nodenext use.ts) && { echo 'it compiles: the field is in the type now'; exit 1; }
echo "$out"
[ "$(grep -c 'error TS' <<<"$out")" = 1 ] && grep -q "use.ts(6,.*TS2339: Property 'error' does not exist" <<<"$out"
