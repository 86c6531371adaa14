package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The queues of the load, made at the beginning. keeper makes its own.
var (
	rules = map[string]Rules{
		"work":    {},
		"many":    {},
		"pops":    {},
		"bulk":    {},
		"archive": {},
		"slow":    {Delay: 2 * time.Second},
		"fragile": {MaxClaims: 2, DeadLetters: "dead"},
		"dead":    {},
	}
	settings = map[string]map[string]any{
		"slow":    {"_default_message_delay": 2},
		"fragile": {"_max_claim_count": 2, "_dead_letter_queue": "dead"},
	}
	kept = []string{"kept-1", "kept-2", "kept-3", "kept-4"}
)

// Harness runs the load through the lives of the server.
type Harness struct {
	Program Program
	Ledger  *Ledger
	Rand    *rand.Rand // of what the caller decides; the load has its own
	Answers int64      // that workers got
	Starts  []time.Duration

	rng     *rand.Rand
	workers []*worker
}

// NewHarness returns a harness with an empty ledger. The load follows from the
// seed, as far as the server's timing lets it.
func NewHarness(p Program, seed uint64) *Harness {
	h := &Harness{Program: p, Ledger: New(time.Now), Rand: rand.New(rand.NewPCG(seed, 1<<32)), rng: rand.New(rand.NewPCG(seed, 0))}
	for name, r := range rules {
		h.Ledger.Queue(name, r)
	}
	add := func(name string, step func(context.Context, *worker, *client) error) {
		rng := rand.New(rand.NewPCG(seed, uint64(len(h.workers)+1)))
		h.workers = append(h.workers, &worker{name: name, l: h.Ledger, rng: rng, step: step})
	}
	add("producer-work-1", producer("work", 1))
	add("producer-work-2", producer("work", 10))
	add("producer-many-1", producer("many", 20))
	add("producer-many-2", producer("many", 1))
	add("producer-pops-1", producer("pops", 10))
	add("producer-pops-2", producer("pops", 1))
	add("producer-slow", producer("slow", 4))
	add("producer-fragile", producer("fragile", 6))
	add("carrier-1", carrier("bulk"))
	add("carrier-2", carrier("bulk"))
	add("archivist-1", archivist("archive"))
	add("archivist-2", archivist("archive"))
	add("claimer-work-1", claimer("work", false))
	add("claimer-work-2", claimer("work", false))
	add("claimer-many-1", claimer("many", false))
	add("claimer-many-2", claimer("many", false))
	add("claimer-slow", claimer("slow", false))
	add("claimer-fragile-1", claimer("fragile", true))
	add("claimer-fragile-2", claimer("fragile", true))
	add("claimer-dead", claimer("dead", false))
	add("popper-pops-1", popper("pops"))
	add("popper-pops-2", popper("pops"))
	add("popper-bulk", popper("bulk"))
	add("popper-dead", popper("dead"))
	add("follower-1", follower("archive"))
	add("follower-2", follower("archive"))
	add("watcher", watcher("work", "many", "pops", "slow", "fragile", "dead"))
	add("keeper-1", keeper(kept[:2]...))
	add("keeper-2", keeper(kept[2:]...))
	return h
}

// Prepare makes the queues, in a first life of the server that ends with a kill.
func (h *Harness) Prepare(ctx context.Context) error {
	s, err := h.Program.Start()
	if err != nil {
		return err
	}
	defer s.Kill()
	c := newClient(s.base, func() {})
	defer c.close()
	for name := range rules {
		st := State{Exists: true, Generation: 1, Note: "load"}
		e := h.Ledger.Change("prepare", name, st)
		r, err := c.do(ctx, "PUT", queuePath(name), "application/json", st.metadata(settings[name]))
		if err != nil || r.status != http.StatusCreated {
			return fmt.Errorf("making queue %s: %v, %w", name, r, err)
		}
		e.Acked()
	}
	return nil
}

// An Ending ends a server that is starting or under load. It waits for the
// process.
type Ending func(*Server) error

