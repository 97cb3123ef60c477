//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fever/internal/harness"
)

// findNginx returns the path of nginx, or "". Often PATH does not have the folders of servers.
func findNginx() string {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// nginxSettings have one process, without rights of its own: it ends with this program, and its
// clock has all its processor time. It keeps connections for ever, as the others do here, and
// looks at a file once a minute.
const nginxSettings = `daemon off;
master_process off;
pid DIR/pid;
error_log DIR/log;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	default_type application/json;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	open_file_cache max=100 inactive=1h;
	server {
		listen LISTEN;
		root DIR/files;
	}
}
`

// startNginx starts nginx in a new folder. It has the bodies of the bare handler as files.
func startNginx(ctx context.Context, path, dir string, sizes []int) (*process, error) {
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o700); err != nil {
		return nil, err
	}
	for n, size := range sizes {
		if err := os.WriteFile(filepath.Join(dir, "files", barePath(n)), bareBody(size), 0o600); err != nil {
			return nil, err
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address, err := netip.ParseAddrPort(listener.Addr().String())
	if err := errors.Join(err, listener.Close()); err != nil { // nginx takes no port 0
		return nil, err
	}
	settings := filepath.Join(dir, "settings")
	text := strings.NewReplacer("DIR", dir, "LISTEN", address.String()).Replace(nginxSettings)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		return nil, err
	}
	started, err := harness.Start(harness.Command(ctx, path, "-p", dir, "-e", "stderr", "-c", settings), nil)
	if err != nil {
		return nil, err
	}
	p := &process{Process: started, address: address}
	for {
		descriptor, err := dial(address)
		if err == nil {
			return p, os.NewSyscallError("close", syscall.Close(descriptor))
		}
		if dead := p.dead(); dead != nil {
			return nil, fmt.Errorf("nginx does not serve: %w", dead)
		}
		if !harness.Pause(ctx, 20*time.Millisecond) {
			return nil, errors.Join(ctx.Err(), p.Stop())
		}
	}
}
