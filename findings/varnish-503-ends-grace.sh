#!/usr/bin/env bash
# expected: an object in grace answers until a good one has come, or its grace is over; a 503 to the fetch in the background changes nothing
# seen (varnish 7.1.1-2+deb12u1): one 503 in the background takes the place of the object, though it is not stored itself: the next client waits for the origin and gets its 503, with an hour of grace left
# what to do: in vcl_backend_response: if (bereq.is_bgfetch && beresp.status >= 500) { return (abandon); }
set -euo pipefail
version=7.1.1-2+deb12u1
folder=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$folder"' EXIT
cd "$folder"
chmod 777 .
apt-get download "varnish=$version" "libvarnishapi3=$version" libjemalloc2 libpcre2-8-0 >download.log 2>&1 || {
	echo "varnish $version cannot be had here: $(tail -n 1 download.log)"
	exit 2
}
for package in *.deb; do dpkg -x "$package" .; done
libraries=$(find "$folder/usr/lib" -maxdepth 1 -name '*-linux-gnu')
export LD_LIBRARY_PATH=$libraries:$libraries/varnish

cat >origin.py <<'PY'
import http.server, sys

asked = 0

class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += self.path == "/"
        body = b"good"
        self.send_response(200 if asked == 1 else 503)
        self.send_header("Cache-Control", "max-age=1, stale-while-revalidate=3600" if asked == 1 else "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
print(server.server_port, file=open(sys.argv[1], "w"), flush=True)
server.serve_forever()
PY

# try asks three times, a while apart, with something in vcl_backend_response, and sets got.
try() {
	rm -rf port socket work
	python3 origin.py port &
	origin=$!
	pids+=("$origin")
	for _ in $(seq 100); do
		[ -s port ] && break
		sleep 0.1
	done
	cat >try.vcl <<VCL
vcl 4.1;
backend origin { .host = "127.0.0.1"; .port = "$(cat port)"; }
sub vcl_backend_response { $1 }
VCL
	usr/sbin/varnishd -F -j none -n "$folder/work" -a "$folder/socket" -s malloc,8m -f "$folder/try.vcl" >varnish.log 2>&1 &
	varnish=$!
	pids+=("$varnish")
	for _ in $(seq 300); do
		curl -sS -o /dev/null --unix-socket socket http://localhost/unknown 2>/dev/null && break
		sleep 0.1
	done
	got=
	for _ in 1 2 3; do
		got="$got $(curl -sS -o /dev/null -w '%{http_code}' --unix-socket socket http://localhost/)"
		sleep 2
	done
	kill "$varnish" "$origin"
	wait "$varnish" "$origin" || true
}
usr/sbin/varnishd -V 2>&1 | head -n 1
try ''
plain=$got
try 'if (bereq.is_bgfetch && beresp.status >= 500) { return (abandon); }'
abandoned=$got
echo "fresh, in grace, in grace:$plain; with the 503 abandoned:$abandoned"
[ "$plain" = ' 200 200 503' ] && [ "$abandoned" = ' 200 200 200' ] || {
	cat varnish.log
	echo 'it is no longer as it was seen'
	exit 1
}
