# Varnish as a cache in front of fever: varnishd -a 127.0.0.1:8081 -f "$PWD/default.vcl"
# A name without its folder is that of a file in /etc/varnish, which may be another one.
# Seen to work with Varnish 7.1 (make caches); docs/operations.md says what it does.
vcl 4.1;

backend fever {
	.host = "127.0.0.1";
	.port = "8080";
}

sub vcl_recv {
	if (req.url !~ "^/search(\?|$)") {
		return (synth(404));
	}
	# An answer depends on neither, and Varnish would not store it.
	unset req.http.Cookie;
	unset req.http.Authorization;
}

sub vcl_backend_response {
	# An error that comes in the background would take the place of what may still be used.
	if (bereq.is_bgfetch && beresp.status >= 500) {
		return (abandon);
	}
}
