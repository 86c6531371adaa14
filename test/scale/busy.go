package main

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"zaqar/bench/rawhttp"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded"
)

// busy compares one queue that is posted to, claimed from and deleted in with
// the same queue beside many idle ones, first in this process, then over HTTP.
func busy(ctx context.Context, b *bench) error {
	b.settings["queues"], b.settings["rounds"], b.settings["duration"] = b.queues, b.rounds, b.duration.String()
	env := storage.Env{Now: time.Now}
	dirs := [2]string{filepath.Join(b.work, "alone"), filepath.Join(b.work, "beside")}
	var stores [2]*embedded.Store
	for i, dir := range dirs {
		s, err := embedded.Open(dir, embedded.Config{}, env)
		if err != nil {
			return err
		}
		stores[i] = s
	}
	if err := makeQueues(ctx, stores[1], b.queues, true); err != nil {
		return err
	}
	for _, crowd := range []int{1, 16} {
		err := b.turnAbout("busy: cycles of 10 in process, "+plural(crowd, "client"), func(i int) (float64, error) {
			return cycles(ctx, b.duration, crowd, 10, func(int) (func() error, func(), error) {
				return func() error { return cycle(ctx, stores[i], busyQueue, 10) }, func() {}, nil
			})
		})
		if err != nil {
			return err
		}
	}
	if err := errors.Join(stores[0].Close(), stores[1].Close()); err != nil {
		return err
	}
	var servers [2]*server
	for i, dir := range dirs {
		s, err := b.start(ctx, dir)
		if err != nil {
			return err
		}
		servers[i] = s
	}
	for _, crowd := range []int{1, 16} {
		err := b.turnAbout("busy: cycles of 10 over HTTP, "+plural(crowd, "client"), func(i int) (float64, error) {
			return cycles(ctx, b.duration, crowd, 10, func(n int) (func() error, func(), error) { return cycler(servers[i].Addr, n) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var busyQueue = messaging.QueueRef{Project: "busy", Name: "busy"}

// turnAbout measures two sides in turns: rate(0) is alone, rate(1) beside.
func (b *bench) turnAbout(name string, rate func(i int) (float64, error)) error {
	var ratios, alone, beside []float64
	for n := range b.rounds {
		var r [2]float64
		for _, i := range [2]int{n % 2, 1 - n%2} {
			var err error
			if r[i], err = rate(i); err != nil {
				return err
			}
		}
		alone, beside, ratios = append(alone, r[0]), append(beside, r[1]), append(ratios, r[1]/r[0])
	}
	b.median(name+", alone", "1/s", alone)
	b.median(name+", beside idle queues", "1/s", beside)
	b.median(name+", beside ÷ alone", "", ratios)
	return nil
}

// cycles has clients repeat what begin returns for a while, and returns the
// rate at which they posted, claimed and deleted messages.
func cycles(ctx context.Context, d time.Duration, clients, messages int, begin func(n int) (do func() error, end func(), err error)) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var done atomic.Int64
	begun := time.Now()
	err := each(clients, func(n int) error {
		do, end, err := begin(n)
		if err != nil {
			return err
		}
		defer end()
		for ctx.Err() == nil {
			if err := do(); err != nil {
				return err
			}
			done.Add(int64(messages))
		}
		return nil
	})
	return float64(done.Load()) / time.Since(begun).Seconds(), err
}

// cycler posts 10 messages, claims 10 and deletes what it got, over HTTP.
func cycler(addr string, n int) (do func() error, end func(), err error) {
	c, err := rawhttp.Dial(addr)
	if err != nil {
		return nil, nil, err
	}
	who := caller(addr, "busy", n)
	const queue = "/v2/queues/busy"
	post := who.request("POST", queue+"/messages", posting(10, 1<<10))
	claim := who.request("POST", queue+"/claims?limit=10", []byte(`{"ttl":60,"grace":60}`))
	return func() error {
		if _, err := ask(c, post, http.StatusCreated); err != nil {
			return err
		}
		r, err := ask(c, claim, http.StatusCreated)
		if err != nil {
			return err
		}
		path, err := deletion(queue, r.Body)
		if err != nil {
			return err
		}
		_, err = ask(c, who.request("DELETE", path, nil), http.StatusNoContent)
		return err
	}, func() { c.Close() }, nil
}
