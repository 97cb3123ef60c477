//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fever/internal/harness"
)

// A bench has the servers and the measures.
type bench struct {
	*settings
	dir, self string

	nginxPath  string              // "": it is not installed
	others     map[string]*process // that fever is compared with
	stored     map[stock]*served
	collecting *collecting
	fetched    *changing // the provider of what the bare handler has beside it
	weighJobs  bool
	measures   []*measure // in the order of a turn
}

// A served is fever with a dataset that does not change.
type served struct {
	*process
	data    dataset
	lessons map[lessonKey]*lesson
	harness.Memory
	summaries int64 // bytes of an answer with all of them
}

// A lessonKey says which answers a lesson is about.
type lessonKey struct {
	kind string
	size int // events in an answer, on the average
}

// prepare starts all servers that the plan needs, and learns the right answers.
func (b *bench) prepare(ctx context.Context) error {
	if b.nginxPath = findNginx(); b.nginxPath == "" {
		progress("nginx is not installed: it is not measured")
	}
	if err := b.plan(); err != nil {
		return err
	}
	b.stored = make(map[stock]*served)
	sizes := make(map[int]int) // of bodies, by events
	for _, m := range b.measures {
		if m.Server != fever {
			continue
		}
		var err error
		if m.Rate > 0 && m.Stored == storedCounts[0] {
			err = b.useCollecting(ctx, m)
		} else {
			err = b.useStored(ctx, m)
		}
		if err != nil {
			return err
		}
		if sizes[m.Size] == 0 {
			sizes[m.Size] = int(m.lesson.bytes + 0.5)
		}
	}
	if b.weighJobs {
		if err := b.startCollecting(ctx); err != nil {
			return err
		}
	}
	return b.startOthers(ctx, sizes)
}

// useStored gives m a server with its dataset, and its questions.
func (b *bench) useStored(ctx context.Context, m *measure) error {
	s := b.stored[m.stock]
	if s == nil {
		progress("making %s events", m.label())
		first := m.first()
		s = &served{data: generate(first, first+m.Stored), lessons: make(map[lessonKey]*lesson)}
		db, err := b.store(ctx, m.label(), m.stock)
		if err != nil {
			return err
		}
		if s.process, err = start(ctx, nil, b.fever, "serve", "--no-sync", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--db", db, "--log-format", "json"); err != nil {
			return err
		}
		b.stored[m.stock] = s
	}
	about := lessonKey{m.Kind, m.Size}
	if s.lessons[about] == nil {
		progress("verifying answers of about %d events of %s (%s)", m.Size, m.label(), m.Kind)
		limit, size, count := 0, m.Size, b.count(m.Size)
		if m.Kind == pages {
			limit, size, count = m.Size, m.Size*pagesOfAnswer, count/pagesOfAnswer+1
		}
		var err error
		if s.lessons[about], err = learn(ctx, s.process, s.data, 0, limit, windows(s.data, m.Kind == overlap, size, count)); err != nil {
			return err
		}
	}
	m.use(s.process, s.lessons[about])
	return nil
}

// count returns how many windows there are with answers of a size.
func (b *bench) count(size int) int { return min(max(b.events/size, 64), 4096) }

func (m *measure) use(server *process, l *lesson) {
	m.attack.server, m.lesson = server, l
	m.attack.questions = l.questions[m.Encoding]
}

// store makes a data file with the events.
func (b *bench) store(ctx context.Context, name string, events stock) (db string, err error) {
	db = filepath.Join(b.dir, name+".db")
	return db, b.fill(ctx, db, events)
}

// fill brings the events into a data file or a database.
func (b *bench) fill(ctx context.Context, db string, events stock) error {
	feed := filepath.Join(b.dir, "feed.xml")
	if err := writeFeed(feed, events.first(), events.Stored); err != nil {
		return err
	}
	out, err := harness.Output(harness.Command(ctx, b.fever, "sync", "--once", "--db", db, feed))
	if err != nil {
		return err
	}
	if want := fmt.Sprintf(" %d new,", events.Stored); !strings.Contains(out, want) {
		return fmt.Errorf("%s sync --once did not take all of %d events: %s", b.fever, events.Stored, out)
	}
	return os.Remove(feed)
}

// startOthers starts what fever is compared with, with bodies as long as the mean answers.
func (b *bench) startOthers(ctx context.Context, sizes map[int]int) (err error) {
	b.others = make(map[string]*process)
	order := slices.Sorted(maps.Keys(sizes)) // of events
	lengths := make([]int, len(order))       // of their bodies
	var list []string
	for i, events := range order {
		lengths[i] = sizes[events]
		list = append(list, strconv.Itoa(sizes[events]))
	}
	for _, m := range b.measures {
		if m.Server == fever {
			continue
		}
		if b.others[m.Server] == nil {
			switch m.Server {
			case plain:
				b.others[plain], err = start(ctx, nil, b.bare, "-bare", strings.Join(list, ","))
			case alike:
				b.others[alike], err = start(ctx, []string{"GOGC=" + strconv.Itoa(b.gogc)}, b.self, "-bare", strings.Join(list, ","))
			case nginx:
				b.others[nginx], err = startNginx(ctx, b.nginxPath, filepath.Join(b.dir, "nginx"), lengths)
			}
			if err != nil {
				return err
			}
		}
		m.attack.server = b.others[m.Server]
		if m.State == ingesting {
			m.during = b.fetching
		}
		m.attack.questions = bareQuestions(slices.Index(order, m.Size), sizes[m.Size], windows(generate(0, storedCounts[0]), false, m.Size, b.count(m.Size)))
		m.lesson = &lesson{bytes: float64(sizes[m.Size])}
	}
	return nil
}

// measure takes turns: each server gets its attack, and then each again.
func (b *bench) measure(ctx context.Context) error {
	for n := range b.rounds {
		progress("turn %d of %d", n+1, b.rounds)
		for _, m := range b.measures {
			attack := func() error {
				s, err := m.attack.run(ctx)
				if err != nil {
					return errors.Join(err, m.attack.server.dead())
				}
				slices.Sort(s.latencies)
				m.samples = append(m.samples, s)
				return nil
			}
			var err error
			if m.during != nil {
				err = m.during(ctx, attack)
			} else {
				err = attack()
			}
			if err != nil {
				return fmt.Errorf("%s of %s: %w", m.name(), m.Server, err)
			}
		}
	}
	for _, s := range b.stored {
		if err := s.weigh(ctx); err != nil {
			return err
		}
	}
	if b.collecting == nil {
		return nil
	}
	if b.weighJobs {
		if err := b.collecting.weighJobs(ctx, b.rounds); err != nil {
			return err
		}
	}
	return b.collecting.finish(ctx)
}

// stop ends all servers.
func (b *bench) stop() error {
	var failed error
	for _, p := range b.others {
		if p != nil {
			failed = errors.Join(failed, p.Stop())
		}
	}
	for _, s := range b.stored {
		failed = errors.Join(failed, s.Stop())
	}
	if b.collecting != nil {
		failed = errors.Join(failed, b.collecting.stop())
	}
	if b.fetched != nil {
		b.fetched.stop()
	}
	return failed
}
