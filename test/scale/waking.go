package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"zaqar/bench/rawhttp"
)

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
