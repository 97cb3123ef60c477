//go:build linux

package main

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// slow is a number of slow clients. Half of them send a header byte by byte; the others ask for
// all events and do not read. Each sends a byte a second, and connects again when it is cut
// off.
type slow struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

// startSlow starts so many slow clients, and returns when all have connected.
func startSlow(ctx context.Context, server *process, clients int) *slow {
	s := &slow{}
	ctx, s.stop = context.WithCancel(ctx)
	var connected sync.WaitGroup
	for i := range clients {
		connected.Add(1)
		first := "GET /search HTTP/1.1\r\nHost: x\r\n"
		if i%2 == 0 {
			first += "\r\nGET /"
		}
		once := sync.OnceFunc(connected.Done)
		s.done.Go(func() {
			defer once()
			for ctx.Err() == nil {
				trickle(ctx, server.address.String(), first, once)
			}
		})
	}
	connected.Wait()
	return s
}

// trickle is one connection of a slow client.
func trickle(ctx context.Context, address, first string, connected func()) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }() // errors do not matter here and below
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	_ = conn.(*net.TCPConn).SetLinger(0)
	_, err = io.WriteString(conn, first)
	connected()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for err == nil {
		select {
		case <-tick.C:
			_, err = io.WriteString(conn, "x")
		case <-ctx.Done():
			return
		}
	}
}
