package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"sync"
	"time"

	"zaqar/api/conn"
	"zaqar/api/edge"
	"zaqar/api/rest"
	"zaqar/app"
	"zaqar/auth/policy"
	"zaqar/bench/process"
	"zaqar/broker"
	"zaqar/storage"
	"zaqar/storage/embedded"
)

// inside is the server in this process, as package app builds it, on
// connections that take no files.
type inside struct {
	store  *embedded.Store
	broker *broker.Broker
	server *http.Server
	dial   chan net.Conn
	once   sync.Once
}

// Where requests wait: parked on their connections, as those of HTTP/1.1 do in
// the program; in handlers of such connections; or on streams of HTTP/2.
const (
	parked     = "parked"
	inHandlers = "in handlers"
	onStreams  = "on streams" // of HTTP/2
)

// startInside opens a store in dir and serves.
func startInside(dir, where string) (*inside, error) {
	env := storage.Env{Now: time.Now}
	store, err := embedded.Open(dir, embedded.Config{}, env)
	if err != nil {
		return nil, err
	}
	o := app.Defaults()
	o.Broker.MaxWait = 3600
	b, err := broker.New(o.Broker, broker.Parts{Control: store, Data: store, Policy: policy.Default(), Now: env.Now})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	o.REST.Now = time.Now
	in := &inside{store: store, broker: b, dial: make(chan net.Conn), server: &http.Server{
		Handler: edge.Handler(rest.New(o.REST, b, nil)), ReadHeaderTimeout: o.HTTP.HeaderTimeout, IdleTimeout: o.HTTP.IdleTimeout,
		MaxHeaderBytes: int(o.HTTP.MaxHeaderBytes),
	}}
	switch where {
	case parked:
		in.server.ConnContext = conn.Context
		go func() { _ = in.server.Serve(conn.Listen(in, time.Now)) }()
	case inHandlers:
		go func() { _ = in.server.Serve(in) }()
	case onStreams:
		file := dir + ".pem"
		if _, err := certificate(file); err != nil {
			return nil, errors.Join(err, in.stop())
		}
		go func() { _ = in.server.ServeTLS(in, file, file) }()
	}
	return in, nil
}

