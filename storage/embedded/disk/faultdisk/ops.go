package faultdisk

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"path"
	"slices"
	"strings"
	"syscall"

	"zaqar/storage/embedded/disk"
)

// Kind is a kind of operation, or several of them combined with |.
type Kind uint16

// The kinds of operations. Those of Changes alter the disk; CrashAt and Changes
// count them.
const (
	Write Kind = 1 << iota
	Sync
	Truncate
	Allocate
	Create
	Rename
	Remove
	SyncDir
	MkdirAll
	Lock
	Read
	Open
	List
	Free

	Any     = Free<<1 - 1
	Changes = Read - 1
)

var kindNames = [...]string{"write", "sync", "truncate", "allocate", "create", "rename", "remove",
	"syncdir", "mkdirall", "lock", "read", "open", "list", "free"}

// String returns the names of the kinds.
func (k Kind) String() string {
	var names []string
	for ; k != 0; k &= k - 1 {
		names = append(names, kindNames[bits.TrailingZeros16(uint16(k))])
	}
	return strings.Join(names, "|")
}

// Op is one operation.
type Op struct {
	Kind   Kind
	Name   string // the path as given, for a file the one it was opened with
	To     string // the new path of a Rename
	Off, N int64  // the range of a Read, Write or Allocate; N is the size of a Truncate
}

// Stats counts what a Disk has done since it was made.
type Stats struct {
	counts       [len(kindNames)]int64
	BytesWritten int64 // by WriteAt
	BytesRead    int64 // by ReadAt
}

// Count returns the number of operations of the kinds, failed ones included.
func (s Stats) Count(k Kind) int64 {
	var n int64
	for i, c := range s.counts {
		if k&(1<<i) != 0 {
			n += c
		}
	}
	return n
}

// Stats returns the counters.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

// Changes returns how many operations that alter the disk were called.
func (d *Disk) Changes() int64 { return d.Stats().Count(Changes) }

// Fault says which operations go wrong, and how.
type Fault struct {
	Kind  Kind          // required
	Name  string        // pattern of path.Match for the last element of the path; empty: all
	When  func(Op) bool // nil: all; called without locks, concurrently
	Skip  int           // lets this many matching operations pass
	Times int           // then applies to this many; 0: all

	// Gate, if not nil, holds the operation until it is opened.
	Gate *Gate
	// Err, if not nil, is what the operation returns instead of being done.
	Err error
	// Short is how many bytes a Write with Err writes nevertheless.
	Short int
	// Lie makes the operation, one that returns only an error or a Write, report
	// success without being done.
	Lie bool
}

// Rule is a Fault in force.
type Rule struct {
	d    *Disk
	f    Fault
	seen int
	hits int
}

// Inject puts a fault in force. The oldest fault that applies to an operation
// decides. A Fault with neither Gate, Err nor Lie shields from younger ones.
func (d *Disk) Inject(f Fault) *Rule {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &Rule{d: d, f: f}
	d.rules = append(slices.Clip(d.rules), r)
	return r
}

// Hits returns how many operations the fault was applied to.
func (r *Rule) Hits() int {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	return r.hits
}

// Clear ends the fault. Operations held at its gate stay held.
func (r *Rule) Clear() {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.rules = slices.DeleteFunc(slices.Clone(r.d.rules), func(o *Rule) bool { return o == r })
}

// matches is called without locks.
func (r *Rule) matches(op Op) bool {
	if r.f.Kind&op.Kind == 0 {
		return false
	}
	if r.f.Name != "" {
		if ok, err := path.Match(r.f.Name, path.Base(op.Name)); err != nil || !ok {
			return false
		}
	}
	return r.f.When == nil || r.f.When(op)
}

// applies counts a match and reports whether it is one of those to act on.
func (r *Rule) applies() bool {
	r.seen++
	if r.seen <= r.f.Skip || r.f.Times > 0 && r.hits >= r.f.Times {
		return false
	}
	r.hits++
	return true
}

// Gate holds operations until it is opened.
type Gate struct {
	arrived chan struct{}
	open    chan struct{}
}

// NewGate returns a closed gate.
func NewGate() *Gate {
	return &Gate{arrived: make(chan struct{}, 1<<16), open: make(chan struct{})}
}

// Arrived yields a value for each operation that comes to the gate.
func (g *Gate) Arrived() <-chan struct{} { return g.arrived }

// Open lets everything through from now on. It must be called once at most.
func (g *Gate) Open() { close(g.open) }

// do runs an operation: all does it, under d.mu. broken, which may be nil, is
// what a fault makes of it: the first short bytes of a Write, or nothing.
func (d *Disk) do(op Op, all func() error, broken func(short int)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return failure(op, ErrCrashed)
	}
	d.stats.counts[bits.TrailingZeros16(uint16(op.Kind))]++
	if d.crashAt > 0 && op.Kind&Changes != 0 && d.stats.Count(Changes) >= d.crashAt {
		d.crashIn(op, all, broken)
		return failure(op, ErrCrashed)
	}
	f := d.match(op)
	d.pass(f.Gate)
	switch {
	case d.crashed:
		return failure(op, ErrCrashed)
	case f.Err != nil:
		if broken != nil {
			broken(f.Short)
		}
		return failure(op, f.Err)
	case f.Lie:
		return nil
	}
	if err := all(); err != nil {
		return failure(op, err)
	}
	return nil
}

// crashIn stops the disk in the middle of an operation. One that a fault lies
// about is not done then either.
func (d *Disk) crashIn(op Op, all func() error, broken func(int)) {
	rng := d.dice(uint64(d.crashAt))
	switch lie := d.match(op).Lie; {
	case d.crashed: // meanwhile, in another operation
	case lie:
	case op.Kind == Write:
		n := rng.IntN(int(op.N) + 1)
		d.ending = n < int(op.N)
		broken(n)
	case rng.IntN(2) == 0:
		_ = all()
	}
	d.stop()
}

// pass waits at the gate, without d.mu.
func (d *Disk) pass(g *Gate) {
	if g == nil {
		return
	}
	d.mu.Unlock()
	defer d.mu.Lock()
	select {
	case g.arrived <- struct{}{}:
	default:
	}
	select {
	case <-g.open:
	case <-d.dead:
	}
}

// match returns the fault for the operation. It releases d.mu meanwhile if
// there are rules, as their predicates are the test's.
func (d *Disk) match(op Op) Fault {
	if len(d.rules) == 0 {
		return Fault{}
	}
	rules := d.rules
	d.mu.Unlock()
	var hit []*Rule
	for _, r := range rules {
		if r.matches(op) {
			hit = append(hit, r)
		}
	}
	d.mu.Lock()
	for _, r := range hit {
		if r.applies() {
			return r.f
		}
	}
	return Fault{}
}

// failure is the error of an operation, in the form of package os.
func failure(op Op, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: %w", disk.ErrFull, err)
	}
	return &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: err}
}
