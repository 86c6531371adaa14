package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"zaqar/bench/rawhttp"
)

// The queues that clients wait on, and one that nobody waits on.
const (
	listed  = "/v2/queues/listed"
	claimed = "/v2/queues/claimed"
	other   = "/v2/queues/other"
)

// waiting is many clients that wait for messages: half of them list one queue,
// half of them claim from another.
type waiting struct {
	helpers       []*helper
	lists, claims crowd
}

// crowd is clients that wait in one way.
type crowd struct {
	n      int
	answer chan string // one for each answer; "" if it is as it should be
}

// perHelper is how many connections a helper holds.
const perHelper = 10_000

// waiters measures what clients that wait cost: memory, and the speed of posts
// to other queues, beside a server that nobody waits on; then what it takes to
// wake them, and to stop while they wait.
func waiters(ctx context.Context, b *bench) error {
	b.settings["http2"], b.settings["waiters"], b.settings["rounds"], b.settings["duration"] = b.streams, b.waiters, b.rounds, b.duration.String()
	if err := enoughFiles(b.connections(b.waiters)); err != nil {
		return err
	}
	// Nothing is delivered: files are for those who wait.
	b.more += fmt.Sprintf("[drivers:transport:wsgi]\nmax_connections = %d\n", b.connections(b.waiters)+500)
	quiet, err := b.start(ctx, "")
	if err != nil {
		return err
	}
	s, err := b.start(ctx, "")
	if err != nil {
		return err
	}
	for _, addr := range []string{quiet.Addr, s.Addr} {
		if err := prepare(addr); err != nil {
			return err
		}
		if _, err := probe(ctx, addr, 1, b.duration); err != nil { // a server at work is larger than a fresh one
			return err
		}
	}
	empty := s.Usage()
	crowds, err := b.gather(ctx, s, b.waiters)
	if err != nil {
		return err
	}
	full := s.Usage()
	b.tell("waiters: memory of the server before", "bytes", float64(empty.Resident))
	b.tell("waiters: memory of the server", "bytes", float64(full.Resident))
	b.tell("waiters: memory for each", "bytes", float64(full.Resident-empty.Resident)/float64(b.waiters))
	b.tell("waiters: processor time to come", "µs", float64((full.CPU-empty.CPU).Microseconds())/float64(b.waiters))
	if err := b.postsBeside(ctx, quiet, s); err != nil {
		return err
	}
	if err := b.wakeClaimers(ctx, s, crowds); err != nil {
		return err
	}
	if err := b.wakeListers(ctx, s, crowds); err != nil {
		return err
	}
	if err := b.stop(quiet); err != nil {
		return err
	}
	if err := b.leave(ctx, s, crowds); err != nil {
		return err
	}
	return b.stopWithWaiters(ctx, s)
}

// connections is how many of them n clients have.
func (b *bench) connections(n int) int {
	if b.streams {
		n = (n + perConnection - 1) / perConnection
	}
	return n
}

// enoughFiles makes sure that a server may hold n connections.
func enoughFiles(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Max < uint64(n)+100 {
		return fmt.Errorf("%d clients need a higher limit of open files than %d: try ulimit -Hn, or -waiters %d", n, limit.Max, limit.Max-100)
	}
	return nil
}

// prepare makes the queues.
func prepare(addr string) error {
	return session(addr, func(c *rawhttp.Conn) error {
		for _, q := range []string{listed, claimed, other} {
			if _, err := ask(c, caller(addr, "waiting", 0).request("PUT", q, nil), http.StatusCreated); err != nil {
				return err
			}
		}
		return nil
	})
}

// gather has n clients wait and returns when the server has come to rest.
func (b *bench) gather(ctx context.Context, s *server, n int) (*waiting, error) {
	w := &waiting{lists: crowd{n: n / 2, answer: make(chan string, n)}, claims: crowd{n: n - n/2, answer: make(chan string, n)}}
	most := perHelper
	if b.streams {
		most = n
	}
	for i, left := 0, n; left > 0; i++ {
		some := min(left, most)
		left -= some
		if err := b.join(w, &w.lists, s, "list", i, some/2); err != nil {
			return nil, err
		}
		if err := b.join(w, &w.claims, s, "claim", i, some-some/2); err != nil {
			return nil, err
		}
	}
	return w, settle(ctx, s)
}

