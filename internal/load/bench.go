//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
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

	plainBare, alikeBare *process
	stored               map[int]*served // by how many
	collecting           *collecting
	measures             []*measure // in the order of a turn
}

// A served is fever with a dataset that does not change.
type served struct {
	*process
	data    dataset
	lessons map[int]*lesson // by the mean size of an answer
	harness.Memory
	summaries int64 // bytes of an answer with all of them
}

// prepare starts all servers that the plan needs, and learns the right answers.
func (b *bench) prepare(ctx context.Context) error {
	if err := b.plan(); err != nil {
		return err
	}
	b.stored = make(map[int]*served)
	sizes := make(map[int]int) // of bodies, by events
	for _, m := range b.measures {
		if m.Server != fever {
			continue
		}
		var err error
		if m.attack.rate > 0 && m.Stored == storedCounts[0] {
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
	return b.startBare(ctx, sizes)
}

// useStored gives m a server with its dataset, and its questions.
func (b *bench) useStored(ctx context.Context, m *measure) error {
	s := b.stored[m.Stored]
	if s == nil {
		progress("making %d events", m.Stored)
		s = &served{data: generate(0, m.Stored), lessons: make(map[int]*lesson)}
		db, err := b.store(ctx, strconv.Itoa(m.Stored), m.Stored)
		if err != nil {
			return err
		}
		if s.process, err = start(ctx, nil, b.fever, "serve", "--no-sync", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--db", db, "--log-format", "json"); err != nil {
			return err
		}
		b.stored[m.Stored] = s
	}
	if s.lessons[m.Size] == nil {
		progress("verifying answers of about %d events of %d", m.Size, m.Stored)
		var err error
		if s.lessons[m.Size], err = learn(ctx, s.process, s.data, 0, windows(s.data, m.Size, b.count(m.Size))); err != nil {
			return err
		}
	}
	m.use(s.process, s.lessons[m.Size])
	return nil
}

// count returns how many windows there are with answers of a size.
func (b *bench) count(size int) int { return min(max(b.events/size, 64), 4096) }

func (m *measure) use(server *process, l *lesson) {
	m.attack.server, m.lesson = server, l
	m.attack.questions = l.questions[m.Encoding]
}

// store makes a data file with so many events.
func (b *bench) store(ctx context.Context, name string, events int) (db string, err error) {
	db = filepath.Join(b.dir, name+".db")
	return db, b.fill(ctx, db, events)
}

// fill brings so many events into a data file or a database.
func (b *bench) fill(ctx context.Context, db string, events int) error {
	feed := filepath.Join(b.dir, "feed.xml")
	if err := writeFeed(feed, events); err != nil {
		return err
	}
	out, err := harness.Output(harness.Command(ctx, b.fever, "sync", "--once", "--db", db, feed))
	if err != nil {
		return err
	}
	if want := fmt.Sprintf(" %d new,", events); !strings.Contains(out, want) {
		return fmt.Errorf("%s sync --once did not take all of %d events: %s", b.fever, events, out)
	}
	return os.Remove(feed)
}

// startBare starts the bare handlers, with bodies as long as the mean answers.
func (b *bench) startBare(ctx context.Context, sizes map[int]int) (err error) {
	var order []int
	var list []string
	for events, size := range sizes {
		order = append(order, events)
		list = append(list, strconv.Itoa(size))
	}
	if b.plainBare, err = start(ctx, nil, b.bare, "-bare", strings.Join(list, ",")); err != nil {
		return err
	}
	if b.alikeBare, err = start(ctx, []string{"GOGC=" + strconv.Itoa(b.gogc)}, b.self, "-bare", strings.Join(list, ",")); err != nil {
		return err
	}
	for _, m := range b.measures {
		if m.Server == fever {
			continue
		}
		m.attack.server = b.plainBare
		if m.Server == alike {
			m.attack.server = b.alikeBare
		}
		m.attack.questions = bareQuestions(slices.Index(order, m.Size), sizes[m.Size], windows(generate(0, storedCounts[0]), m.Size, b.count(m.Size)))
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
	if b.collecting != nil {
		return b.collecting.finish(ctx)
	}
	return nil
}

// stop ends all servers.
func (b *bench) stop() error {
	var failed error
	for _, p := range []*process{b.plainBare, b.alikeBare} {
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
	return failed
}