// Life is one life of the server process: it starts, is verified, gets load,
// and meets its end after some answers.
func (h *Harness) Life(ctx context.Context, end Ending) error {
	s, err := h.Program.Start()
	if err != nil {
		return err
	}
	defer s.Kill()
	h.Starts = append(h.Starts, s.took)
	h.Ledger.Restarted()
	if err := h.verify(ctx, s); err != nil {
		return fmt.Errorf("verifying: %w\n%s", err, s.out)
	}
	return h.load(ctx, s, end)
}

// DieStarting starts a process that meets its end while it recovers.
func (h *Harness) DieStarting(end Ending) error {
	s, err := h.Program.launch()
	if err != nil {
		return err
	}
	defer s.Kill()
	return end(s)
}

// verify reads everything at rest and holds it against the ledger.
func (h *Harness) verify(ctx context.Context, s *Server) error {
	c := newClient(s.base, func() {})
	defer c.close()
	since := time.Now()
	names, states, err := c.queues(ctx)
	if err != nil {
		return err
	}
	h.Ledger.VerifyQueues(names, states)
	all := map[string]Listing{}
	for name := range rules {
		if all[name], err = c.listing(ctx, name); err != nil {
			return err
		}
	}
	for _, name := range kept {
		if all[name], err = c.listing(ctx, name); err != nil {
			return err
		}
	}
	h.Ledger.Verify(since, all)
	return nil
}

// Bounds of one life under load: answers, and time in case these do not come.
// One in eight lives goes by time alone: long enough for the store's own work,
// which it does every second.
const (
	mostAnswers  = 1000
	leastAnswers = 20
	shortestLoad = 900 * time.Millisecond
	longestLoad  = 2 * time.Second
)

// load lets the workers work until enough answers have come, then ends the
// server under them.
func (h *Harness) load(ctx context.Context, s *Server, end Ending) error {
	ctx, cancel := context.WithTimeout(ctx, longestLoad+startTime)
	defer cancel()
	enough := make(chan struct{})
	var answers atomic.Int64
	target, most := leastAnswers+h.rng.Int64N(mostAnswers-leastAnswers), longestLoad
	if h.rng.IntN(8) == 0 {
		target, most = math.MaxInt64, shortestLoad+time.Duration(h.rng.Int64N(int64(longestLoad-shortestLoad)))
	}
	c := newClient(s.base, func() {
		if answers.Add(1) == target {
			close(enough)
		}
	})
	defer c.close()
	var wg sync.WaitGroup
	for _, w := range h.workers {
		wg.Go(func() { w.run(ctx, c) })
	}
	select {
	case <-enough:
	case <-time.After(most):
	case <-s.exited:
	}
	err := s.early()
	if err == nil {
		err = end(s)
	}
	wg.Wait()
	h.Answers += answers.Load()
	if s.out.contains("DATA RACE") {
		err = errors.Join(err, fmt.Errorf("the server has a data race\n%s", s.out))
	}
	return err
}

// Judge ends a test if the ledger found something, with the first of it.
func (h *Harness) Judge(t testing.TB) {
	t.Helper()
	vs := h.Ledger.Violations()
	for _, v := range vs[:min(len(vs), 10)] {
		t.Error(v)
	}
	if len(vs) > 0 {
		t.Fatalf("%d violations", len(vs))
	}
}

// Report writes what the load did.
func (h *Harness) Report(w io.Writer) {
	t := h.Ledger.Tally()
	fmt.Fprintf(w, "%d answers; messages: %d posted, %d deleted, %d popped, %d claimed; %d claims released; %d queues changed; %d requests without an answer\n",
		h.Answers, t.Posted, t.Removed, t.Popped, t.Claimed, t.Released, t.Changed, t.Unknown)
	if len(h.Starts) > 0 {
		sorted := slices.Sorted(slices.Values(h.Starts))
		fmt.Fprintf(w, "from start to listening: %v at best, %v median, %v at worst\n", sorted[0], sorted[len(sorted)/2], sorted[len(sorted)-1])
	}
}
