package workers

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// Group is how many workers of a kind there are. Workers run in one process
// here, whatever Processes says: only the product counts.
type Group struct {
	Processes int `json:"processes"`
	Workers   int `json:"workers"` // of each process
}

// connections returns how many connections the group has.
func (g Group) connections() int { return g.Processes * g.Workers }

// Options says what Run does.
type Options struct {
	Server  string      // URL of the server, without /v2
	TLS     *tls.Config // for https; nil: the system's certificates
	Project string      // sent as X-Project-ID; empty: Auth's
	Auth    Auth        // nil: the server does not ask who one is

	Producers, Consumers, Observers Group

	Duration time.Duration
	Queues   int    // their names are Prefix-0, Prefix-1, …
	Prefix   string // of queue names
	// SkipReset leaves what the queues hold. Otherwise they are deleted first.
	SkipReset bool

	Messages Messages      // what is posted
	Batch    int           // messages of a post
	Rate     float64       // posts a second of all producers; 0: as many as possible
	PerClaim int           // most messages of a claim
	Wait     time.Duration // how long a claim waits for messages, in whole seconds
	PerList  int           // most messages of a list

	// CheckTime bounds the time for the lists at the end. If it is over the
	// account is not checked, and Run fails.
	CheckTime time.Duration

	// Cycles, if not 0, ends each worker after so many: a post, a list, or a
	// claim with its deletes.
	Cycles int
	// Progress, if not nil, is called every second, or every minute for each
	// hour that the run takes.
	Progress func(Progress)
}

// Defaults returns the options that the original has.
func Defaults() Options {
	return Options{
		Server: "http://localhost:8888", Project: "my-lovely-benchmark",
		Producers: Group{1, 10}, Consumers: Group{1, 0}, Observers: Group{1, 5},
		Duration: 5 * time.Second, Queues: 4, Prefix: "ogre-test-queue",
		Messages: defaultMessages(), Batch: 1, PerClaim: 5, PerList: 5, CheckTime: 15 * time.Minute,
	}
}

// Bounds of options.
const (
	maxConnections = 100_000
	maxRate        = 1_000_000
	maxQueues      = 1_000_000
	maxQueueName   = 64
	maxWait        = time.Minute // so that a claim is long over when its messages are free again
)

// Check returns what is wrong with the options.
func (o *Options) Check() error {
	for name, g := range map[string]Group{"producers": o.Producers, "consumers": o.Consumers, "observers": o.Observers} {
		if g.Processes < 0 || g.Workers < 0 || g.Processes > maxConnections || g.Workers > maxConnections || g.connections() > maxConnections {
			return fmt.Errorf("%d processes with %d workers of %s: must be 0 to %d together", g.Processes, g.Workers, name, maxConnections)
		}
	}
	if o.Producers.connections()+o.Consumers.connections()+o.Observers.connections() == 0 {
		return errors.New("there is nothing to do: no producers, consumers or observers")
	}
	longest := fmt.Sprintf("%s-%d", o.Prefix, o.Queues-1)
	switch {
	case o.Duration <= 0:
		return errors.New("the time must be positive")
	case o.CheckTime <= 0:
		return errors.New("the time for the check at the end must be positive")
	case o.Queues < 1 || o.Queues > maxQueues:
		return fmt.Errorf("%d queues: must be 1 to %d", o.Queues, maxQueues)
	case o.Prefix == "" || len(longest) > maxQueueName || !plain(o.Prefix):
		return fmt.Errorf("queue prefix %q: names such as %q must have 1 to %d letters, digits, underscores and hyphens", o.Prefix, longest, maxQueueName)
	case o.Batch < 1 || o.PerClaim < 1 || o.PerList < 1:
		return errors.New("posts, claims and lists must have at least one message")
	case !(o.Rate >= 0 && o.Rate <= maxRate):
		return fmt.Errorf("rate %v: must be 0 to %d posts a second", o.Rate, maxRate)
	case o.Wait < 0 || o.Wait%time.Second != 0:
		return errors.New("claims wait for whole seconds")
	case o.Wait > maxWait:
		return fmt.Errorf("claims cannot wait so long: %s, at most %s", o.Wait, maxWait)
	}
	_, err := newTarget(o)
	return errors.Join(err, o.Messages.check())
}

// plain reports whether a queue may have this name, whatever its length.
func plain(name string) bool {
	for _, c := range name {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}
