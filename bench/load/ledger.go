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

// Account is the result of an audit.
type Account struct {
	Posted, Claimed, Deleted int
	Left                     int // what the server has at the end
	Expired                  int // neither deleted nor left, but no longer expected to be
	Foreign                  int // not posted by this ledger's connections, which share the queues
	Unsure                   int // found, and perhaps posted without an answer
	Again                    int // claims of messages whose earlier claim may have ended
	Findings                 Findings
	// Delivery is how long messages took from Posted to Claimed or Listed, if
	// the ledger is timed.
	Delivery Histogram
	// FirstClaim is that of first claims alone.
	FirstClaim Histogram
}

// Audit compares all logs with each other and with what the server lists at
// the end, which is given as the Listed of a Log of its own (not one of the
// ledger's), at its time. Of Delivery only messages posted in [from, to) count. The error
// is that of the findings.
//
// A message is lost if it was posted and not deleted, and is not left either
// though it cannot have expired; a duplicate if its id was given out for two posts, or it was claimed twice,
// or listed twice by one connection or at the end; a phantom if nobody posted
// it. It is back if it is left after its deletion, and altered if it was
// received with another body. Of the messages that one
// connection has posted to a queue, each other connection must receive the
// earlier before the later; else they are out of order.
func (l *Ledger) Audit(left *Log, from, to time.Time) (*Account, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &audit{
		Ledger: l, index: make(map[string]int32),
		from: from.Sub(l.epoch), to: to.Sub(l.epoch), end: left.now,
	}
	a.posts()
	for _, g := range l.logs {
		a.deletes(g)
	}
	for _, g := range l.logs {
		a.claims(g)
		a.lists(g)
	}
	a.left(left)
	a.forgive()
	return &a.account, a.account.Findings.Err()
}

// audit is one comparison under way.
type audit struct {
	*Ledger
	index         map[string]int32 // by key: where in fates
	fates         []fate
	keys          []string // as fates
	from, to, end time.Duration
	account       Account
}

// fate is what is known of one message.
type fate struct {
	log, place int32 // whose post it was, and which; a stranger has no log
	queue      int32
	claimed, deleted, present,
	doubtful, altered bool
	claimedAt time.Duration
}

// stranger is the log of what nobody has posted.
const stranger = -1

func (a *audit) posts() {
	for i, g := range a.logs {
		place := int32(0)
		for key := range g.posted.all() {
			if _, known := a.index[key]; known {
				a.account.Findings.Duplicate.add(key)
			} else {
				a.enter(key, fate{log: int32(i), place: place, queue: queueOf(key)})
			}
			place++
		}
	}
	a.account.Posted = len(a.fates)
}

func (a *audit) enter(key string, f fate) int32 {
	i := int32(len(a.fates))
	a.index[key] = i
	a.fates = append(a.fates, f)
	a.keys = append(a.keys, key)
	return i
}

// find looks a message up. One that nobody has posted is entered as a stranger.
func (a *audit) find(key string) int32 {
	i, known := a.index[key]
	if known {
		return i
	}
	if a.Shared {
		a.account.Foreign++
	} else {
		a.account.Findings.Phantom.add(key)
	}
	return a.enter(key, fate{log: stranger})
}

// mayBeGone reports whether a message need not exist at the end.
func (a *audit) mayBeGone(f *fate) bool {
	return f.log == stranger || f.deleted || f.doubtful || a.expired(f)
}

func (a *audit) expired(f *fate) bool {
	until := a.logs[f.log].until
	return int(f.place) < len(until) && until[f.place] != 0 && until[f.place] <= a.end
}

// compare compares the body of the nth message received with the one posted.
func (a *audit) compare(i int32, received []int16, n int) {
	f := &a.fates[i]
	if f.log == stranger || f.altered || n >= len(received) {
		return
	}
	if posted := a.logs[f.log].postedBody; int(f.place) < len(posted) && posted[f.place] != received[n] {
		f.altered = true
		a.account.Findings.Altered.add(a.keys[i])
	}
}

// stream is what one connection receives, one message after the other.
type stream struct {
	*audit
	reached map[[2]int32]int32 // by log and queue: the place after the last one
}

func (a *audit) stream() *stream {
	return &stream{audit: a, reached: make(map[[2]int32]int32)}
}

