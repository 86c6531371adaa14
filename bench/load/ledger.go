package load

import (
	"sync"
	"time"
)

// Ledger is what happened to the messages of one or more queues, as the server
// answered: a Log for each connection, compared at the end. The zero value is
// an empty ledger without times.
type Ledger struct {
	Keeps
	// Shared says that others use the queues too: what nobody has posted is
	// foreign then, not a phantom.
	Shared bool
	// ClaimLife, if not 0, is how long after the answer to a claim its messages
	// are safe from other claims; later they may be claimed again. It needs
	// Timed.
	ClaimLife time.Duration

	mu    sync.Mutex
	epoch time.Time // times are kept as what went by since
	logs  []*Log
}

// Keeps says what else than ids the logs keep. It is set before the first Log
// is made.
type Keeps struct {
	// Timed keeps when messages were posted and received, so that Audit can
	// tell how long they took, and which may have expired.
	Timed bool
	// Bodies keeps which body each message had: see Log.Body.
	Bodies bool
}

// Log is what one connection was answered, in order. It is used by one
// goroutine at a time, and not any more when the ledger is audited.
//
// Queues are numbers that the caller chooses; where ids are alike in two
// queues they are different messages.
type Log struct {
	// Complete says that the messages listed are to be all there are.
	Complete bool
	// Gapless says that the messages listed are to be all up to the last one,
	// those that were deleted or may have expired excepted.
	Gapless bool

	keeps                            Keeps
	posted, claimed, listed, deleted idList
	doubtful                         idList // maybe deleted
	unsure                           int    // maybe posted
	epoch                            time.Time
	now, life                        time.Duration
	body                             int16

	// One for each key, if kept.
	postedAt, claimedAt, listedAt       []time.Duration
	until                               []time.Duration // when those posted may expire, or 0
	postedBody, claimedBody, listedBody []int16
}

// Log adds a log to the ledger.
func (l *Ledger) Log() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch.IsZero() {
		l.epoch = time.Now()
	}
	g := &Log{keeps: l.Keeps, epoch: l.epoch}
	l.logs = append(l.logs, g)
	return g
}

// Apart returns a log that is not part of the ledger: for what is left.
func (l *Ledger) Apart() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Log{keeps: l.Keeps, epoch: l.epoch}
}

// posted returns how many posts the logs have.
func (l *Ledger) posted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, g := range l.logs {
		n += g.posted.len()
	}
	return n
}

// At sets the time of what is entered from now on: for posts that is when the
// request was due, for the rest when the answer had come.
func (g *Log) At(t time.Time) { g.now = t.Sub(g.epoch) }

// Life sets how long what is posted from now on lives at least, in a ledger
// with times; 0 is for ever.
func (g *Log) Life(d time.Duration) { g.life = d }

// Body sets which body messages entered from now on have, a number of the
// caller's choice: what is received is to have the number it was posted with.
func (g *Log) Body(n int16) { g.body = n }

// Posted enters a message that the server has accepted.
func (g *Log) Posted(queue int, id []byte) {
	g.posted = g.posted.add(queue, id)
	if g.keeps.Bodies {
		g.postedBody = append(g.postedBody, g.body)
	}
	if !g.keeps.Timed {
		return
	}
	g.postedAt = append(g.postedAt, g.now)
	until := time.Duration(0)
	if g.life > 0 {
		until = g.now + g.life
	}
	g.until = append(g.until, until)
}

// MaybePosted enters a post of n messages that may have been carried out,
// though the server has not said so.
func (g *Log) MaybePosted(n int) { g.unsure += n }

// Claimed enters a message that the server has handed out in a claim.
func (g *Log) Claimed(queue int, id []byte) {
	g.claimed = g.claimed.add(queue, id)
	if g.keeps.Timed {
		g.claimedAt = append(g.claimedAt, g.now)
	}
	if g.keeps.Bodies {
		g.claimedBody = append(g.claimedBody, g.body)
	}
}

// Listed enters a message of a list whose pages follow each other.
func (g *Log) Listed(queue int, id []byte) {
	g.listed = g.listed.add(queue, id)
	if g.keeps.Timed {
		g.listedAt = append(g.listedAt, g.now)
	}
	if g.keeps.Bodies {
		g.listedBody = append(g.listedBody, g.body)
	}
}

// Append adds what another log has listed, which then comes after.
func (g *Log) Append(other *Log) {
	g.listed = append(g.listed, other.listed...)
	g.listedAt = append(g.listedAt, other.listedAt...)
	g.listedBody = append(g.listedBody, other.listedBody...)
}

// Deleted enters a message whose deletion the server has confirmed.
func (g *Log) Deleted(queue int, id []byte) { g.deleted = g.deleted.add(queue, id) }

// MaybeDeleted enters a message whose deletion may have been carried out,
// though the server has not confirmed it.
func (g *Log) MaybeDeleted(queue int, id []byte) { g.doubtful = g.doubtful.add(queue, id) }
