#!/usr/bin/env bash
# Expected: a mock leaves out a documented Content-Encoding header of a response, or compresses the body.
# Seen: prism 5.14.2 sends "content-encoding: gzip" over plain JSON; curl, fetch and Go's client fail to read it.
# What to do: leave Content-Encoding out of the headers of a response: HTTP has it anyway, whatever the API.
set -euo pipefail
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
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
          headers:
            Content-Encoding:
              schema: {type: string, enum: [gzip]}
          content:
            application/json:
              schema: {type: object}
              example: {a: 1}
END
cat >free.js <<'END'
const server = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(server.address().port); server.close(); });
END
npm install --silent --ignore-scripts --no-audit --no-fund @stoplight/prism-cli@5.14.2
node -p '"prism " + require("./node_modules/@stoplight/prism-cli/package.json").version'
port=$(node free.js)
mkfifo log
node_modules/.bin/prism mock --multiprocess false --host 127.0.0.1 --port "$port" openapi.yaml >log 2>&1 &
pid=$!
exec 3<log
while read -r -t 60 line <&3; do case $line in *'Prism is listening'*) break ;; esac; done
cat <&3 >/dev/null &
cat >ask.js <<'END'
const http = require("http");
http.get(process.argv[2], (r) => {
  let body = "";
  r.on("data", (d) => (body += d)).on("end", async () => {
    console.log(`content-encoding: ${r.headers["content-encoding"]}, body: ${body}`);
    const fails = await fetch(process.argv[2]).then((r) => r.text()).then(() => false, (e) => e.cause?.code ?? e.message);
    console.log(`fetch: ${fails}`);
    process.exit(r.headers["content-encoding"] === "gzip" && body.startsWith("{") && fails ? 0 : 1);
  });
});
END
node ask.js "http://127.0.0.1:$port/a"
