#!/usr/bin/env bash
# expected: HTTPS_PROXY=10.0.0.1:312B, with a slip in the port, is an error of each request: the package has a message for it
# seen (golang.org/x/net v0.50.0, and net/http of Go 1.26 with its copy): the error is dropped, and each request goes out directly
# what to do: parse HTTP_PROXY and HTTPS_PROXY at the start of the program, and stop when that fails
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'MOD'
module finding

go 1.25.0

require golang.org/x/net v0.50.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime"

	"golang.org/x/net/http/httpproxy"
)

func main() {
	const proxy = "10.0.0.1:312B"
	feed := &url.URL{Scheme: "https", Host: "feed.example.com"}
	if err := os.Setenv("HTTPS_PROXY", proxy); err != nil {
		panic(err)
	}
	_, parsing := url.Parse("http://" + proxy)
	fmt.Println("parsing it:", parsing)
	one, err := httpproxy.FromEnvironment().ProxyFunc()(feed)
	fmt.Println("golang.org/x/net/http/httpproxy: proxy", one, "error", err)
	other, otherErr := http.ProxyFromEnvironment(&http.Request{URL: feed})
	fmt.Println("net/http of", runtime.Version()+": proxy", other, "error", otherErr)
	if one != nil || err != nil || other != nil || otherErr != nil {
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go list -m golang.org/x/net
env -u HTTP_PROXY -u HTTPS_PROXY -u NO_PROXY -u no_proxy go run .
