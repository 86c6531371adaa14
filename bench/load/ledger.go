package load

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Ledger is what happened to the messages of one or more queues, as the server
// answered: a Log for each connection, compared at the end. The zero value is
// an empty ledger without times.
type Ledger struct {
	// Timed keeps when messages were posted and received, so that Audit can
	// tell how long they took. It is set before the first Log is made.
	Timed bool

	mu    sync.Mutex
	epoch time.Time // times are kept as what went by since
	logs  []*Log
}

// Log is what one connection was answered, in order. It is used by one
// goroutine at a time, and not any more when the ledger is audited.
//
// Queues are numbers that the caller chooses; where ids are alike in two
// queues they are different messages.
type Log struct {
	// Complete says that the messages listed are to be all there are.
	Complete bool

	posted, claimed, listed, deleted idList
	timed                            bool
	epoch                            time.Time
	now                              time.Duration
	postedAt, claimedAt, listedAt    []time.Duration // one for each key, if timed
}

// Log adds a log to the ledger.
func (l *Ledger) Log() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch.IsZero() {
		l.epoch = time.Now()
	}
	g := &Log{timed: l.Timed, epoch: l.epoch}
	l.logs = append(l.logs, g)
	return g
}

// At sets the time of what is entered from now on: for posts that is when the
// request was due, for the rest when the answer had come.
func (g *Log) At(t time.Time) { g.now = t.Sub(g.epoch) }

// Posted enters a message that the server has accepted.
func (g *Log) Posted(queue int, id []byte) {
	g.posted = g.posted.add(queue, id)
	if g.timed {
		g.postedAt = append(g.postedAt, g.now)
	}
}

// Claimed enters a message that the server has handed out in a claim.
func (g *Log) Claimed(queue int, id []byte) {
	g.claimed = g.claimed.add(queue, id)
	if g.timed {
		g.claimedAt = append(g.claimedAt, g.now)
	}
}

// Listed enters a message of a list whose pages follow each other.
func (g *Log) Listed(queue int, id []byte) {
	g.listed = g.listed.add(queue, id)
	if g.timed {
		g.listedAt = append(g.listedAt, g.now)
	}
}

// Deleted enters a message whose deletion the server has confirmed.
func (g *Log) Deleted(queue int, id []byte) { g.deleted = g.deleted.add(queue, id) }

// Account is the result of an audit.
type Account struct {
	Posted, Claimed, Deleted int
	Left                     int // what the server has at the end
	Findings                 Findings
	// Delivery is how long messages took from Posted to Claimed or Listed, if
	// the ledger is timed.
	Delivery Histogram
}

// Audit compares all logs with each other and with what the server lists at
// the end, which is given as the Listed of a Log of its own (not one of the
// ledger's). Of Delivery only messages posted in [from, to) count. The error
// is that of the findings.
//
// A message is lost if it was posted and not deleted, and is not left either;
// a duplicate if its id was given out for two posts, or it was claimed twice,
// or listed twice by one connection or at the end; a phantom if nobody posted
// it. It is back if it is left after its deletion. Of the messages that one
// connection has posted to a queue, each other connection must receive the
// earlier before the later; else they are out of order.
func (l *Ledger) Audit(left *Log, from, to time.Time) (*Account, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &audit{logs: l.logs, index: make(map[string]int32), from: from.Sub(l.epoch), to: to.Sub(l.epoch)}
	a.posts()
	for _, g := range l.logs {
		a.claims(g)
		a.lists(g)
	}
	for _, g := range l.logs {
		a.deletes(g)
	}
	a.left(left)
	return &a.account, a.account.Findings.Err()
}

// audit is one comparison under way.
type audit struct {
	logs     []*Log
	index    map[string]int32 // by key: where in fates
	fates    []fate
	keys     []string // as fates
	from, to time.Duration
	account  Account
}

// fate is what is known of one message.
type fate struct {
	log, place                int32 // whose post it was, and which
	queue                     int32
	claimed, deleted, present bool
}

func (a *audit) posts() {
	for i, g := range a.logs {
		place := int32(0)
		for key := range g.posted.all() {
			if _, known := a.index[key]; known {
				a.account.Findings.Duplicate.add(key)
			} else {
				a.index[key] = int32(len(a.fates))
				a.fates = append(a.fates, fate{log: int32(i), place: place, queue: queueOf(key)})
				a.keys = append(a.keys, key)
			}
			place++
		}
	}
	a.account.Posted = len(a.fates)
}

// stream is what one connection receives, one message after the other.
type stream struct {
	*audit
	reached map[[2]int32]int32 // by log and queue: the place after the last one
}

func (a *audit) stream() *stream {
	return &stream{audit: a, reached: make(map[[2]int32]int32)}
}

// find looks a message up; it is nil, and a finding, if nobody posted it.
func (s *stream) find(key string) (*fate, int32) {
	i, known := s.index[key]
	if !known {
		s.account.Findings.Phantom.add(key)
		return nil, 0
	}
	f := &s.fates[i]
	return f, i
}

