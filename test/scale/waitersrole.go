package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// waitersRole holds connections that wait. It prints a line when all have sent
// their requests, and one for each answer.
func waitersRole(ctx context.Context, o options, out io.Writer) error {
	ctx = untilInputEnds(ctx)
	// No probes: those of so many connections that were opened together come at
	// once, more than the loopback interface queues, and who misses nine is lost.
	dialer := net.Dialer{Timeout: time.Minute, KeepAlive: -1}
	if o.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(o.from)}
	}
	var mu sync.Mutex // of out
	say := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, text)
	}
	for i := range o.conns {
		c, err := dialer.DialContext(ctx, "tcp", o.addr)
		if err != nil {
			return err
		}
		defer c.Close()
		request, want := waitRequest(o.addr, i, o.how == "claim"), http.StatusOK
		if o.how == "claim" {
			want = http.StatusCreated
		}
		if _, err := c.Write(request); err != nil {
			return err
		}
		go func() {
			if text := answer(c, want); ctx.Err() == nil {
				say(text)
			}
		}()
	}
	say("waiting")
	<-ctx.Done()
	return nil
}

// answer reads the one answer on a connection: what is wanted, or the ordinary
// empty one.
func answer(c net.Conn, want int) string {
	var head [256]byte
	n, err := c.Read(head[:])
	if err != nil {
		return err.Error()
	}
	for _, status := range []int{want, http.StatusNoContent} {
		if line := fmt.Sprintf("HTTP/1.1 %d ", status); n > len(line) && string(head[:len(line)]) == line {
			return "answered"
		}
	}
	return fmt.Sprintf("a client that waited got %q", head[:n])
}
