//go:build unix

// Deploy checks what people install fever with. It builds the image of deploy/Containerfile
// around a binary, without a daemon, by buildah; starts it as the user and with the environment
// that the image names, in nothing but the image; collects, searches, asks its health check, and
// stops it, with a data file and with a PostgreSQL database. It decodes the manifests in
// deploy/kubernetes with the types of Kubernetes, and the files of compose with the loader of
// docker compose. These know every field; what they do not say it looks for itself: names in one
// place that another lacks, and settings that fever does not have.
//
// It needs buildah, HAProxy, PostgreSQL and the rights of root, and a minute. It stops what it started.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"fever/internal/harness"
	"fever/internal/postgrestest"
)

func main() {
	fever := flag.String("fever", "bin/fever", "the fever `binary`")
	folder := flag.String("deploy", "deploy", "`folder` with what is to be checked")
	flag.Parse()
	harness.Main("deploy", func(ctx context.Context, out io.Writer) error {
		return harness.InTemp(func(dir string) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour) // for a program that hangs
			defer cancel()
			return errors.Join(
				manifests(ctx, out, filepath.Join(dir, "manifests"), *folder),
				settings(ctx, *fever, *folder),
				balancer(ctx, filepath.Join(*folder, "balancer", "haproxy.cfg")),
				image(ctx, out, filepath.Join(dir, "image"), *fever, filepath.Join(*folder, "Containerfile")),
			)
		})
	})
}

// manifests decodes those in a folder, and its files of compose.
func manifests(ctx context.Context, out io.Writer, dir, folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS("internal/deploy/testdata")); err != nil {
		return err
	}
	for _, name := range []string{"manifests.go", "compose.go"} {
		if err := os.Rename(filepath.Join(dir, name+".txt"), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	build := harness.Command(ctx, "go", "build", "-o", "manifests", ".")
	build.Dir = dir
	if _, err := harness.Output(build); err != nil {
		return err
	}
	said, err := harness.Output(harness.Command(ctx, filepath.Join(dir, "manifests"), folder))
	if err == nil {
		_, err = io.WriteString(out, said)
	}
	return err
}

var variable = regexp.MustCompile(`\bFEVER_[A-Z_]+`)

// settings looks for settings in a folder's files that fever does not have. It would only warn of
// them.
func settings(ctx context.Context, fever, folder string) error {
	help, err := harness.Output(harness.Command(ctx, fever, "serve", "--help"))
	if err != nil {
		return err
	}
	files := os.DirFS(folder)
	return fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		for _, name := range variable.FindAllString(string(text), -1) {
			flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "FEVER_")), "_", "-") + " "
			if !strings.Contains(help, flag) && name != "FEVER_OPS_TOKEN" && name != "FEVER_CONFIG" {
				err = errors.Join(err, fmt.Errorf("%s: there is no setting %s", path, name))
			}
		}
		return err
	})
}

// balancer checks the settings of HAProxy.
func balancer(ctx context.Context, settings string) error {
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy" // which is not in everybody's path
	}
	_, err = harness.Output(harness.Command(ctx, program, "-c", "-q", "-f", settings))
	return err
}

// A builder runs buildah with storage of its own.
type builder struct{ dir string }

func (b builder) run(ctx context.Context, args ...string) (string, error) {
	storage := []string{"--root", filepath.Join(b.dir, "root"), "--runroot", filepath.Join(b.dir, "run"), "--storage-driver", "vfs"}
	said, err := harness.Output(harness.Command(ctx, "buildah", append(storage, args...)...))
	return strings.TrimSpace(said), err
}

// image builds the image and runs it. The stage that compiles needs images from elsewhere, so a
// folder with what it makes takes its place.
func image(ctx context.Context, out io.Writer, dir, fever, containerfile string) (err error) {
	stage := filepath.Join(dir, "stage")
	if err := furnish(stage, fever); err != nil {
		return err
	}
	b := builder{dir}
	_, err = b.run(ctx, "build", "--isolation", "chroot", "--format", "docker", "--quiet", "--build-context", "build="+stage, "-f", containerfile, "-t", "fever", stage)
	if err != nil {
		return err
	}
	container, err := b.run(ctx, "from", "--pull-never", "fever")
	if err != nil {
		return err
	}
	defer func() {
		_, failed := b.run(context.WithoutCancel(ctx), "rm", container)
		err = errors.Join(err, failed)
	}()
	said, err := b.run(ctx, "inspect", container)
	if err != nil {
		return err
	}
	var is struct{ Docker struct{ Config config } }
	if err := json.Unmarshal([]byte(said), &is); err != nil {
		return fmt.Errorf("read what buildah says of the image: %w", err)
	}
	root, err := b.run(ctx, "mount", container)
	if err != nil {
		return err
	}
	if err := is.Docker.Config.try(ctx, out, root); err != nil {
		return err
	}
	return onDatabase(func(url string) error { return is.Docker.Config.try(ctx, out, root, "FEVER_DB="+url) })
}

