package postgrestest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// running starts a server for a test.
func running(t *testing.T, settings ...string) *Server {
	t.Helper()
	Need(t)
	s, err := Start(append(settings, "fsync=off")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.folder); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}
}

func query(t *testing.T, s *Server, statements ...string) string {
	t.Helper()
	out, err := s.Query("postgres", statements...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDown stops a server in each way, and starts it again with what it held.
func TestDown(t *testing.T) {
	t.Parallel()
	s := running(t)
	query(t, s, "create table x (y text)")
	for _, how := range []Mode{Fast, Immediate, Killed} {
		query(t, s, "insert into x values ('"+string(how)+"')")
		if err := s.Down(how); err != nil {
			t.Fatal(err)
		}
		if out, err := s.Query("postgres", "select 1"); err == nil {
			t.Errorf("it answers %q after %s", out, how)
		}
		if err := s.Up(); err != nil {
			t.Fatal(err)
		}
	}
	if got := query(t, s, "select string_agg(y, ' ') from x"); got != "INT QUIT KILL" {
		t.Errorf("it holds %q", got)
	}
}

// TestStandby has a standby follow a server, pauses it, and promotes it.
func TestStandby(t *testing.T) {
	t.Parallel()
	s := running(t)
	standby, err := s.Standby("other")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, standby) })
	if err := s.Set("synchronous_standby_names", "other"); err != nil {
		t.Fatal(err)
	}
	for query(t, s, "select sync_state from pg_stat_replication") != "sync" {
		time.Sleep(10 * time.Millisecond) // its first status comes at its next round
	}
	query(t, s, "create table x (y text)", "insert into x values ('before')")

	if err := standby.Pause(); err != nil {
		t.Fatal(err)
	}
	late := exec.CommandContext(t.Context(), filepath.Join(s.bin, "psql"), "--no-psqlrc", "--command=insert into x values ('late')", s.URL("postgres"))
	if err := late.Start(); err != nil {
		t.Fatal(err)
	}
	for query(t, s, "select count(*) from pg_stat_activity where wait_event = 'SyncRep'") != "1" {
		time.Sleep(10 * time.Millisecond)
	}
	if err := standby.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := late.Wait(); err != nil {
		t.Error(err)
	}
	if err := s.Down(Killed); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Set("synchronous_standby_names", ""); err != nil {
		t.Fatal(err)
	}
	if got := query(t, standby, "insert into x values ('after')", "select string_agg(y, ' ') from x"); got != "before late after" {
		t.Errorf("it holds %q", got)
	}
}

// TestProxy asks a server through each network.
func TestProxy(t *testing.T) {
	t.Parallel()
	s := running(t)
	p, err := NewProxy(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	ask := func(sql string) (<-chan error, *strings.Builder) {
		command := exec.CommandContext(t.Context(), filepath.Join(s.bin, "psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--command="+sql, p.URL("postgres"))
		var said strings.Builder
		command.Stdout, command.Stderr = &said, &said
		done := make(chan error, 1)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { done <- command.Wait() }()
		return done, &said
	}
	answers := func(why string) {
		t.Helper()
		done, said := ask("select 7")
		if err := <-done; err != nil || said.String() != "7\n" {
			t.Errorf("%s: %v: %q", why, err, said)
		}
	}
	answers("whole")
	for _, n := range []Network{Cut, HalfOpen} {
		p.Network(n)
		done, said := ask("select 8")
		select {
		case err := <-done:
			t.Errorf("network %d: it ended: %v: %s", n, err, said)
		case <-time.After(100 * time.Millisecond):
		}
		p.Network(Whole)
		if err := <-done; err != nil || said.String() != "8\n" {
			t.Errorf("network %d, and whole again: %v: %q", n, err, said)
		}
	}
	p.Network(Refused)
	if done, said := ask("select 9"); <-done == nil {
		t.Errorf("refused, and it says %q", said)
	}
	p.Network(Slow)
	answers("slow")
	p.Network(Whole)
	p.ResetAfter(100_000)
	if done, said := ask("select repeat('x', 1000000)"); <-done == nil {
		t.Errorf("reset, and it says %d bytes", said.Len())
	}
	answers("after a reset")

	query(t, s, "create table x (y int)")
	for _, how := range []After{Close, Reset, Hang} {
		for _, before := range []bool{true, false} {
			query(t, s, "truncate x")
			trap := p.Set(&Trap{Match: func(message []byte) bool { return strings.Contains(string(message), "insert") }, Before: before, Then: how})
			done, said := ask("insert into x values (1)")
			<-trap.Sprung
			if how != Hang {
				if <-done == nil {
					t.Errorf("trap %d: %s", how, said)
				}
			}
			want := "1"
			if before {
				want = "0"
			}
			for query(t, s, "select count(*) from x") != want {
				time.Sleep(10 * time.Millisecond)
			}
			if how == Hang {
				p.Reset()
				if <-done == nil {
					t.Errorf("trap %d: %s", how, said)
				}
			}
		}
	}
	trap := p.Set(&Trap{Match: func(message []byte) bool { return strings.Contains(string(message), "select 5") }, Then: Stall})
	done, said := ask("select 5")
	<-trap.Sprung
	p.Network(Whole)
	if err := <-done; err != nil || said.String() != "5\n" {
		t.Errorf("stalled: %v: %q", err, said)
	}
}

// TestCrowd fills a server, so that nobody else is let in.
func TestCrowd(t *testing.T) {
	t.Parallel()
	s := running(t, "max_connections=10", "superuser_reserved_connections=0")
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Crowd(ctx, "postgres", 20) }()
	for {
		if _, err := s.Query("postgres", "select 1"); err != nil {
			if !strings.Contains(err.Error(), "too many clients") {
				t.Error(err)
			}
			break
		}
	}
	end()
	<-done
}