// Accept implements net.Listener.
func (in *inside) Accept() (net.Conn, error) {
	c, open := <-in.dial
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close implements net.Listener.
func (in *inside) Close() error {
	in.once.Do(func() { close(in.dial) })
	return nil
}

// Addr implements net.Listener.
func (in *inside) Addr() net.Addr { return &net.UnixAddr{Name: "inside"} }

// connect returns the client's end of a new connection.
func (in *inside) connect() net.Conn {
	ours, theirs := net.Pipe()
	in.dial <- theirs
	return ours
}

// stop ends waits and closes everything.
func (in *inside) stop() error {
	in.broker.Close()
	return errors.Join(in.server.Close(), in.store.Close())
}

// footprint is what this process holds, in bytes.
type footprint struct {
	heap   float64 // live objects
	stacks float64 // of goroutines
	all    float64 // from the system
}

// weigh collects garbage and measures.
func weigh() footprint {
	for range 3 { // stacks shrink by half each time
		runtime.GC()
	}
	debug.FreeOSMemory()
	return measured()
}

// measured is what this process holds, garbage included.
func measured() footprint {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	at := func(i int) float64 { return float64(s[i].Value.Uint64()) }
	return footprint{at(0), at(1), at(2) - at(3)}
}

// less is the difference for each of n.
func (f footprint) less(o footprint, n int) footprint {
	return footprint{(f.heap - o.heap) / float64(n), (f.stacks - o.stacks) / float64(n), (f.all - o.all) / float64(n)}
}

// waitersInside measures the memory of clients that wait, with connections
// inside this process: as many as one likes, whatever the limit of files is.
// The pipes of both ends are in the figure; buffers of the kernel are not.
func waitersInside(ctx context.Context, b *bench) error {
	b.settings["waiters"] = b.waiters
	for _, where := range []string{parked, inHandlers, onStreams} {
		wait := b.waitOnConnections
		if where == onStreams {
			wait = b.waitOnStreams
		}
		in, err := startInside(filepath.Join(b.work, where), where)
		if err == nil {
			err = errors.Join(wait(ctx, in, where), in.stop())
		}
		if err != nil {
			return fmt.Errorf("inside, %s: %w", where, err)
		}
	}
	return nil
}

// waitOnStreams has all clients wait, many on each connection.
func (b *bench) waitOnStreams(ctx context.Context, in *inside, where string) error {
	before := weigh()
	for first := 0; first < b.waiters; first += perConnection {
		c := tls.Client(in.connect(), anybody("h2"))
		defer c.Close()
		m, err := newMultiplex(c)
		if err != nil {
			return err
		}
		n := min(perConnection, b.waiters-first)
		go m.receive(n, func(string) {}) // what it gets when the server stops
		for i := range n {
			if err := m.send(secure+"inside", first+i, i%2 == 0); err != nil {
				return err
			}
		}
	}
	if err := in.await(ctx, b.waiters); err != nil {
		return err
	}
	b.tellInside(where, before)
	return nil
}

// tellInside tells what the waiters take.
func (b *bench) tellInside(where string, before footprint) {
	after := weigh()
	each := after.less(before, b.waiters)
	b.tell("inside, "+where+": memory of the process with all", "bytes", after.all)
	b.tell("inside, "+where+": memory for each", "bytes", each.all)
	b.tell("inside, "+where+": live heap for each", "bytes", each.heap)
	b.tell("inside, "+where+": stacks for each", "bytes", each.stacks)
	b.profile("heap", "waiters "+where)
	b.profile("goroutine", "waiters "+where)
}

// waitOnConnections has all clients wait, each on a connection of its own.
func (b *bench) waitOnConnections(ctx context.Context, in *inside, where string) error {
	before := weigh()
	conns := make([]net.Conn, b.waiters)
	for i := range conns {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		conns[i] = in.connect()
		if err := conns[i].SetDeadline(time.Now().Add(10 * time.Minute)); err != nil {
			return err
		}
		if _, err := conns[i].Write(waitRequest("inside", i, i%2 == 0)); err != nil {
			return err
		}
	}
	if err := in.await(ctx, b.waiters); err != nil {
		return err
	}
	b.tellInside(where, before)
	// Half of them leave at once, and the others get their answers.
	leaving := conns[:len(conns)/2]
	begun := process.UsageOf(os.Getpid()).CPU
	for _, c := range leaving {
		c.Close()
	}
	if err := in.await(ctx, b.waiters-len(leaving)); err != nil {
		return err
	}
	b.tell("inside, "+where+": processor time for one that leaves", "µs",
		float64((process.UsageOf(os.Getpid()).CPU-begun).Microseconds())/float64(len(leaving)))
	in.broker.Close()
	for i, c := range conns[len(leaving):] {
		if text := answer(c, http.StatusOK); text != "answered" {
			return fmt.Errorf("client %d: %s", i, text)
		}
		c.Close()
	}
	return nil
}

// await returns when n requests wait and have come to rest.
func (in *inside) await(ctx context.Context, n int) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	// Those that wait do so in the middle of things at first.
	for rested := 0; rested < 10; {
		if in.broker.Waiting() == n {
			rested++
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d instead of %d requests wait: %w", in.broker.Waiting(), n, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// waitRequest is the request of the i-th client that waits.
func waitRequest(addr string, i int, claims bool) []byte {
	who := caller(addr, "waiting", i)
	if claims {
		return who.request("POST", claimed+"/claims?wait=3600&limit=1", []byte(`{"ttl":3600,"grace":60}`))
	}
	return who.request("GET", listed+"/messages?wait=3600&echo=true", nil)
}

// profile writes a profile of this process, if one is wanted.
func (b *bench) profile(name, of string) {
	if b.profiles == "" {
		return
	}
	f, err := os.Create(b.profiles + "/" + name + "-" + of + ".pprof")
	if err == nil {
		err = errors.Join(pprof.Lookup(name).WriteTo(f, 0), f.Close())
	}
	if err != nil {
		b.say("no profile: %v", err)
	}
}
