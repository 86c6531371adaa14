package embedded

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/internal/histogram"
	"zaqar/messaging"
	"zaqar/storage/embedded/disk"
)

// journal is the write side of the log: it gathers what callers want written
// into groups, which are written one after the other, each with one sync.
//
//	submit -> group being gathered -> write, sync -> apply in order -> wake all
//
// Who waits first writes for all, if nobody is writing; what gathers meanwhile
// is written by the journal's own goroutine. So a lone caller is not handed from
// one goroutine to another and back, which costs as much as half a sync.
//
// A caller decides what to write under the lock of what it changes, submits
// while it still holds that lock, and waits after letting go. So the order in
// the log is the order of decisions. What was submitted changes memory in
// apply, after it is on disk; if the write fails abort takes back what the
// caller had marked.
type journal struct {
	fs      disk.FS
	dir     string
	segSize int64
	newSalt func() uint32
	adopt   func(*segment) // a segment is about to be written to
	onSeal  func(*segment) // a segment is full, and all in it applied
	onSpare func()         // the spare segment was taken
	now     func() time.Time

	wake chan struct{} // capacity 1: there is something to write that nobody else will
	done chan struct{} // closed when the journal's goroutine has ended

	mu        sync.Mutex
	next      uint64 // next sequence number
	gathering *group
	refusal   error // not nil: submit refuses with it
	closing   bool
	space     sync.Cond // on mu: signalled when a group is taken
	turns     turns

	full atomic.Bool // refuse what adds data

	writing sync.Mutex // held by who writes; guards the next six
	active  *segment
	ahead   int64      // up to here the active segment was written, if only with zeros
	usual   int        // size of groups of late, bytes
	filled  []*segment // full, but nothing behind them is on disk yet
	free    []byte     // the buffer of the group before, for the one that begins
	freeOps []submission

	sparemu sync.Mutex // held while a segment is made: they are used in the order of their numbers
	spare   *segment
	number  uint32 // highest segment number in use or spare

	bytes   atomic.Int64         // since start
	batches *histogram.Histogram // operations in a commit
	syncs   *histogram.Histogram // ns that a sync took
}

// Before more than gatherLimit bytes wait for the writer admit blocks. What
// was admitted together may be more, but with more than gatherMost an offset
// in a segment might not fit 32 bits.
const (
	gatherLimit = 16 << 20
	gatherMost  = 1 << 30
)

// group is what one sync makes durable.
type group struct {
	j    *journal
	buf  []byte // begins with room for the commit record
	ops  []submission
	next uint64 // next sequence number when the group was closed
	done chan struct{}
	err  error // valid after done is closed
}

// submission is one caller's part of a group.
type submission struct {
	at    uint32                           // offset of its first record in the group
	apply func(seg *segment, first uint32) // first: offset of its first record in the segment
	abort func()                           // may be nil
}

// newGroup begins a group in memory that nobody uses any more, if there is such.
func (j *journal) newGroup(buf []byte, ops []submission) *group {
	if buf == nil {
		buf = make([]byte, 0, 64<<10)
	}
	return &group{j: j, buf: append(buf[:0], make([]byte, commitSize)...), ops: ops, done: make(chan struct{})}
}

// wait returns when the group is on disk and applied, or has failed. Callers
// hold no lock that applying takes.
func (g *group) wait() error {
	if !g.ended() && g.j.writing.TryLock() {
		g.j.writeNext()
	}
	<-g.done
	return g.err
}

// ended reports whether wait would return at once.
func (g *group) ended() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

// errFull is what calls get that would add data to a full disk.
func errFull() error {
	return messaging.E(messaging.Unavailable, "The store is full: there is no room on its disk for new data.")
}

func errClosed() error { return messaging.E(messaging.Unavailable, "The store is closed.") }

func errFailed(cause error) error {
	return messaging.Wrap(messaging.Unavailable, "The store stopped writing after a disk error; it needs a restart.", cause)
}

// admit blocks while too much waits to be written, and refuses what adds data
// to a full store. Callers hold no lock.
func (j *journal) admit(adds bool) error {
	if adds && j.full.Load() {
		return cmp.Or(j.failed(), errFull())
	}
	j.mu.Lock()
	for len(j.gathering.buf) > gatherLimit && j.refusal == nil {
		j.space.Wait()
	}
	err := j.refusal
	j.mu.Unlock()
	return err
}

