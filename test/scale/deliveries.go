package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"zaqar/bench/process"
	"zaqar/bench/rawhttp"
)

// deliveries measures how fast messages of 1 KiB reach subscribers on this
// machine, what subscriptions cost those who post, what a million deliveries that
// wait take, and what very many subscriptions do.
func deliveries(ctx context.Context, b *bench) error {
	b.settings["subscriptions"], b.settings["pending"], b.settings["rounds"], b.settings["duration"] = b.subscriptions, b.pending, b.rounds, b.duration.String()
	b.settings["many"], b.settings["idle"] = b.many, b.idle.String()
	r, err := b.receive()
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		do   func(context.Context, *bench, *receiver) error
	}{{"fan-out", fanOut}, {"posts", postsWithSubscribers}, {"pending", pendingDeliveries}, {"many", manySubscriptions}} {
		if !strings.Contains(part.name, b.only) {
			continue
		}
		if err := part.do(ctx, b, r); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// fanOut posts to a topic with many subscriptions, always a little ahead of the
// deliveries.
func fanOut(ctx context.Context, b *bench, r *receiver) (err error) {
	s, c, stop, err := b.startNotifying(ctx, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	who := caller(s.Addr, "fan", 0)
	if err := subscribe(c, who, "topics/news", r.addr, b.subscriptions); err != nil {
		return err
	}
	post := who.request("POST", "/v2/topics/news/messages", posting(1, 1<<10))
	var rates, cpu []float64
	for range b.rounds {
		begun, before, used := time.Now(), r.count(), process.UsageOf(s.Pid()).CPU
		posted := 0
		for time.Since(begun) < b.duration {
			if posted-(r.count()-before) > 4*b.subscriptions+2000 {
				time.Sleep(time.Millisecond)
				continue
			}
			if _, err := ask(c, post, http.StatusCreated); err != nil {
				return err
			}
			posted += b.subscriptions
		}
		if err := r.await(ctx, before+posted); err != nil {
			return err
		}
		took := time.Since(begun)
		rates = append(rates, float64(posted)/took.Seconds())
		cpu = append(cpu, float64((process.UsageOf(s.Pid())).CPU-used)/float64(time.Microsecond)/float64(posted))
	}
	b.median(fmt.Sprintf("fan-out: deliveries to %d subscriptions", b.subscriptions), "1/s", rates)
	b.median("fan-out: processor time of the server for a delivery", "µs", cpu)
	return nil
}

// postsWithSubscribers compares posts to a queue that nobody subscribed with
// posts to one with 10 subscriptions.
func postsWithSubscribers(ctx context.Context, b *bench, r *receiver) (err error) {
	s, c, stop, err := b.startNotifying(ctx, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	who := caller(s.Addr, "posts", 0)
	if err := subscribe(c, who, "queues/told", r.addr, 10); err != nil {
		return err
	}
	for _, crowd := range []int{16, 64} {
		total, before := int64(0), r.count()
		err := b.turnAbout("posts: 1 message, "+plural(crowd, "client"), "10 subscriptions", func(i int) (pace, error) {
			queue, done := [2]string{"untold", "told"}[i], atomic.Int64{}
			p, err := cycles(ctx, b.duration, s.Pid(), crowd, 1, func(n int) (func() error, func(), error) {
				c, err := rawhttp.Dial(s.Addr)
				if err != nil {
					return nil, nil, err
				}
				post := caller(s.Addr, "posts", n).request("POST", "/v2/queues/"+queue+"/messages", posting(1, 1<<10))
				return func() error {
					_, err := ask(c, post, http.StatusCreated)
					done.Add(1)
					return err
				}, c.Close, nil
			})
			if i == 1 && err == nil {
				total += done.Load()
				begun, at := time.Now(), r.count()
				if err := r.await(ctx, before+10*int(total)); err != nil {
					return p, err
				}
				if d := time.Since(begun); d > 0 {
					b.say("what was left took %v, %.0f deliveries a second", d.Round(time.Millisecond), float64(r.count()-at)/d.Seconds())
				}
			}
			return p, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pendingDeliveries has a subscriber that nobody can reach, and posts until
// many deliveries wait for him.
func pendingDeliveries(ctx context.Context, b *bench, _ *receiver) (err error) {
	s, c, stop, err := b.startNotifying(ctx, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	who := caller(s.Addr, "pending", 0)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := dead.Addr().String()
	dead.Close()
	const subs = 100
	if err := subscribe(c, who, "queues/dead", addr, subs); err != nil {
		return err
	}
	post := who.request("POST", "/v2/queues/dead/messages", posting(20, 1<<10))
	memory, disk := process.UsageOf(s.Pid()).Private, sizeOf(s.dir)
	for n := 0; n < b.pending; n += 20 * subs {
		if _, err := ask(c, post, http.StatusCreated); err != nil {
			return err
		}
	}
	// All is in backlogs when the log has not grown for a while.
	for last, same := int64(0), 0; same < 10; {
		time.Sleep(time.Second)
		now := sizeOf(s.dir)
		if now-last > 8<<20 {
			same = 0
		} else {
			same++
		}
		last = now
	}
	b.tell("pending: memory for each delivery", "B", float64(process.UsageOf(s.Pid()).Private-memory)/float64(b.pending))
	b.tell("pending: disk for each delivery", "B", float64(sizeOf(s.dir)-disk)/float64(b.pending))
	return nil
}

func sizeOf(dir string) (sum int64) {
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		if i, err := os.Stat(f); err == nil {
			sum += i.Size()
		}
	}
	return sum
}

// startNotifying starts a server that may deliver to this machine, on a data
// directory, a fresh one if dir is empty, and connects to it. stop ends both.
func (b *bench) startNotifying(ctx context.Context, dir string) (s *server, c *rawhttp.Conn, stop func() error, err error) {
	b.more = "[notification]\nallowed_targets = 127.0.0.1\n"
	defer func() { b.more = "" }()
	if s, err = b.start(ctx, dir); err != nil {
		return nil, nil, nil, err
	}
	if c, err = rawhttp.Dial(s.Addr); err != nil {
		return nil, nil, nil, errors.Join(err, b.stop(s))
	}
	return s, c, func() error {
		c.Close()
		return b.stop(s)
	}, nil
}

// subscribe makes n subscriptions of the receiver at the address.
func subscribe(c *rawhttp.Conn, who tenant, source, addr string, n int) error {
	for i := range n {
		body := fmt.Appendf(nil, `{"subscriber":"http://%s/%d","ttl":86400}`, addr, i)
		if _, err := ask(c, who.request("POST", "/v2/"+source+"/subscriptions", body), http.StatusCreated); err != nil {
			return err
		}
	}
	return nil
}

// receiver is a helper that takes deliveries.
type receiver struct {
	addr string
	got  atomic.Int64
}

// receive starts a receiver.
func (b *bench) receive() (*receiver, error) {
	h, err := b.help("receiver")
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(h.out)
	if !lines.Scan() {
		return nil, errors.New("the receiver does not begin")
	}
	r := &receiver{addr: lines.Text()}
	go func() {
		for lines.Scan() {
			if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				r.got.Store(n)
			}
		}
	}()
	return r, nil
}

func (r *receiver) count() int { return int(r.got.Load()) }

// await waits until so much has arrived.
func (r *receiver) await(ctx context.Context, n int) error {
	for end := time.Now().Add(5 * time.Minute); r.count() < n; {
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("%d deliveries have arrived of %d", r.count(), n)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// receiverRole answers every request with 200 and prints how many there were.
// It is no web server: it is to cost little beside the one that is measured.
func receiverRole(ctx context.Context, _ options, out io.Writer) error {
	ctx = untilInputEnds(ctx)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	fmt.Fprintln(out, listener.Addr())
	var got atomic.Int64
	go func() {
		for last := int64(0); ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
			if n := got.Load(); n != last {
				fmt.Fprintln(out, n)
				last = n
			}
		}
	}()
	for {
		c, err := listener.Accept()
		if err != nil {
			return nil //nolint:nilerr // it was closed, which is how this ends
		}
		go serveReceiver(c, &got)
	}
}

func serveReceiver(c net.Conn, got *atomic.Int64) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 8<<10)
	for {
		length := -1
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
			if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("content-length")) {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
					return
				}
			}
		}
		if length < 0 {
			return
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		got.Add(1)
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}
