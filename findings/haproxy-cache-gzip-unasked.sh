#!/usr/bin/env bash
# expected: with "process-vary on" a stored gzip answer with "Vary: Accept-Encoding" is for those alone who accept gzip; a client that sends no Accept-Encoding gets one of its own
# seen (haproxy 2.6.12-1+deb12u4): a client without Accept-Encoding gets the stored gzip bytes; one that sends "identity" does not
# what to do: http-request set-header Accept-Encoding identity unless { req.hdr(accept-encoding) -m found }
set -euo pipefail
version=2.6.12-1+deb12u4
folder=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$folder"' EXIT
cd "$folder"
chmod 777 .
apt-get download "haproxy=$version" liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 libpcre2-8-0 >download.log 2>&1 || {
	echo "haproxy $version cannot be had here: $(tail -n 1 download.log)"
	exit 2
}
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$(find "$folder/usr/lib" -maxdepth 1 -name '*-linux-gnu')
export LD_LIBRARY_PATH

cat >origin.py <<'PY'
import gzip, http.server, sys

class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"as it is, and long enough"
        self.send_response(200)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Cache-Control", "public, max-age=60")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
print(server.server_port, file=open(sys.argv[1], "w"), flush=True)
server.serve_forever()
PY
python3 origin.py port &
pids+=($!)
for _ in $(seq 100); do
	[ -s port ] && break
	sleep 0.1
done
cat >haproxy.cfg <<CFG
defaults
	mode http
	timeout connect 5s
	timeout client 5s
	timeout server 5s
cache small
	total-max-size 4
	process-vary on
frontend in
	bind unix@$folder/socket mode 600
	http-request cache-use small
	http-response cache-store small
	default_backend out
backend out
	server origin 127.0.0.1:$(cat port)
CFG
usr/sbin/haproxy -db -f haproxy.cfg 2>haproxy.log &
pids+=($!)
for _ in $(seq 100); do
	[ -S socket ] && break
	sleep 0.1
done
usr/sbin/haproxy -v | head -n 1

# ask prints the coding of the answer, given the header fields of a request.
ask() { curl -sS -o /dev/null -D - --unix-socket socket "$@" http://localhost/ | tr -d '\r' | sed -n 's/^content-encoding: //Ip'; }
first=$(ask -H 'Accept-Encoding: gzip')
none=$(ask -H 'Accept-Encoding:')
identity=$(ask -H 'Accept-Encoding: identity')
echo "asked for gzip: '$first'; then with no Accept-Encoding: '$none'; then for identity: '$identity'"
[ "$first" = gzip ] && [ "$none" = gzip ] && [ "$identity" = '' ] || {
	echo 'it is no longer as it was seen'
	exit 1
}