// submit takes numbers sequence numbers and adds what encode appends to the
// group. apply is called in the order of submission once the group is on disk;
// abort instead if that failed. It is written when somebody waits for it, or for
// what was submitted later.
func (j *journal) submit(numbers uint64, encode func(b []byte, first uint64) []byte,
	apply func(seg *segment, first uint32), abort func()) (*group, error) {
	j.mu.Lock()
	if j.refusal != nil {
		err := j.refusal
		j.mu.Unlock()
		return nil, err
	}
	g := j.gathering
	if len(g.buf) > gatherMost {
		j.mu.Unlock()
		return nil, messaging.E(messaging.Unavailable, "The store cannot write as fast as data comes in.")
	}
	first := j.next
	j.next += numbers
	at := uint32(len(g.buf))
	g.buf = encode(g.buf, first)
	g.ops = append(g.ops, submission{at: at, apply: apply, abort: abort})
	j.mu.Unlock()
	return g, nil
}

// barrier returns a group whose wait ends when everything submitted so far is
// on disk.
func (j *journal) barrier() (*group, error) {
	return j.submit(0, func(b []byte, _ uint64) []byte { return b }, func(*segment, uint32) {}, nil)
}

func (j *journal) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// run writes groups for those who wait behind others, until close.
func (j *journal) run() {
	defer close(j.done)
	for range j.wake {
		j.writing.Lock()
		if closing := j.writeNext(); closing {
			return
		}
	}
}

// writeNext writes what has been gathered. The caller holds j.writing; it is
// free when the call returns. A panic ends the process even where the caller's
// would be recovered: memory would no longer be what the log says.
func (j *journal) writeNext() (closing bool) {
	defer func() {
		if p := recover(); p != nil {
			stack := debug.Stack()
			go func() { panic(fmt.Sprintf("%v\n\nwhile writing the log:\n%s", p, stack)) }()
			select {}
		}
	}()
	g, closing := j.take()
	if len(g.ops) > 0 {
		j.commit(g)
	}
	j.keep(g)
	j.mu.Lock()
	j.turns.resume(j.now)
	j.mu.Unlock()
	j.writing.Unlock()
	// Who came before that found it locked, and waits for somebody to write.
	j.mu.Lock()
	more := len(j.gathering.ops) > 0
	j.mu.Unlock()
	if more {
		j.nudge()
	}
	return closing
}

// keep has the memory of a group that was written used again, and takes it from
// the group, which others may know for long: see controlPlane.last.
func (j *journal) keep(g *group) {
	j.free, j.freeOps = nil, nil
	if cap(g.buf) <= 4<<20 {
		j.free = g.buf
	}
	if cap(g.ops) <= 1<<10 {
		clear(g.ops)
		j.freeOps = g.ops[:0]
	}
	g.buf, g.ops = nil, nil
}

// take closes the group being gathered and starts the next. It first yields
// for as long as that makes the group grow: callers just woken by the last
// commit get in, and a sync serves more of them. Not if posts wait for the group
// behind this one: it is large enough.
func (j *journal) take() (*group, bool) {
	before, idle := 0, 0
	for range mostYields {
		if idle == idleYields {
			break
		}
		j.mu.Lock()
		n, full := len(j.gathering.ops), len(j.turns.lines) > 0
		j.mu.Unlock()
		if full {
			break
		}
		if n > before {
			before, idle = n, 0
		} else {
			idle++
		}
		runtime.Gosched()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	g := j.gathering
	g.next = j.next
	j.gathering = j.newGroup(j.free, j.freeOps)
	j.space.Broadcast()
	if j.closing {
		j.turns.release()
	} else {
		j.turns.next(j.now())
	}
	return g, j.closing
}

// idleYields is after how many yields that brought nobody the writer goes
// ahead, and after how many it does in any case. A yield costs nothing when
// nobody else wants to run.
const (
	idleYields = 4
	mostYields = 64
)

// close refuses new submissions, writes what is waiting and ends the writer.
func (j *journal) close() {
	j.mu.Lock()
	j.closing = true
	if j.refusal == nil {
		j.refusal = errClosed()
	}
	j.mu.Unlock()
	j.nudge()
	<-j.done
}

// reserveNumber takes a sequence number.
func (j *journal) reserveNumber() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.next++
	return j.next - 1
}

// horizon returns the smallest sequence number not given out.
func (j *journal) horizon() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next
}

// failed returns the error that ended writing, or nil.
func (j *journal) failed() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.refusal
}
