package trust

import (
	"sync"
	"time"

	"zaqar/messaging"
)

// failures counts requests for tokens that failed, and remembers when the log
// was told.
type failures struct {
	mu          sync.Mutex
	total, told int64
	last        time.Time
}

// quiet is how long the log is told nothing more: every trust may fail.
const quiet = time.Minute

// failed tells the operator that a trust gives no token: the first time at once,
// then at most once a minute, with the number of those since.
func (s *Sender) failed(sub *messaging.Subscription, err error) {
	f, now := &s.failures, s.Now()
	f.mu.Lock()
	f.total++
	count := f.total - f.told
	if !f.last.IsZero() && now.Sub(f.last) < quiet {
		f.mu.Unlock()
		return
	}
	f.told, f.last = f.total, now
	f.mu.Unlock()
	s.Log.Warn("deliveries under a trust wait: the identity service gives no token", "project", sub.Source.Project, "queue", sub.Source.Name,
		"topic", sub.Source.Topic, "subscription", sub.ID, "failures", count, "error", err)
}

// TokenFailures returns how many requests for tokens of trusts have failed.
func (s *Sender) TokenFailures() int64 {
	s.failures.mu.Lock()
	defer s.failures.mu.Unlock()
	return s.failures.total
}
