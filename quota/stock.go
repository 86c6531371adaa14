package quota

import (
	"context"
	"math"
	"sync"
	"time"
)

// kind is something that the store counts.
type kind int

const (
	queues kind = iota
	topics
	messages
	subscriptions
	stocks // how many kinds there are
)

// amount is how much of something: how many, and of messages their bytes.
type amount struct{ n, bytes int64 }

func (a amount) plus(b amount) amount  { return amount{a.n + b.n, a.bytes + b.bytes} }
func (a amount) minus(b amount) amount { return amount{a.n - b.n, a.bytes - b.bytes} }

// within reports whether a is no more than most in any respect.
func (a amount) within(most amount) bool { return a.n <= most.n && a.bytes <= most.bytes }

// unbounded reports whether there is always room.
func (a amount) unbounded() bool { return a.n == math.MaxInt64 && a.bytes == math.MaxInt64 }

// trust is how long room holds that the store said there is. Only other nodes
// make it smaller.
const trust = time.Second

// stock is the room of a project for one kind of thing.
type stock struct {
	mu    sync.Mutex
	ended *sync.Cond // on mu: signalled when something under way has ended
	room  amount     // may be given out without asking
	until int64      // as long as that holds, ns; 0: not at all
	under amount     // given out and under way: the store may count it or not
}

func newStock() *stock {
	s := new(stock)
	s.ended = sync.NewCond(&s.mu)
	return s
}

// hold takes room for want, with most the limit. When there is none it returns
// what there is, and how the store counts it.
func (s *stock) hold(ctx context.Context, want, most amount, now int64, ask func(context.Context) (amount, error)) (have amount, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if now < s.until && want.within(s.room) {
			s.room = s.room.minus(want)
			s.under = s.under.plus(want)
			return have, true, nil
		}
		s.until = 0
		if have, err = ask(ctx); err != nil {
			return have, false, err
		}
		if !have.plus(want).within(most) {
			return have, false, nil
		}
		if room := most.minus(have.plus(s.under)); want.within(room) {
			s.room, s.until = room, now+int64(trust)
			continue
		}
		s.ended.Wait() // it depends on what is under way
	}
}

// done says that what was held for is stored, or will not be.
func (s *stock) done(want amount) {
	s.mu.Lock()
	s.under = s.under.minus(want)
	s.ended.Broadcast()
	s.mu.Unlock()
}

// distrust has the store asked before anything is given out again.
func (s *stock) distrust() {
	s.mu.Lock()
	s.until = 0
	s.mu.Unlock()
}
