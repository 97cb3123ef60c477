//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A program is a cache, as it is installed from Debian.
type program struct {
	name       string
	binary     string
	file       string      // in the folder of settings
	replace    [][2]string // in the file, before it is used: LISTEN, PORT and FEVER, FEVERPORT stand for where it and fever are, DIR for its folder
	around     string      // what the file is included in, or ""
	args       []string    // FILE is the file, or what it is included in
	hidesDeath bool        // it also uses stale-if-error when fever gives no answer
	unpacked   bool        // it may answer without compression when gzip was asked for
	asksTag    bool        // it asks with an entity tag when its copy is stale
}

var programs = []program{
	{
		name: "nginx", binary: "nginx", file: "nginx.conf", hidesDeath: true, asksTag: true,
		replace: [][2]string{{"listen 127.0.0.1:8081;", "listen LISTEN;"}, {"server 127.0.0.1:8080;", "server FEVER;"}, {"/var/cache/nginx-fever", "DIR/cache"}},
		around: `daemon off; master_process off; pid DIR/pid; error_log DIR/log;
events {}
http {
access_log off;
client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
include INCLUDED;
}
`,
		args: []string{"-p", "DIR", "-e", "DIR/log", "-c", "FILE"},
	},
	{
		name: "Varnish", binary: "varnishd", file: "default.vcl", asksTag: true,
		replace: [][2]string{{`.port = "8080";`, `.port = "FEVERPORT";`}},
		args:    []string{"-F", "-j", "none", "-n", "DIR/work", "-a", "LISTEN", "-s", "malloc,64m", "-f", "FILE"},
	},
	{
		name: "HAProxy", binary: "haproxy", file: "haproxy.cfg", unpacked: true,
		replace: [][2]string{{"bind 127.0.0.1:8081", "bind LISTEN"}, {"server fever 127.0.0.1:8080", "server fever FEVER"}},
		args:    []string{"-db", "-f", "FILE"},
	},
	{
		name: "Squid", binary: "squid", file: "squid.conf", asksTag: true,
		replace: [][2]string{{"http_port 127.0.0.1:8081 ", "http_port LISTEN "}, {"127.0.0.1 parent 8080 ", "127.0.0.1 parent FEVERPORT "}},
		around: `pid_filename DIR/pid
access_log none
cache_log DIR/log
coredump_dir DIR
visible_hostname localhost
pinger_enable off
shutdown_lifetime 0 seconds
include INCLUDED
`,
		args: []string{"-N", "-f", "FILE"},
	},
}

// path returns the path of the program: often PATH does not have the folders of servers.
func (p *program) path() (string, error) {
	if path, err := exec.LookPath(p.binary); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", p.binary))
}

// find reports which programs are missing.
func find() error {
	var missing []string
	for _, p := range programs {
		if _, err := p.path(); err != nil {
			missing = append(missing, fmt.Sprintf("%s (Debian's package %s)", p.binary, strings.ToLower(p.name)))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("it takes programs that are not installed: %s", strings.Join(missing, ", "))
	}
	return nil
}

// A running program has one goroutine that waits for its end.
type running struct {
	*exec.Cmd
	ended chan struct{} // closed then
}

// start runs the program in a folder of its own, with upstream behind it, and returns when
// the program listens. A program that is not nil has to be stopped, even with an error.
func (p *program) start(ctx context.Context, dir, settings, listen, upstream string) (*running, error) {
	text, err := os.ReadFile(filepath.Join(settings, p.file))
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(upstream)
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("LISTEN", listen, "FEVERPORT", port, "FEVER", upstream, "DIR", dir,
		"FILE", filepath.Join(dir, "settings"), "INCLUDED", filepath.Join(dir, p.file))
	used := string(text)
	for _, r := range p.replace {
		if strings.Count(used, r[0]) != 1 {
			return nil, fmt.Errorf("%s has not %q once", p.file, r[0])
		}
		used = strings.Replace(used, r[0], fill.Replace(r[1]), 1)
	}
	files := map[string]string{"settings": used}
	if p.around != "" {
		files = map[string]string{p.file: used, "settings": fill.Replace(p.around)}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // some give up the rights of root first
		return nil, err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // the same
			return nil, err
		}
	}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	args := make([]string, len(p.args))
	for i, arg := range p.args {
		args[i] = fill.Replace(arg)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	log, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{cmd, make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ends does not matter
		close(r.ended)
	}()
	return r, r.listens(ctx, dir, listen)
}

// listens waits until the program takes connections, or has ended.
func (r *running) listens(ctx context.Context, dir, address string) error {
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		var what string
		select {
		case <-ctx.Done():
			what = "it does not listen"
		case <-r.ended:
			what = "it has ended"
		case <-time.After(50 * time.Millisecond):
			continue
		}
		said, _ := os.ReadFile(filepath.Join(dir, "output"))
		return fmt.Errorf("%s: %w: %s", what, err, said)
	}
}

// end stops a program, and those that it started.
func (r *running) end() error {
	_ = r.Process.Signal(syscall.SIGTERM) // it may have ended
	var err error
	select {
	case <-r.ended:
	case <-time.After(time.Minute):
		err = fmt.Errorf("%s did not stop by itself", r.Path)
		_ = r.Process.Kill()
		<-r.ended
	}
	if e := syscall.Kill(-r.Process.Pid, syscall.SIGKILL); e != nil && !errors.Is(e, syscall.ESRCH) {
		err = errors.Join(err, e)
	}
	return err
}
