package quota

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"zaqar/messaging"
)

// Config is what an operator decides.
type Config struct {
	// Defaults are the limits of projects for which nothing else is said.
	Defaults messaging.Limits
	// Projects are those of single projects.
	Projects map[messaging.Project]messaging.Limits
	// Fresh is how long a quota read from the store holds; DefaultFresh if 0.
	Fresh time.Duration
}

// DefaultFresh is how long a quota read from the store holds unless the
// configuration says otherwise.
const DefaultFresh = 10 * time.Second

// Check reports the first thing that is wrong with the limits: names that do not
// exist, values that are none.
func Check(l messaging.Limits) error {
	for _, name := range slices.Sorted(maps.Keys(l)) {
		switch {
		case !name.Known():
			return fmt.Errorf("there is no limit called %q", name)
		case !name.Valid(l[name]):
			return fmt.Errorf("%s must be %d for unlimited or from %d to %d, not %d",
				name, messaging.Unlimited, name.Least(), int64(messaging.MaxLimit), l[name])
		}
	}
	return nil
}

func (c *Config) check() error {
	if err := Check(c.Defaults); err != nil {
		return err
	}
	for _, p := range slices.Sorted(maps.Keys(c.Projects)) {
		if err := Check(c.Projects[p]); err != nil {
			return fmt.Errorf("project %q: %w", p, err)
		}
	}
	return nil
}

// clone returns a copy that shares no memory.
func (c Config) clone() Config {
	c.Defaults = maps.Clone(c.Defaults)
	projects := make(map[messaging.Project]messaging.Limits, len(c.Projects))
	for p, l := range c.Projects {
		projects[p] = maps.Clone(l)
	}
	c.Projects = projects
	if c.Fresh <= 0 {
		c.Fresh = DefaultFresh
	}
	return c
}

// limits merges what is said of a project: what comes later counts.
func limits(said ...messaging.Limits) messaging.Limits {
	all := messaging.Limits{}
	for _, l := range messaging.AllLimits() {
		all[l] = messaging.Unlimited
		for _, s := range said {
			if n, ok := s[l]; ok && l.Valid(n) {
				all[l] = n
			}
		}
	}
	return all
}

// terms are the limits of a project in the form that is quick to check. They
// do not change.
type terms struct {
	limits          messaging.Limits
	requests, bytes pace
	connections     int64 // like the others: none is math.MaxInt64
	waiting         int64
	most            [stocks]amount
}

func newTerms(l messaging.Limits) *terms {
	bound := func(name messaging.Limit) int64 {
		if l[name] == messaging.Unlimited {
			return math.MaxInt64
		}
		return l[name]
	}
	t := &terms{
		limits:      l,
		requests:    newPace(l[messaging.LimitRequests], l[messaging.LimitRequestBurst]),
		bytes:       newPace(l[messaging.LimitByteRate], l[messaging.LimitByteBurst]),
		connections: bound(messaging.LimitConnections),
		waiting:     bound(messaging.LimitWaiting),
	}
	none := int64(math.MaxInt64)
	t.most[queues] = amount{bound(messaging.LimitQueues), none}
	t.most[topics] = amount{bound(messaging.LimitTopics), none}
	t.most[messages] = amount{bound(messaging.LimitMessages), bound(messaging.LimitMessageBytes)}
	t.most[subscriptions] = amount{bound(messaging.LimitSubscriptions), none}
	return t
}