// inOrder reports whether nothing that was posted later came before.
func (s *stream) inOrder(f *fate) bool {
	from := [2]int32{f.log, f.queue}
	reached := s.reached[from]
	s.reached[from] = max(reached, f.place+1)
	return f.place >= reached
}

func (a *audit) claims(g *Log) {
	s := a.stream()
	n := 0
	for key := range g.claimed.all() {
		f, _ := s.find(key)
		switch {
		case f == nil:
		case f.claimed:
			a.account.Findings.ClaimedTwice.add(key)
		case !s.inOrder(f):
			a.account.Findings.OutOfOrder.add(key)
		}
		if f != nil {
			f.claimed = true
			a.delivered(f, g.claimedAt, n)
		}
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
		f, i := s.find(key)
		switch {
		case f == nil:
		case seen[i]:
			a.account.Findings.Duplicate.add(key)
		case !s.inOrder(f):
			a.account.Findings.OutOfOrder.add(key)
		}
		if f != nil {
			seen[i] = true
			a.delivered(f, g.listedAt, n)
		}
		n++
	}
	if !g.Complete {
		return
	}
	for i, was := range seen {
		if !was {
			a.account.Findings.Missed.add(a.keys[i])
		}
	}
}

// delivered measures how long the nth message that a log received took.
func (a *audit) delivered(f *fate, received []time.Duration, n int) {
	posted := a.logs[f.log].postedAt
	if n >= len(received) || int(f.place) >= len(posted) {
		return
	}
	if at := posted[f.place]; at >= a.from && at < a.to {
		a.account.Delivery.Record(received[n] - at)
	}
}

func (a *audit) deletes(g *Log) {
	for key := range g.deleted.all() {
		i, known := a.index[key]
		switch {
		case !known:
			a.account.Findings.Phantom.add(key)
		case a.fates[i].deleted:
			a.account.Findings.DeletedTwice.add(key)
		default:
			a.fates[i].deleted = true
		}
		a.account.Deleted++
	}
}

// left compares with what the server has at the end.
func (a *audit) left(g *Log) {
	s := a.stream()
	for key := range g.listed.all() {
		a.account.Left++
		f, _ := s.find(key)
		switch {
		case f == nil:
			continue
		case f.present:
			a.account.Findings.Duplicate.add(key)
		case f.deleted:
			a.account.Findings.Undead.add(key)
		case !s.inOrder(f):
			a.account.Findings.OutOfOrder.add(key)
		}
		f.present = true
	}
	for i := range a.fates {
		if f := &a.fates[i]; !f.present && !f.deleted {
			a.account.Findings.Lost.add(a.keys[i])
		}
	}
}

// Findings are what an audit found wrong, by kind.
type Findings struct {
	Lost         Finding `json:"lost,omitzero"`
	Missed       Finding `json:"missed,omitzero"` // by a connection that was to list all
	Duplicate    Finding `json:"duplicate,omitzero"`
	Phantom      Finding `json:"phantom,omitzero"`
	ClaimedTwice Finding `json:"claimed_twice,omitzero"`
	DeletedTwice Finding `json:"deleted_twice,omitzero"`
	Undead       Finding `json:"undead,omitzero"`
	OutOfOrder   Finding `json:"out_of_order,omitzero"`
}

// Finding is how many messages something is wrong with, and some of them.
type Finding struct {
	Count int      `json:"count"`
	IDs   []string `json:"ids"` // no more than maxIDs; of queues but 0 with their number before
}

// maxIDs is how many ids a finding names.
const maxIDs = 5

func (f *Finding) add(key string) {
	if len(f.IDs) < maxIDs {
		f.IDs = append(f.IDs, strings.Clone(key))
	}
	f.Count++
}

func (f *Finding) merge(other Finding) {
	f.Count += other.Count
	f.IDs = append(slices.Clip(f.IDs), other.IDs[:min(len(other.IDs), maxIDs-len(f.IDs))]...)
}

// kind is a kind of finding with its description.
type kind struct {
	what string
	*Finding
}

func (f *Findings) kinds() []kind {
	return []kind{
		{"lost", &f.Lost}, {"missed by a reader", &f.Missed}, {"duplicate", &f.Duplicate}, {"never posted", &f.Phantom},
		{"claimed twice", &f.ClaimedTwice}, {"deleted twice", &f.DeletedTwice},
		{"back after deletion", &f.Undead}, {"out of order", &f.OutOfOrder},
	}
}

// Merge adds those of another audit.
func (f *Findings) Merge(other *Findings) {
	from := other.kinds()
	for i, k := range f.kinds() {
		k.merge(*from[i].Finding)
	}
}

// ErrFindings is wrapped by every error of findings.
var ErrFindings = errors.New("messages are not accounted for")

// Err returns nil if nothing is wrong; else it says what, and of which ids.
func (f *Findings) Err() error {
	var all []string
	for _, k := range f.kinds() {
		if k.Count > 0 {
			more := ""
			if k.Count > len(k.IDs) {
				more = ", …"
			}
			all = append(all, fmt.Sprintf("%d %s (%s%s)", k.Count, k.what, strings.Join(k.IDs, ", "), more))
		}
	}
	if all == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrFindings, strings.Join(all, "; "))
}
