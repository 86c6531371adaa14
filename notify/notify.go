package notify

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/storage"
)

// Config is what an operator decides about deliveries. Take Defaults and change
// what is to differ.
type Config struct {
	InFlight        int // deliveries at a time
	Stuck           int // deliveries that take long and go on beside them
	PerHost         int // of them to one host and port
	PerSubscription int // of them for one subscription

	// Lifetime is how long a delivery is attempted, from its first attempt. One
	// that was held back before it is given up so long after the post, or after
	// the start of the server if that was later.
	Lifetime time.Duration
	// DisableAfter is after how long a time of nothing but failures a
	// subscription is disabled; 0: never.
	DisableAfter time.Duration
	// RequireConfirmation keeps messages from subscriptions that are not
	// confirmed.
	RequireConfirmation bool
	// Confirmations is how many documents about confirmation a project may cause
	// in ten minutes; 0: any number.
	Confirmations int
	// EventQueue is the queue of a project that is told what its owner should
	// know, where the subscription names no dead-letter queue.
	EventQueue string
	// Lease is after what time the work of a server that died is taken over.
	Lease time.Duration
	// Grace is how long attempts in flight may take when the notifier stops.
	Grace time.Duration
}

// Defaults returns the configuration of a server that was told nothing.
func Defaults() Config {
	return Config{
		InFlight: 10 * PerWorker, Stuck: 10 * PerWorker * StuckFactor, PerHost: 64, PerSubscription: 4,
		Lifetime: 24 * time.Hour, DisableAfter: 5 * 24 * time.Hour,
		EventQueue: "zaqar-events", Confirmations: 1000,
		Lease: 20 * time.Second, Grace: 5 * time.Second,
	}
}

// PerWorker is how many deliveries may be in flight for each of [notification]
// max_notifier_workers: a worker does not wait for one answer.
const PerWorker = 50

// StuckFactor is how many times those in flight the stuck ones are, where there
// are files for so many connections.
const StuckFactor = 4

// Bounds of what is in memory. See the package comment.
const (
	maxJobs  = 20_000    // jobs that have not ended
	maxBytes = 64 << 20  // of messages that are open
	maxWrite = 4_000     // of the jobs, those that are being stored elsewhere
	room     = 64        // jobs that wait in a lane
	slowRoom = room / 16 // of a slow one

	// Of the jobs, those of one host and of one project that may wait in lanes when
	// more are fetched from backlogs, and those that anybody may have.
	hostJobs, projectJobs, modest = maxJobs / 10, maxJobs / 2, maxJobs / 100
	projectWrites                 = maxWrite / 2
	projectBytes, modestBytes     = maxBytes * 3 / 2, maxBytes / 64
	lotSize                       = room / 2  // entries claimed at once
	lotBytes                      = 512 << 10 // of entries claimed at once, about
	pageSize                      = 500       // subscriptions read at once
)

// failedLifetime is how long what was given up is kept with its subscription.
const failedLifetime = 4 * 24 * time.Hour

// Parts are what a Notifier is built from.
type Parts struct {
	// Data holds what is delivered. If it is a storage.PartLister, what waits for
	// subscriptions that ended unseen is removed; otherwise it expires.
	Data storage.Data
	// Queues tells the retry policies of queues and topics.
	Queues storage.Queues
	// Senders are the protocols, by the scheme of the subscriber's URI in lower
	// case. Subscribers with other schemes are refused.
	Senders map[string]Sender
	// Open makes the body of a message of the project plain if it is sealed.
	Open func(p messaging.Project, m *messaging.Message) error
	// Post stores a message in a queue as the project's own: dead letters, and
	// events for owners. The error has a kind.
	Post func(ctx context.Context, q messaging.QueueRef, p Post) error
	// Render returns the document that asks a subscriber for confirmation, or
	// tells him of its end, and that is valid until expires.
	Render func(ctx context.Context, sub *messaging.Subscription, kind delivery.Kind, expires time.Time) ([]byte, error)
	// Pressure tells how long goroutines had to wait for a processor since it was
	// asked last. nil: it is not known, and deliveries give way to nobody.
	Pressure func() time.Duration
	// Follow begins the span of an attempt and returns what ends it, with nil or
	// why it failed. It may change the delivery's Trace, which is not empty. nil:
	// nothing is followed.
	Follow func(ctx context.Context, d *Delivery) (context.Context, func(Receipt, *Failure))
	Now    func() time.Time
	Log    *slog.Logger // nil: logs are dropped
}

// Post is a message that the notifier itself posts.
type Post struct {
	Body []byte // JSON text
	TTL  int64  // seconds
	Note delivery.Note
}

