package history

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Target is a store under test, or a server in front of one. All methods are
// called concurrently. An error ends the run.
type Target interface {
	// Post stores the bodies as messages and returns their ids.
	Post(ctx context.Context, queue string, bodies []string) (ids []string, err error)
	// Claim takes up to limit messages for ttl. Without messages there is no id.
	Claim(ctx context.Context, queue string, ttl time.Duration, limit int) (id string, got []Message, err error)
	// Renew gives the claim that lifetime from now, if it is live.
	Renew(ctx context.Context, queue, claim string, ttl time.Duration) (live bool, err error)
	// Held returns what the claim holds, if it is live.
	Held(ctx context.Context, queue, claim string) (got []Message, live bool, err error)
	// Release ends the claim, live or not.
	Release(ctx context.Context, queue, claim string) error
	// Remove deletes the message if the claim holds it, or if no claim is
	// given and none holds it. It says whether it could. A message that does not
	// exist is no obstacle.
	Remove(ctx context.Context, queue, id, claim string) (could bool, err error)
	// Pop removes up to limit messages.
	Pop(ctx context.Context, queue string, limit int) ([]Message, error)
	// Look returns those of the messages that are there.
	Look(ctx context.Context, queue string, ids []string) ([]Message, error)
}

// Options say what a Run does.
type Options struct {
	Clients int // at once
	Calls   int // of each, about
	Seed    uint64
	// Now is the store's clock.
	Now func() time.Time
	// Slack is how far the store may round times.
	Slack time.Duration
	// Pass makes time pass; nil: it cannot be made to, and claims are released
	// in the end, instead of expiring.
	Pass func(time.Duration)
	// Restart, if not nil, replaces the target in the middle of the run by one
	// with the same data, while no call is under way.
	Restart func() (Target, error)
	// The lifetimes of claims, whole seconds. With Pass, time passes in leaps
	// of up to LongestTTL.
	ShortestTTL, LongestTTL time.Duration
}

// shared are the queues from which all take. Besides, there is one from which
// the first client alone takes.
var shared = []string{"busy", "calm"}

const single = "single"

// backlog is how many messages there may be before producers wait.
const backlog = 60

// load is what the clients of a run share.
type load struct {
	Options
	target  Target
	history *History

	mu     sync.Mutex
	errs   []error
	there  map[string][]string // ids by queue, of messages that may be there
	claims map[string][]*grip  // by queue, dead ones included
}

// Run lets clients loose on the target and returns what they were told. The
// queues must be empty in the beginning, and nobody else may use them. They
// are empty in the end, or something is wrong.
func Run(ctx context.Context, target Target, o Options) (*History, error) {
	h := &History{now: o.Now, slack: o.Slack, alone: map[string]bool{single: true}}
	l := &load{Options: o, target: target, history: h, there: map[string][]string{}, claims: map[string][]*grip{}}
	var clients []*client
	for n := range o.Clients {
		clients = append(clients, &client{load: l, ctx: ctx, n: n, rng: rand.New(rand.NewPCG(o.Seed, uint64(n)))})
	}
	l.together(clients, o.Calls/2)
	if o.Restart != nil && len(l.errs) == 0 {
		var err error
		l.target, err = o.Restart()
		l.fail(err)
	}
	l.together(clients, o.Calls-o.Calls/2)
	l.fail(clients[0].drain())
	return h, errors.Join(l.errs...)
}

// together lets each of the clients make so many calls.
func (l *load) together(clients []*client, calls int) {
	if len(l.errs) > 0 {
		return
	}
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() {
			for range calls {
				if err := c.act(); err != nil {
					l.fail(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.errs = append(l.errs, err)
	}
}

// Small returns options for a run of a second or so. Callers set Now, and Pass
// if they can.
func Small(seed uint64) Options {
	return Options{Clients: 16, Calls: 150, Seed: cmp.Or(seed, 1), ShortestTTL: time.Second, LongestTTL: time.Minute}
}
