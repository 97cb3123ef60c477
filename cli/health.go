package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fever/config"
	"fever/ops/control"
)

// healthTimeout is how long fever health waits for an answer.
const healthTimeout = 2 * time.Second

// healthCommand holds the settings of fever health.
type healthCommand struct {
	config.DataFile
	url string
}

func newHealth() *cobra.Command {
	var c healthCommand
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running fever serve whether it is ready",
		Long: `Health asks the fever serve that holds the data file, or the one at --url, whether it is
ready for searches. It prints one line. It exits with 0 if it is ready, and with 1 if it
is not or does not answer for two seconds. The line says why: it is waiting for the data
file, loading, collecting the first snapshots, draining or stopping, or it cannot use
the data file until a restart. Use it as the health check of a container.`,
		Example: `  fever health
  fever health --db /var/lib/fever/fever.db
  fever health --url http://127.0.0.1:9090`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := useFile(cmd, &c.DataFile); err != nil {
				return err
			}
			return c.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	c.Register(flags)
	flags.Lookup("db").Usage += " that fever serve holds"
	flags.StringVar(&c.url, "url", "", "`URL` of its ops listener, to ask that instead")
	return cmd
}

func (c *healthCommand) run(ctx context.Context, out io.Writer) error {
	if c.DB.Database() && c.url == "" {
		return usagef("%s is a database, which does not tell who serves it: say the --url of an ops listener, such as http://127.0.0.1:9090", c.DB)
	}
	client, base := &control.NewClient(string(c.DB)).Client, &url.URL{Scheme: "http", Host: "fever"}
	if c.url != "" {
		u, err := url.Parse(c.url)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return usagef("--url %.80q is not a URL such as http://127.0.0.1:9090", c.url)
		}
		client, base = http.DefaultClient, u
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	for _, path := range []string{"healthz", "readyz"} {
		if err := c.ask(ctx, client, base.JoinPath(path)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, "ready")
	return err
}

// ask returns nil when the answer is 200.
func (c *healthCommand) ask(ctx context.Context, client *http.Client, target *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return err
	}
	req.Close = true // keep no connection
	res, err := client.Do(req)
	if err != nil {
		if request, ok := errors.AsType[*url.Error](err); ok {
			err = request.Err // without the URL
		}
		if c.url == "" && errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("no fever serve that holds %s can be reached: %w", c.DB, err)
		}
		return fmt.Errorf("not ready: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // nothing more is read
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", whyNot(res))
	}
	return nil
}

// whyNot returns the reason in an answer: /readyz gives it as JSON, /healthz as text. An answer
// to a request without the token has only a status.
func whyNot(res *http.Response) string {
	var state control.Readiness
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	text := cell(strings.TrimSpace(string(body)), maxWhy)
	isJSON := json.Unmarshal(body, &state) == nil
	switch {
	case err == nil && !isJSON && text != "" && strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain"):
		return text
	case err != nil || !isJSON || state.Status == "":
		return "the answer is " + res.Status
	}
	why := state.Status
	for _, p := range state.Providers {
		if p.NotReady != "" {
			why += fmt.Sprintf("; %s: %s", p.Name, p.NotReady)
		}
	}
	return cell(why, maxWhy)
}

// maxWhy bounds the reason, in characters.
const maxWhy = 1000
