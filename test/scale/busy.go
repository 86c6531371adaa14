package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"zaqar/bench/process"
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
		err := b.turnAbout("busy: cycles of 10 in process, "+plural(crowd, "client"), "idle queues", func(i int) (pace, error) {
			return cycles(ctx, b.duration, os.Getpid(), crowd, 10, func(int) (func() error, func(), error) {
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
		err := b.turnAbout("busy: cycles of 10 over HTTP, "+plural(crowd, "client"), "idle queues", func(i int) (pace, error) {
			return cycles(ctx, b.duration, servers[i].Pid(), crowd, 10, func(n int) (func() error, func(), error) { return cycler(servers[i].Addr, n) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var busyQueue = messaging.QueueRef{Project: "busy", Name: "busy"}

// pace is how fast something went, and what processor time it took.
type pace struct {
	rate float64 // a second
	cpu  float64 // µs for one
}

// turnAbout measures two sides in turns: measure(0) is alone, measure(1)
// beside what. Rates hold on a machine with nothing else to do; processor time
// holds on others, too.
func (b *bench) turnAbout(name, what string, measure func(i int) (pace, error)) error {
	var rates, cpu []float64
	var ratios, cpuRatios []float64
	for n := range b.rounds {
		var p [2]pace
		for _, i := range [2]int{n % 2, 1 - n%2} {
			var err error
			if p[i], err = measure(i); err != nil {
				return err
			}
		}
		rates, cpu = append(rates, p[1].rate), append(cpu, p[1].cpu)
		ratios, cpuRatios = append(ratios, p[1].rate/p[0].rate), append(cpuRatios, p[1].cpu/p[0].cpu)
	}
	b.median(name+", rate beside "+what, "1/s", rates)
	b.median(name+", rate beside "+what+" ÷ alone", "", ratios)
	b.median(name+", processor time beside "+what, "µs", cpu)
	b.median(name+", processor time beside "+what+" ÷ alone", "", cpuRatios)
	return nil
}

// cycles has clients repeat what begin returns for a while, and returns the
// pace at which they posted, claimed and deleted messages. pid is the process
// that serves them.
func cycles(ctx context.Context, d time.Duration, pid, clients, messages int, begin func(n int) (do func() error, end func(), err error)) (pace, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var done atomic.Int64
	begun, before := time.Now(), process.UsageOf(pid).CPU
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
	took, cpu := time.Since(begun), process.UsageOf(pid).CPU-before
	n := float64(done.Load())
	return pace{n / took.Seconds(), float64(cpu.Microseconds()) / n}, err
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
