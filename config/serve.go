package config

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// A Serve holds the settings of fever serve.
type Serve struct {
	Config
	Listen      string // the address of GET /search
	OpsListen   string // the address of the ops listener; empty: there is none
	OpsToken    string // the secret for the ops listener; empty: none is needed
	NoSync      bool
	ReadyAfter  string // AfterSnapshots or AfterLoad
	MaxInFlight int    // requests at once
	MaxAnswer   int    // events of one answer; 0: no bound
	// AllowOrigins says whose pages browsers let read answers: origins, or "*" alone. Empty: none.
	AllowOrigins []string
	// The directives of Cache-Control (RFC 9111, RFC 5861): each is 0, or a second or more.
	MaxAge, StaleWhileRevalidate, StaleIfError time.Duration
	Drain                                      time.Duration // how long a stop goes on answering first, not ready
	Grace                                      time.Duration // how long a stop then waits for requests in flight
	Wait                                       time.Duration // how long a start waits for a file or address of another process
}

// Values of [Serve.ReadyAfter].
const (
	AfterSnapshots = "snapshots" // ready after the first snapshots
	AfterLoad      = "load"      // ready after the stored events are loaded
)

// Register adds the settings to flags.
func (s *Serve) Register(flags *pflag.FlagSet) {
	s.Config.Register(flags)
	flags.StringVar(&s.Listen, "listen", ":8080", "`address` to serve /search on")
	flags.StringVar(&s.OpsListen, "ops-listen", "127.0.0.1:9090", "`address` of the status page, metrics and the like; empty for none")
	emptyCounts(flags, "ops-listen")
	flags.StringVar(&s.OpsToken, "ops-token", "", "`secret` that is needed to use the ops address; better set FEVER_OPS_TOKEN, as everybody on this machine can read the command line")
	flags.BoolVar(&s.NoSync, "no-sync", false, "search only: fetch nothing on schedule")
	flags.StringVar(&s.ReadyAfter, "ready-after", AfterSnapshots, "`what` /readyz waits for: snapshots (see above) or load")
	flags.DurationVar(&s.MaxAge, "max-age", 5*time.Second, "how long caches may keep an answer: 0, or a second and more")
	flags.DurationVar(&s.StaleWhileRevalidate, "stale-while-revalidate", 5*time.Second, "how much longer they may use it while they ask again; at most --max-age unless it is set")
	flags.DurationVar(&s.StaleIfError, "stale-if-error", 5*time.Minute, "how much longer they may use it while there is no answer or an error")
	flags.IntVar(&s.MaxInFlight, "max-in-flight", 1024, "greatest `number` of requests at once; beyond it the answer is 503")
	flags.IntVar(&s.MaxAnswer, "max-answer", 0, "greatest `number` of events in one answer; a search for more gets 400, and has to use limit; 0 for no bound")
	flags.TextVar((*origins)(&s.AllowOrigins), "allow-origin", origins(nil), "`origins` whose pages may read answers in a browser (CORS), such as https://events.example.com,http://localhost:3000, or * for all")
	flags.DurationVar(&s.Drain, "drain", 0, "how long a stop first goes on answering, not ready, until load balancers notice")
	flags.DurationVar(&s.Wait, "wait", 0, "how long to wait if another process has the data file or an address")
	flags.DurationVar(&s.Grace, "grace", 10*time.Second, "how long a stop waits for requests in flight")
}

// Complete takes the remaining values from the file and validates all of them, as
// [Config.Complete] does.
func (s *Serve) Complete(flags *pflag.FlagSet) error {
	if err := s.Config.Complete(flags); err != nil {
		return err
	}
	if err := expandSetting(flags, "ops-token", expand); err != nil {
		return err
	}
	switch {
	case !isAddress(s.Listen):
		return fmt.Errorf("%s %.80q is not an address such as :8080 or 127.0.0.1:8080", Origin(flags, "listen"), s.Listen)
	case s.OpsListen != "" && !isAddress(s.OpsListen):
		return fmt.Errorf("%s %.80q is not an address such as 127.0.0.1:9090", Origin(flags, "ops-listen"), s.OpsListen)
	case strings.ContainsFunc(s.OpsToken, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%s must have no spaces and nothing else that is not printable ASCII: it goes into a header", Origin(flags, "ops-token"))
	case s.ReadyAfter != AfterSnapshots && s.ReadyAfter != AfterLoad:
		return fmt.Errorf("%s %.40q is neither %s nor %s", Origin(flags, "ready-after"), s.ReadyAfter, AfterSnapshots, AfterLoad)
	case s.MaxAnswer < 0:
		return fmt.Errorf("%s must not be negative", Origin(flags, "max-answer"))
	case s.MaxInFlight < 1:
		return fmt.Errorf("%s must be at least 1", Origin(flags, "max-in-flight"))
	}
	for _, limit := range []struct {
		flag  string
		value time.Duration
		least time.Duration // 0 is always valid
	}{
		{"max-age", s.MaxAge, time.Second},
		{"stale-while-revalidate", s.StaleWhileRevalidate, time.Second},
		{"stale-if-error", s.StaleIfError, time.Second},
		{"grace", s.Grace, 0},
		{"drain", s.Drain, 0},
		{"wait", s.Wait, 0},
	} {
		switch {
		case limit.value < 0:
			return fmt.Errorf("%s must not be negative", Origin(flags, limit.flag))
		case limit.value > 0 && limit.value < limit.least:
			return fmt.Errorf("%s %v is less than a second, which is the least that can be told to caches: make it 0, or 1s and more", Origin(flags, limit.flag), limit.value)
		}
	}
	if !isSet(flags.Lookup("stale-while-revalidate")) {
		s.StaleWhileRevalidate = min(s.StaleWhileRevalidate, s.MaxAge)
	}
	return nil
}

func isAddress(text string) bool {
	_, _, err := net.SplitHostPort(text)
	return err == nil
}