// Notifier delivers. Its methods may be called concurrently.
type Notifier struct {
	config   Config
	data     storage.Data
	queues   storage.Queues
	senders  map[string]Sender
	open     func(messaging.Project, *messaging.Message) error
	post     func(context.Context, messaging.QueueRef, Post) error
	render   func(context.Context, *messaging.Subscription, delivery.Kind, time.Time) ([]byte, error)
	follow   func(context.Context, *Delivery) (context.Context, func(Receipt, *Failure))
	now      func() time.Time
	log      *slog.Logger
	pressure func() time.Duration

	alarmed  chan struct{}   // an earlier alarm was set
	dirty    chan struct{}   // the ledger has something to write
	sending  context.Context // of attempts; ends Grace after the stop
	working  context.Context // of everything in the store; ends later
	workers  sync.WaitGroup  // of deliveries, fan-outs, drains, writes and removals
	counters counters
	asked    asked
	posts    atomic.Int64 // that were stored since the pace was adjusted

	mu       sync.Mutex // guards everything below, and all sources, lanes, lots and items
	started  time.Time
	running  bool // Run was called and has not been told to stop
	sources  map[messaging.QueueRef]*source
	lanes    int // of all sources
	hosts    map[string]*host
	accounts map[messaging.Project]*account
	alarms   alarms
	lots     map[*lot]bool
	records  map[target]*record
	recorded fifo[target] // those with records, in the order of their writing

	// What is ready, in turns, and how many goroutines are at it.
	fans     pool[*source]
	drains   pool[*lane]
	writes   pool[*lane]
	removals pool[*removal]
	ready    turns[*lane]
	sends    int   // deliveries in flight that have a place
	stuck    stuck // and those that gave it back
	flights  map[*job]bool
	unstick  alarm        // when those that take long are looked for
	slow     int          // of those that have a place, with lanes that are slow
	pace     pace         // of deliveries to subscribers who are near
	waitSlow turns[*lane] // would be ready, if fewer slow ones were in flight
	gone     gone         // entries to remove, by part
	load     load         // jobs and bytes in memory
	patience alarm        // while there is too much
}

// load is what is in memory.
type load struct {
	jobs, bytes, writes int
	tight               bool // it has been too much for some time: nothing waits
}

func (l *load) full() bool { return l.jobs >= maxJobs || l.bytes >= maxBytes }