// join adds n clients that list or claim. Each helper has an address of its
// own, and so its own ports.
func (b *bench) join(w *waiting, c *crowd, s *server, how string, i, n int) error {
	role := "waiters"
	if b.streams {
		role = "streams"
	}
	h, err := b.help(role, "-addr", s.Addr, "-conns", strconv.Itoa(n), "-how", how, "-from", fmt.Sprintf("127.0.1.%d", i+1))
	if err != nil {
		return err
	}
	w.helpers = append(w.helpers, h)
	lines := bufio.NewScanner(h.out)
	if !lines.Scan() || lines.Text() != "waiting" {
		return fmt.Errorf("%d clients that %s: not all could be started", n, how)
	}
	go func() {
		for lines.Scan() {
			c.answer <- lines.Text()
		}
	}()
	return nil
}

// answered waits until n more clients have their answers.
func (c *crowd) answered(ctx context.Context, n int) error {
	for i := range n {
		select {
		case text := <-c.answer:
			if text != "answered" {
				return errors.New(text)
			}
		case <-ctx.Done():
			return fmt.Errorf("%d of %d clients that waited got answers: %w", i, n, ctx.Err())
		}
	}
	return nil
}

// more reports whether another client has an answer.
func (c *crowd) more() bool { return len(c.answer) > 0 }

// settle waits until a server does nothing any more.
func settle(ctx context.Context, s *server) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	last := s.Usage().CPU
	for still := 0; still < 5; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if now := s.Usage().CPU; now-last < 20*time.Millisecond {
			still++
		} else {
			last, still = now, 0
		}
	}
	return nil
}

func (w *waiting) close() error {
	var errs []error
	for _, h := range w.helpers {
		errs = append(errs, h.stop())
	}
	return errors.Join(errs...)
}

// postsBeside compares posts to a queue that nobody waits on, on both servers.
func (b *bench) postsBeside(ctx context.Context, quiet, s *server) error {
	servers := [2]*server{quiet, s}
	for _, conns := range []int{1, 16} {
		err := b.turnAbout("waiters: posts elsewhere, "+plural(conns, "connection"), "waiters", func(i int) (pace, error) {
			before := servers[i].Usage().CPU
			h, err := probe(ctx, servers[i].Addr, conns, b.duration)
			n := float64(h.Count())
			return pace{n / b.duration.Seconds(), float64((servers[i].Usage().CPU - before).Microseconds()) / n}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// post posts messages to a queue, one at a time.
func post(addr, queue string, n int) error {
	request := caller(addr, "waiting", 0).request("POST", queue+"/messages", posting(1, 100))
	return session(addr, func(c *rawhttp.Conn) error {
		for range n {
			if _, err := ask(c, request, http.StatusCreated); err != nil {
				return err
			}
		}
		return nil
	})
}

// stopWithWaiters ends the server while clients wait: each gets its answer.
func (b *bench) stopWithWaiters(ctx context.Context, s *server) error {
	if err := drained(s.Addr); err != nil {
		return err
	}
	w, err := b.gather(ctx, s, b.waiters)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := b.stop(s); err != nil {
		return err
	}
	b.tell("waiters: time to stop", "ms", time.Since(begun).Seconds()*1e3)
	if err := errors.Join(w.lists.answered(ctx, w.lists.n), w.claims.answered(ctx, w.claims.n)); err != nil {
		return err
	}
	b.tell("waiters: answered at the stop", "", float64(b.waiters))
	return w.close()
}

// drained empties the queue that listers wait on.
func drained(addr string) error {
	return session(addr, func(c *rawhttp.Conn) error {
		_, err := ask(c, caller(addr, "waiting", 0).request("DELETE", listed+"/messages?pop=1", nil), http.StatusOK)
		return err
	})
}