// inOrder reports whether nothing that was posted later came before.
func (s *stream) inOrder(f *fate) bool {
	if f.log == stranger {
		return true
	}
	from := [2]int32{f.log, f.queue}
	reached := s.reached[from]
	s.reached[from] = max(reached, f.place+1)
	return f.place >= reached
}

func (a *audit) claims(g *Log) {
	s := a.stream()
	n := 0
	for key := range g.claimed.all() {
		i := s.find(key)
		f := &a.fates[i]
		at := time.Duration(0)
		if n < len(g.claimedAt) {
			at = g.claimedAt[n]
		}
		switch {
		case f.claimed && a.ClaimLife > 0 && (at-f.claimedAt).Abs() >= a.ClaimLife:
			a.account.Again++
		case f.claimed:
			a.account.Findings.ClaimedTwice.add(key)
		case !s.inOrder(f):
			a.account.Findings.OutOfOrder.add(key)
		}
		if !f.claimed {
			a.delivered(f, g.claimedAt, n, &a.account.FirstClaim)
		}
		f.claimed, f.claimedAt = true, at
		a.compare(i, g.claimedBody, n)
		n++
	}
	a.account.Claimed += n
}

func (a *audit) lists(g *Log) {
	if len(g.listed) == 0 && !g.Complete {
		return
	}
	s := a.stream()
	seen := make([]bool, len(a.fates))
	n := 0
	for key := range g.listed.all() {
		i := s.find(key)
		if int(i) == len(seen) {
			seen = append(seen, false)
		}
		f := &a.fates[i]
		switch {
		case seen[i]:
			a.account.Findings.Duplicate.add(key)
		case !s.inOrder(f):
			a.account.Findings.OutOfOrder.add(key)
		}
		seen[i] = true
		a.delivered(f, g.listedAt, n, nil)
		a.compare(i, g.listedBody, n)
		n++
	}
	for i, was := range seen {
		f := &a.fates[i]
		switch {
		case was || f.log == stranger:
		case g.Complete, g.Gapless && f.place < s.reached[[2]int32{f.log, f.queue}] && !a.mayBeGone(f):
			a.account.Findings.Missed.add(a.keys[i])
		}
	}
}

// delivered measures how long the nth message that a log received took, also
// in a histogram of its own if there is one.
func (a *audit) delivered(f *fate, received []time.Duration, n int, own *Histogram) {
	if f.log == stranger {
		return
	}
	posted := a.logs[f.log].postedAt
	if n >= len(received) || int(f.place) >= len(posted) {
		return
	}
	if at := posted[f.place]; at >= a.from && at < a.to {
		a.account.Delivery.Record(received[n] - at)
		if own != nil {
			own.Record(received[n] - at)
		}
	}
}

func (a *audit) deletes(g *Log) {
	for key := range g.deleted.all() {
		i := a.find(key)
		if a.fates[i].deleted {
			a.account.Findings.DeletedTwice.add(key)
		}
		a.fates[i].deleted = true
		a.account.Deleted++
	}
	for key := range g.doubtful.all() {
		a.fates[a.find(key)].doubtful = true
	}
}

// left compares with what the server has at the end.
func (a *audit) left(g *Log) {
	s := a.stream()
	for key := range g.listed.all() {
		i := s.find(key)
		f := &a.fates[i]
		switch {
		case f.present:
			a.account.Findings.Duplicate.add(key)
		case f.deleted:
			a.account.Findings.Undead.add(key)
		case !s.inOrder(f):
			a.account.Findings.OutOfOrder.add(key)
		}
		f.present = true
		a.compare(i, g.listedBody, a.account.Left)
		a.account.Left++
	}
	for i := range a.fates {
		f := &a.fates[i]
		switch {
		case f.present:
		case !a.mayBeGone(f):
			a.account.Findings.Lost.add(a.keys[i])
		case f.log != stranger && !f.deleted && !f.doubtful:
			a.account.Expired++
		}
	}
}

// forgive takes as many of those that nobody has posted for messages of posts
// that were not answered as there may be.
func (a *audit) forgive() {
	unsure := 0
	for _, g := range a.logs {
		unsure += g.unsure
	}
	p := &a.account.Findings.Phantom
	a.account.Unsure = min(unsure, p.Count)
	p.Count -= a.account.Unsure
	p.IDs = p.IDs[:min(len(p.IDs), p.Count)]
}