// New returns a Notifier that delivers once Run is called. It fails if a part is
// missing.
func New(c Config, p Parts) (*Notifier, error) {
	if p.Data == nil || p.Queues == nil || p.Open == nil || p.Post == nil || p.Render == nil || p.Now == nil {
		return nil, errors.New("notify: Data, Queues, Open, Post, Render and Now are needed")
	}
	if c.InFlight < 1 || c.PerHost < 1 || c.PerSubscription < 1 || c.Stuck < 0 || c.Lifetime <= 0 || c.Lease < time.Second || c.DisableAfter < 0 || c.Confirmations < 0 {
		return nil, errors.New("notify: a bound is missing")
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	n := &Notifier{
		config: c, data: p.Data, queues: p.Queues, senders: p.Senders, open: p.Open, post: p.Post, render: p.Render,
		follow: p.Follow, now: p.Now, log: p.Log, pressure: p.Pressure,
		alarmed: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
		sources: map[messaging.QueueRef]*source{}, hosts: map[string]*host{}, accounts: map[messaging.Project]*account{}, flights: map[*job]bool{},
		lots: map[*lot]bool{}, records: map[target]*record{}, gone: gone{},
	}
	n.asked.most = c.Confirmations
	n.counters.init()
	n.unstick.ring = n.freePlaces
	n.patience.ring, n.pace.adjusts.ring, n.pace.refills.ring = n.tighten, n.adjust, n.refill
	n.fans = pool[*source]{most: fanners, run: n.fan}
	n.drains = pool[*lane]{most: drainers, run: n.drain}
	n.writes = pool[*lane]{most: writers, run: n.write}
	n.removals = pool[*removal]{most: removers, run: n.remove}
	return n, nil
}

// How many goroutines do what waits for the store.
const (
	fanners  = 8
	drainers = 8
	writers  = 64
	removers = 16
)

// target names a subscription.
type target struct {
	source messaging.QueueRef
	id     messaging.SubscriptionID
}

// Run delivers until ctx ends, then stops in order: attempts in flight end or
// are cut off after the grace, and what is not delivered is stored for the next
// start. It is called once.
func (n *Notifier) Run(ctx context.Context) {
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	sending, stopSend := context.WithCancel(working)
	defer stopSend()
	n.mu.Lock()
	n.working, n.sending, n.running, n.started = working, sending, true, n.now()
	n.start()
	n.mu.Unlock()

	stop := make(chan struct{})
	var loops sync.WaitGroup
	loops.Go(func() { n.watchAlarms(stop) })
	loops.Go(func() { n.renewLeases(stop) })
	loops.Go(func() { n.keepLedger(stop) })
	loops.Go(func() { n.walk(ctx, stop) })

	<-ctx.Done()
	n.halt(stopSend)
	close(stop)
	loops.Wait()
	n.settle(stopWork)
}

// halt ends the taking of work and waits for what is under way.
func (n *Notifier) halt(stopSend func()) {
	n.mu.Lock()
	n.running = false
	n.mu.Unlock()
	cut := time.AfterFunc(n.config.Grace, stopSend)
	n.workers.Wait()
	cut.Stop()
}

// settle stores what halt left in memory, and gives back what it cannot.
func (n *Notifier) settle(stopWork func()) {
	limit := time.AfterFunc(max(n.config.Grace, time.Second), stopWork)
	defer limit.Stop()
	n.mu.Lock()
	n.spillAll()
	n.writes.settling, n.removals.settling = true, true
	n.start()
	n.mu.Unlock()
	n.workers.Wait()
	n.flushLedger(n.working, true)
	n.mu.Lock()
	lots := make([]*lot, 0, len(n.lots))
	for l := range n.lots {
		lots = append(lots, l)
	}
	n.mu.Unlock()
	var late atomic.Bool
	manyAtOnce(lots, func(l *lot) {
		if _, err := n.data.Release(n.working, l.part, l.claim); err != nil && !late.Swap(true) {
			n.log.Warn("deliveries that were not made begin again when their lease ends", "error", err)
		}
	})
}

// pool is work for the store that is ready, and how many goroutines do it.
type pool[T any] struct {
	turns    turns[T]
	most     int // goroutines
	busy     int
	run      func(T)
	settling bool // goes on although the notifier stops
}

// begin starts goroutines for what is ready in the pool. The caller holds n.mu.
func begin[T any](n *Notifier, p *pool[T], may func() bool) {
	for p.busy < p.most && p.turns.len() > 0 && (n.running || p.settling) && may() {
		p.busy++
		first := p.turns.pop()
		n.workers.Go(func() { serve(n, p, may, first) })
	}
}

// serve does what is ready, one after the other.
func serve[T any](n *Notifier, p *pool[T], may func() bool, x T) {
	for {
		p.run(x)
		n.mu.Lock()
		if p.turns.len() == 0 || !n.running && !p.settling || !may() {
			p.busy--
			n.mu.Unlock()
			return
		}
		x = p.turns.pop()
		n.mu.Unlock()
	}
}

// start sets to work what may. The caller holds n.mu.
func (n *Notifier) start() {
	begin(n, &n.removals, always)
	begin(n, &n.writes, always)
	begin(n, &n.drains, always)
	begin(n, &n.fans, n.mayFan)
	n.startSends()
}

func always() bool { return true }

// mayFan reports whether jobs may be made of what is in outboxes. The caller
// holds n.mu.
func (n *Notifier) mayFan() bool {
	if n.load.writes >= maxWrite {
		return false
	}
	if others := max(n.fans.busy-1, 0); !n.load.full() && n.load.jobs+others*madeInTurn < maxJobs {
		return true
	}
	if !n.load.tight {
		n.setAlarm(&n.patience, n.now().Add(time.Second))
	}
	return n.load.tight
}

// tighten is called when there has been too much in memory for a second. The
// caller holds n.mu.
func (n *Notifier) tighten() {
	n.load.tight = n.load.full()
	n.start()
}

// host is where subscribers are, as host and port.
type host struct {
	name    string
	lanes   int                       // that are there
	sends   int                       // deliveries in flight
	of      map[messaging.Project]int // and those of each project that has some
	jobs    int                       // that wait in lanes
	waiting turns[*lane]              // would be ready, if fewer were in flight
}

// account is what a project has of what all share.
type account struct {
	sources  int         // that are its
	sends    int         // deliveries in flight that have a place
	slow     int         // of those, with lanes that are slow
	stuck    stuck       // and those that gave it back
	jobs     int         // that wait in lanes
	bytes    int         // of messages that are open
	writes   int         // that are pending
	waiting  fifo[*lane] // would be ready, if fewer were in flight
	waitSlow fifo[*lane] // would be ready, if fewer slow ones were
}

// isCrowded reports whether a project has so much in memory that nothing more is
// claimed for it: what others need is left. The caller holds n.mu.
func (n *Notifier) isCrowded(a *account) bool {
	return a.bytes >= projectBytes || a.bytes >= modestBytes && n.load.bytes >= 2*maxBytes || a.writes >= projectWrites
}

// perProject is how many deliveries of one project may be in flight: nobody
// takes all, for receivers that do not answer keep what they have for long.
func (n *Notifier) perProject() int { return max(n.config.InFlight*3/4, 1) }

// hostOf returns whom a subscriber shares a bound with: the host and port of
// its URI, or the scheme where there is none.
func hostOf(u *url.URL) string {
	if u.Host == "" {
		return u.Scheme + ":"
	}
	return u.Host
}
