#!/usr/bin/env bash
# expected: an answer with "Cache-Control: max-age=0" and an ETag is stored and asked for anew each time with If-None-Match (proxy_cache_revalidate on), or else a client's own If-None-Match reaches the origin
# seen (nginx 1.22.1-9+deb12u11): max-age=0 is never stored, and where proxy_cache is on the client's If-None-Match is taken away: its tag is right, and it gets 200 with the whole body each time; with max-age=1 it gets 304
# what to do: give at least max-age=1 to what nginx caches, or leave out proxy_cache where nothing is to be kept
set -euo pipefail
version=1.22.1-9+deb12u11
folder=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$folder"' EXIT
cd "$folder"
chmod 777 .
apt-get download "nginx=$version" libpcre2-8-0 >download.log 2>&1 || {
	echo "nginx $version cannot be had here: $(tail -n 1 download.log)"
	exit 2
}
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$(find "$folder/usr/lib" -maxdepth 1 -name '*-linux-gnu')
export LD_LIBRARY_PATH

cat >origin.py <<'PY'
import http.server, sys

class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        tag = self.headers.get("If-None-Match")
        print(self.path, "with", tag, file=open("asked", "a"), flush=True)
        body = b"" if tag == '"a"' else b"the whole body"
        self.send_response(200 if body else 304)
        self.send_header("ETag", '"a"')
        self.send_header("Cache-Control", "public, max-age=" + self.path.rsplit("/", 1)[1])
        if body:
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
cat >nginx.conf <<CFG
daemon off; master_process off; pid pid; error_log log;
events {}
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	proxy_cache_path cache keys_zone=small:1m;
	server {
		listen unix:$folder/socket;
		location / {
			proxy_pass http://127.0.0.1:$(cat port);
			proxy_cache small;
			proxy_cache_revalidate on;
		}
	}
}
CFG
usr/sbin/nginx -p "$folder" -e log -c "$folder/nginx.conf" &
pids+=($!)
for _ in $(seq 100); do
	[ -S socket ] && break
	sleep 0.1
done
usr/sbin/nginx -v 2>&1

# ask prints the status of the answer to a client that has it already.
ask() { curl -sS -o /dev/null -w '%{http_code}' --unix-socket socket -H 'If-None-Match: "a"' "http://localhost/$1"; }
zero="$(ask 0) $(ask 0)"
one="$(ask 1) $(ask 1)"
echo "a client with the right tag gets $zero where max-age is 0, and $one where it is 1; the origin was asked for:"
sort asked | uniq -c
[ "$zero" = '200 200' ] && [ "$one" = '304 304' ] && grep -q '^/0 with None$' asked && ! grep -q '^/0 with "a"$' asked || {
	echo 'it is no longer as it was seen'
	exit 1
}
