# Varnish as a cache in front of fever: varnishd -a 127.0.0.1:8081 -f "$PWD/default.vcl"
# Varnish looks for a name without a folder in /etc/varnish, which may have another file.
# make caches tests this with Varnish 7.1; docs/operations.md describes what it does.
vcl 4.1;

backend fever {
	.host = "127.0.0.1";
	.port = "8080";
}

sub vcl_recv {
	if (req.url !~ "^/search(\?|$)") {
		return (synth(404));
	}
	# Answers depend on neither, and Varnish would not store them.
	unset req.http.Cookie;
	unset req.http.Authorization;
}

sub vcl_backend_response {
	# A background error would replace the stored answer, which may still be used.
	if (bereq.is_bgfetch && beresp.status >= 500) {
		return (abandon);
	}
}
