package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
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

// woken is how many claimers of so many clients are woken one by one.
func woken(waiters int) int { return min(1000, waiters/4) }

// wakeClaimers posts messages one after the other and sees that each wakes one
// claimer.
func (b *bench) wakeClaimers(ctx context.Context, s *server, w *waiting) error {
	n := woken(b.waiters)
	before := s.Usage().CPU
	begun := time.Now()
	if err := post(s.Addr, claimed, n); err != nil {
		return err
	}
	posted := time.Since(begun)
	if err := w.claims.answered(ctx, n); err != nil {
		return err
	}
	if err := settle(ctx, s); err != nil {
		return err
	}
	if w.claims.more() {
		return fmt.Errorf("%d messages woke more claimers than that", n)
	}
	b.tell("waiters: claimers woken by messages", "", float64(n))
	b.tell("waiters: messages that claimers wait for", "1/s", float64(n)/posted.Seconds())
	b.tell("waiters: processor time to wake a claimer", "µs", float64((s.Usage().CPU-before).Microseconds())/float64(n))
	return nil
}

// wakeListers posts one message for which all listers wait, while another
// tenant posts.
func (b *bench) wakeListers(ctx context.Context, s *server, w *waiting) error {
	alone, err := probe(ctx, s.Addr, 1, b.duration)
	if err != nil {
		return err
	}
	var meanwhile time.Duration
	probed := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		h, err := probe(ctx, s.Addr, 1, time.Hour)
		meanwhile = h.Max()
		probed <- err
	}()
	before := s.Usage().CPU
	begun := time.Now()
	if err := post(s.Addr, listed, 1); err != nil {
		return err
	}
	if err := w.lists.answered(ctx, w.lists.n); err != nil {
		return err
	}
	took := time.Since(begun)
	cancel()
	if err := <-probed; err != nil {
		return err
	}
	b.tell("waiters: listers woken by one message", "", float64(w.lists.n))
	b.tell("waiters: until the last has its answer", "ms", took.Seconds()*1e3)
	b.tell("waiters: processor time to wake a lister", "µs", float64((s.Usage().CPU-before).Microseconds())/float64(w.lists.n))
	b.tell("waiters: longest post elsewhere before", "ms", alone.Max().Seconds()*1e3)
	b.tell("waiters: longest post elsewhere meanwhile", "ms", meanwhile.Seconds()*1e3)
	return nil
}

// leave has all clients go away at once, those that still wait among them,
// while another tenant posts.
func (b *bench) leave(ctx context.Context, s *server, w *waiting) error {
	left := w.claims.n - woken(b.waiters)
	before := s.Usage().CPU
	var meanwhile time.Duration
	probed := make(chan error, 1)
	probing, enough := context.WithCancel(ctx)
	defer enough()
	go func() {
		h, err := probe(probing, s.Addr, 1, time.Hour)
		meanwhile = h.Max()
		probed <- err
	}()
	err := w.close()
	pause := time.NewTimer(b.duration)
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	enough()
	if err := errors.Join(err, <-probed, settle(ctx, s)); err != nil {
		return err
	}
	b.tell("waiters: that left at once", "", float64(left))
	b.tell("waiters: processor time for one that left, with posts", "µs", float64((s.Usage().CPU-before).Microseconds())/float64(left))
	b.tell("waiters: longest post elsewhere while they left", "ms", meanwhile.Seconds()*1e3)
	return taken(s.Addr)
}

// taken posts a message to a queue whose claimers have left, and claims and
// deletes it: it must not be theirs.
func taken(addr string) error {
	who := caller(addr, "waiting", 0)
	if err := post(addr, claimed, 1); err != nil {
		return err
	}
	return session(addr, func(c *rawhttp.Conn) error {
		r, err := ask(c, who.request("POST", claimed+"/claims?wait=60", []byte(`{"ttl":60,"grace":60}`)), http.StatusCreated)
		if err != nil {
			return fmt.Errorf("a message posted when all had left: %w", err)
		}
		path, err := deletion(claimed, r.Body)
		if err != nil {
			return err
		}
		_, err = ask(c, who.request("DELETE", path, nil), http.StatusNoContent)
		return err
	})
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

// waitersRole holds connections that wait. It prints a line when all have sent
// their requests, and one for each answer.
func waitersRole(ctx context.Context, o options, out io.Writer) error {
	ctx = untilInputEnds(ctx)
	dialer := net.Dialer{Timeout: time.Minute}
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
