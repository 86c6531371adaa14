package quota

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// Parts are what a Guard is built from.
type Parts struct {
	Control storage.Control // quotas of projects, and queues to be counted
	Data    storage.Data    // messages and subscriptions to be counted
	Now     func() time.Time
	Log     *slog.Logger // nil: logs are dropped
}

// Guard enforces limits. The methods of a nil Guard let everything pass. They
// may be called concurrently.
type Guard struct {
	control storage.Control
	data    storage.Data
	now     func() time.Time
	log     *slog.Logger
	began   time.Time

	config   atomic.Pointer[rules]
	accounts table
	refused  map[messaging.Limit]*atomic.Int64
}

// rules are a configuration with what is derived from it.
type rules struct {
	Config
	common *terms // of projects for which nothing else is said
}

// New returns a Guard. It fails if a part is missing or a limit is wrong.
func New(c Config, p Parts) (*Guard, error) {
	if p.Control == nil || p.Data == nil || p.Now == nil {
		return nil, errors.New("quota: Control, Data and Now are needed")
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	g := &Guard{control: p.Control, data: p.Data, now: p.Now, log: p.Log, began: p.Now(), refused: map[messaging.Limit]*atomic.Int64{}}
	for _, l := range messaging.AllLimits() {
		if l != messaging.LimitRequestBurst && l != messaging.LimitByteBurst {
			g.refused[l] = new(atomic.Int64)
		}
	}
	g.accounts.init()
	if err := g.Reconfigure(c); err != nil {
		return nil, err
	}
	return g, nil
}

// Reconfigure puts other limits in force. Wrong ones are refused and change
// nothing.
func (g *Guard) Reconfigure(c Config) error {
	if g == nil {
		return nil
	}
	if err := c.check(); err != nil {
		return err
	}
	c = c.clone()
	g.config.Store(&rules{Config: c, common: newTerms(limits(c.Defaults))})
	for _, a := range g.accounts.all() {
		a.forget()
	}
	return nil
}

// forget has the terms of the account read again.
func (a *account) forget() {
	a.reading.Lock() // whoever reads them now may have what was
	a.read.Store(0)
	a.reading.Unlock()
}

// adopt puts terms in force. If they differ from those before, the slate is
// clean: debts under the old ones may be out of proportion to the new ones.
func (a *account) adopt(t *terms) {
	if old := a.terms.Swap(t); old == nil || old == t || maps.Equal(old.limits, t.limits) {
		return
	}
	a.requests.full.Store(0)
	a.bytes.full.Store(0)
	for i := range a.stock {
		if s := a.stock[i].Load(); s != nil {
			s.distrust()
		}
	}
}

// ns is the Guard's clock: ns since it was made, from 1.
func (g *Guard) ns() int64 { return max(1, int64(g.now().Sub(g.began))+1) }

// account returns the account of the project, pinned, and its terms.
func (g *Guard) account(ctx context.Context, p messaging.Project, now int64) (*account, *terms) {
	a := g.accounts.get(p, now)
	if read := a.read.Load(); read == 0 || now-read >= int64(g.config.Load().Fresh) {
		g.learn(ctx, a, now)
	}
	return a, a.terms.Load()
}

// learn reads the terms of the account. Who finds another one reading goes by
// the old terms, unless they were changed.
func (g *Guard) learn(ctx context.Context, a *account, now int64) {
	if a.read.Load() == 0 {
		a.reading.Lock()
	} else if !a.reading.TryLock() {
		return
	}
	defer a.reading.Unlock()
	c := g.config.Load()
	if read := a.read.Load(); read != 0 && now-read < int64(c.Fresh) {
		return
	}
	said, err := g.granted(ctx, a.project)
	known := now
	switch {
	case err != nil && !errors.Is(err, messaging.NotFound):
		// Until the next try what was known holds, or what the configuration
		// says.
		known = max(1, now-int64(c.Fresh)+int64(trust))
		g.log.LogAttrs(ctx, slog.LevelWarn, "cannot read the quota of a project",
			slog.String("project", string(a.project)), slog.Any("error", err))
		if a.terms.Load() == nil {
			a.adopt(newTerms(limits(c.Defaults, c.Projects[a.project])))
		}
	case len(said.Limits) == 0 && len(c.Projects[a.project]) == 0:
		a.adopt(c.common)
	default:
		a.adopt(newTerms(limits(c.Defaults, c.Projects[a.project], said.Limits)))
	}
	a.read.Store(known)
}

// patience is how long the quota of a project may take to be read.
const patience = 5 * time.Second

// granted reads the quota of a project. What is learned is for others, too: a
// caller that goes away does not end it.
func (g *Guard) granted(ctx context.Context, p messaging.Project) (messaging.Quota, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return g.control.Quota(ctx, p)
}

// Changed says that the quota of the project was changed in the store.
func (g *Guard) Changed(p messaging.Project) {
	if g == nil {
		return
	}
	a := g.accounts.get(p, g.ns())
	a.forget()
	a.unpin()
}

// Limits returns what is in force for the project: a value for each limit. If
// the store cannot be asked, what was known last holds.
func (g *Guard) Limits(ctx context.Context, p messaging.Project) messaging.Limits {
	if g == nil {
		return limits()
	}
	a, t := g.account(ctx, p, g.ns())
	defer a.unpin()
	return limits(t.limits)
}

// Defaults returns what would be in force for the project if no administrator
// had set anything.
func (g *Guard) Defaults(p messaging.Project) messaging.Limits {
	if g == nil {
		return limits()
	}
	c := g.config.Load()
	return limits(c.Defaults, c.Projects[p])
}

// Visit is a request that was let in. The zero value is one that nobody limits.
type Visit struct {
	guard   *Guard
	account *account
}

// Enter lets a request of the project in, or returns an Exceeded error: its
// requests or bytes come too fast. Whoever was let in leaves.
func (g *Guard) Enter(ctx context.Context, p messaging.Project) (Visit, error) {
	if g == nil {
		return Visit{}, nil
	}
	now := g.ns()
	a, t := g.account(ctx, p, now)
	if !t.bytes.unlimited() {
		if wait := a.bytes.short(now, t.bytes); wait > 0 {
			a.unpin()
			return Visit{}, g.slower(messaging.LimitByteRate, t, wait)
		}
	}
	if !t.requests.unlimited() {
		if wait := a.requests.take(now, t.requests, 1); wait > 0 {
			a.unpin()
			return Visit{}, g.slower(messaging.LimitRequests, t, wait)
		}
	}
	return Visit{g, a}, nil
}

// Return is Enter for a request that was let in before and comes back from
// waiting.
func (g *Guard) Return(ctx context.Context, p messaging.Project) Visit {
	if g == nil {
		return Visit{}
	}
	a, _ := g.account(ctx, p, g.ns())
	return Visit{g, a}
}

// slower is the error for who goes too fast.
func (g *Guard) slower(l messaging.Limit, t *terms, wait time.Duration) error {
	g.count(l)
	unit := "requests"
	if l == messaging.LimitByteRate {
		unit = "bytes"
	}
	return &messaging.Error{Kind: messaging.Exceeded, After: wait,
		What: "The project may have " + strconv.FormatInt(t.limits[l], 10) + " " + unit + " a second, and has used them up."}
}

// Leave ends a visit during which so many bytes of bodies were read and sent.
func (v Visit) Leave(bytes int64) {
	if v.account == nil {
		return
	}
	if t := v.account.terms.Load(); bytes > 0 && !t.bytes.unlimited() {
		v.account.bytes.spend(v.guard.ns(), t.bytes, bytes)
	}
	v.account.unpin()
}

// Usage is how much a project has. What is not stored is counted on this node.
type Usage struct {
	Queues, Topics, Subscriptions int64
	Stored                        messaging.Stored
	Connections, Waiting          int64
}

// Usage asks the stores how much the project has. Errors are theirs.
func (g *Guard) Usage(ctx context.Context, p messaging.Project) (u Usage, err error) {
	if g == nil {
		return u, nil
	}
	var have [stocks]amount
	for k := range stocks {
		if have[k], err = g.have(ctx, p, k); err != nil {
			return u, err
		}
	}
	a := g.accounts.get(p, g.ns())
	defer a.unpin()
	return Usage{
		Queues: have[queues].n, Topics: have[topics].n, Subscriptions: have[subscriptions].n,
		Stored:      messaging.Stored{Messages: have[messages].n, Bytes: have[messages].bytes},
		Connections: a.conns.Load(), Waiting: a.waiting.Load(),
	}, nil
}

// count notes that the limit refused something.
func (g *Guard) count(l messaging.Limit) { g.refused[l].Add(1) }

// Stats are figures for metrics.
type Stats struct {
	Refused  map[messaging.Limit]int64 // how many requests each limit refused, since the start
	Projects int                       // of which state is kept
}

// Stats returns the figures of the moment.
func (g *Guard) Stats() Stats {
	s := Stats{Refused: map[messaging.Limit]int64{}}
	if g == nil {
		return s
	}
	for l, n := range g.refused {
		s.Refused[l] = n.Load()
	}
	s.Projects = len(g.accounts.all())
	return s
}
