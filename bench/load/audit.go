package load

import (
	"time"
)

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
