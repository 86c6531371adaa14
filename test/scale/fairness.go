package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/rawhttp"
)

// loud is how a tenant behaves that takes all it can get.
type loud struct {
	name               string
	conns, batch, size int
}

// behind is what starts a helper that gets the processor when nobody else wants
// it; nil where there is no such program.
func behind() []string {
	nice, err := exec.LookPath("nice")
	if err != nil {
		return nil
	}
	return []string{nice, "-n", "19"}
}

// fairness measures what the posts of a quiet tenant take alone and beside a
// loud one. Beside a null sink only the processors are fought for. The loud
// tenant's client, which in earnest has a machine of its own, comes behind.
func fairness(ctx context.Context, b *bench) error {
	b.settings["loud_client_by"] = strings.Join(behind(), " ")
	b.settings["rounds"], b.settings["duration"], b.settings["access_log"] = b.rounds, b.duration.String(), b.access
	for _, l := range []loud{
		{"64 connections posting 10 of 1 KiB", 64, 10, 1 << 10},
		{"64 connections posting 1 of 250 KiB", 64, 1, 250 << 10},
	} {
		for _, probes := range []int{1, 4} {
			for _, sink := range []bool{false, true} {
				name := fmt.Sprintf("%d connections beside %s", probes, l.name)
				if sink {
					name += ", null sink"
				}
				if !strings.Contains(name, b.only) {
					continue
				}
				if err := b.beside(ctx, name, l, probes, sink); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// beside measures one kind of neighbour.
func (b *bench) beside(ctx context.Context, name string, l loud, probes int, sink bool) error {
	addr := ""
	if sink {
		h, err := b.help("sink")
		if err != nil {
			return err
		}
		defer h.stop()
		if _, err := fmt.Fscanln(h.out, &addr); err != nil {
			return err
		}
	} else {
		s, err := b.start(ctx, "")
		if err != nil {
			return err
		}
		defer b.stop(s)
		addr = s.Addr
	}
	var ratios, quietly, loudly, rates []float64
	for range b.rounds {
		alone, err := probe(ctx, addr, probes, b.duration)
		if err != nil {
			return err
		}
		h, err := b.helpBehind(behind(), "noise", "-addr", addr, "-conns", strconv.Itoa(l.conns), "-batch", strconv.Itoa(l.batch), "-size", strconv.Itoa(l.size))
		if err != nil {
			return err
		}
		var ready string
		if _, err := fmt.Fscanln(h.out, &ready); err != nil {
			return fmt.Errorf("the loud tenant: %w", err)
		}
		both, err := probe(ctx, addr, probes, b.duration)
		if err != nil {
			return err
		}
		_ = h.in.Close()
		var rate float64
		_, err = fmt.Fscanln(h.out, &rate)
		if err := errors.Join(err, h.stop()); err != nil {
			return err
		}
		a, c := alone.Quantile(0.99), both.Quantile(0.99)
		b.say("alone %6d posts p50 %8s p99 %8s   beside %6d posts p50 %8s p99 %8s max %8s   neighbour %.0f messages/s",
			alone.Count(), alone.Quantile(0.5), a, both.Count(), both.Quantile(0.5), c, both.Max(), rate)
		ratios = append(ratios, c.Seconds()/a.Seconds())
		quietly = append(quietly, float64(a)/1e6)
		loudly = append(loudly, float64(c)/1e6)
		rates = append(rates, rate)
	}
	b.median(name+": p99 alone", "ms", quietly)
	b.median(name+": p99 beside", "ms", loudly)
	b.median(name+": messages of the neighbour", "1/s", rates)
	b.median(name+": p99 beside ÷ alone", "", ratios)
	return nil
}

// probe posts single messages over some connections and tells what they took.
func probe(ctx context.Context, addr string, conns int, d time.Duration) (*load.Histogram, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var mu sync.Mutex
	var sum load.Histogram
	err := each(conns, func(i int) error {
		var h load.Histogram
		request := caller(addr, "quiet", i).request("POST", "/v2/queues/quiet/messages", posting(1, 1<<10))
		err := session(addr, func(c *rawhttp.Conn) error {
			for ctx.Err() == nil {
				begun := time.Now()
				if _, err := ask(c, request, http.StatusCreated); err != nil {
					return err
				}
				h.Record(time.Since(begun))
			}
			return nil
		})
		mu.Lock()
		sum.Add(&h)
		mu.Unlock()
		return err
	})
	return &sum, err
}

// noise is the loud tenant. It says when it is loud, and at the end how many
// messages it posted a second.
func noise(ctx context.Context, o options, out io.Writer) error {
	runtime.GOMAXPROCS(1)
	ctx = untilInputEnds(ctx)
	var posted, loud atomic.Int64
	begun := time.Now()
	queue := "/v2/queues/loud"
	err := each(o.conns, func(i int) error {
		request := caller(o.addr, "loud", i).request("POST", queue+"/messages", posting(o.batch, o.size))
		return session(o.addr, func(c *rawhttp.Conn) error {
			for first := true; ctx.Err() == nil; first = false {
				if _, err := ask(c, request, http.StatusCreated); err != nil {
					return err
				}
				posted.Add(int64(o.batch))
				if first && loud.Add(1) == int64(o.conns) {
					fmt.Fprintln(out, "loud")
				}
			}
			return nil
		})
	})
	fmt.Fprintln(out, float64(posted.Load())/time.Since(begun).Seconds())
	if err != nil {
		return err
	}
	return session(o.addr, func(c *rawhttp.Conn) error {
		_, err := ask(c, caller(o.addr, "loud", 0).request("DELETE", queue, nil), http.StatusNoContent)
		return err
	})
}

// each runs n of do at the same time.
func each(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// session runs use on a connection.
func session(addr string, use func(*rawhttp.Conn) error) error {
	dial := rawhttp.Dial
	if strings.HasPrefix(addr, secure) {
		dial = func(string) (*rawhttp.Conn, error) { return rawhttp.DialTLS(host(addr), anybody("http/1.1")) }
	}
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return use(c)
}