// onDatabase calls f with the URL of an empty database, which the loopback interface leads to: the
// container has no folder in common with the server.
func onDatabase(f func(url string) error) error {
	server, err := postgrestest.Start("fsync=off")
	if err != nil {
		return err
	}
	proxy, err := postgrestest.NewProxy(server)
	if err == nil {
		err = f(proxy.URL("postgres"))
		proxy.Stop()
	}
	return errors.Join(err, server.Stop())
}

// furnish makes the files that the first stage of the Containerfile leaves to the next.
func furnish(stage, fever string) error {
	for folder, mode := range map[string]os.FileMode{"etc/ssl/certs": 0o755, "src/bin": 0o755, "image/data": 0o700, "image/tmp": 0o777 | os.ModeSticky} {
		path := filepath.Join(stage, folder)
		if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, mode)); err != nil { //nolint:gosec // as in the Containerfile
			return err
		}
	}
	for from, to := range map[string]string{fever: "src/bin/fever", "/etc/ssl/certs/ca-certificates.crt": "etc/ssl/certs/ca-certificates.crt"} {
		b, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(stage, to), b, 0o755); err != nil { //nolint:gosec // it is run by another user
			return err
		}
	}
	return nil
}

// A config is what an image says of how to run it.
type config struct {
	User            string
	Env             []string
	Entrypoint, Cmd []string
	Volumes         map[string]any
	StopSignal      string
	Healthcheck     *struct{ Test []string }
}

// feed is what the image collects.
const feed = `<eventList version="1.0"><output><base_event base_event_id="1" sell_mode="online" title="In a container">
<event event_id="1" event_start_date="2030-01-01T20:00:00" event_end_date="2030-01-01T22:00:00" sold_out="false">
<zone zone_id="1" capacity="1" price="1.00" name="A" numbered="false"/></event></base_event></output></eventList>
`

// try runs what is in a folder as the image says, with more variables.
func (c *config) try(ctx context.Context, out io.Writer, root string, variables ...string) error {
	var uid, gid uint32
	if _, err := fmt.Sscanf(c.User, "%d:%d", &uid, &gid); err != nil || uid == 0 || gid == 0 {
		return fmt.Errorf("the image's user is %q, where two numbers are needed that are not those of root", c.User)
	}
	if _, ok := c.Volumes["/data"]; !ok || c.StopSignal != "SIGTERM" || c.Healthcheck == nil || len(c.Healthcheck.Test) < 2 {
		return fmt.Errorf("the image lacks its volume, signal or health check: %+v", c)
	}
	if err := os.WriteFile(filepath.Join(root, "tmp", "feed.xml"), []byte(feed), 0o644); err != nil { //nolint:gosec // another user reads it
		return err
	}
	command := func(args []string, more ...string) *exec.Cmd {
		cmd := harness.Command(ctx, "/usr/local/bin/"+args[0], append(args[1:len(args):len(args)], more...)...)
		cmd.Env = slices.Concat(c.Env, []string{"FEVER_LISTEN=127.0.0.1:0", "FEVER_OPS_LISTEN=127.0.0.1:0", "FEVER_NO_SYNC=1", "FEVER_LOG_FORMAT=json"}, variables)
		cmd.Dir = "/"
		cmd.SysProcAttr.Chroot = root
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
		return cmd
	}
	p, err := harness.Start(command(append(c.Entrypoint, c.Cmd...)), nil)
	if err != nil {
		return err
	}
	defer p.Kill()
	if err := p.Serve(ctx); err != nil {
		return err
	}
	healthy := command(c.Healthcheck.Test[1:])
	if len(variables) > 0 { // it asks beside a data file: with a database people say where
		healthy = command(c.Entrypoint, "health", "--url", "http://"+p.Ops)
	}
	for _, cmd := range []*exec.Cmd{command(c.Entrypoint, "sync", "--once", "/tmp/feed.xml"), healthy} {
		if _, err := harness.Output(cmd); err != nil {
			return err
		}
	}
	// With a database the sync was a process by itself, which the other hears of.
	var body []byte
	for began := time.Now(); !strings.Contains(string(body), "In a container"); harness.Pause(ctx, 20*time.Millisecond) {
		if time.Since(began) > time.Minute {
			return fmt.Errorf("a minute after the sync the search answers %s", body)
		}
		if body, err = harness.Get(ctx, "http://"+p.Address+"/search?starts_at=2030-01-01T00:00:00Z&ends_at=2031-01-01T00:00:00Z"); err != nil {
			return err
		}
	}
	if err := p.Stop(); err != nil {
		return err
	}
	if p.State() != "exit status 0" {
		return fmt.Errorf("the container was stopped, and has ended with %s", p.State())
	}
	where := "a data file"
	if len(variables) > 0 {
		where = "a PostgreSQL database"
	}
	_, err = fmt.Fprintf(out, "with %s the image runs as %s, collects, searches, is healthy, and stops\n", where, c.User)
	return err
}
