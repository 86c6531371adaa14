package faultdisk

import (
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"sync"

	"zaqar/storage/embedded/disk"
)

// ErrCrashed is in every error of a Disk that has crashed, and of its files.
var ErrCrashed = errors.New("the disk has crashed")

// Config describes a Disk. The zero value is a good one.
type Config struct {
	Seed     uint64 // of what happens to the operation at which CrashAt stops, and to failed syncs
	Sector   int    // bytes that a power cut treats alike, a divisor of 4096; default 512
	Capacity int64  // bytes, as for SetCapacity; 0: unlimited
}

// Disk is a disk.FS in memory, without anything but the root directory at
// first. Names are paths from there, with or without a leading slash.
type Disk struct {
	seed   uint64
	sector int64
	dead   chan struct{} // closed by stop

	mu       sync.Mutex
	crashed  bool
	crashAt  int64
	ending   bool // the crash is ending a write early
	root     *node
	nodes    uint64  // ids given out
	clock    uint64  // numbers changes and moves
	moves    []*move // changes of directories that are not synced, oldest first
	capacity int64   // 0: unlimited
	used     int64   // bytes of all files that have a name or are open
	rules    []*Rule
	stats    Stats
}

var _ disk.FS = (*Disk)(nil)

// node is a file or a directory.
type node struct {
	id      uint64
	names   int
	handles int

	entries map[string]*node // of a directory; nil for a file

	content content  // of a file
	changes []change // of a file, not synced, oldest first
	broken  []span   // of a file: unreadable ranges
	locked  bool
}

func (n *node) isDir() bool { return n.entries != nil }

// change is one write, truncation or allocation that has not been synced: what
// to put back to undo it.
type change struct {
	at     uint64
	off, n int64
	old    []byte // nil: zeros
	size   int64  // before it
	sized  bool   // it changed the size
	stuck  bool   // it was dropped by a failed sync: old is what the disk has
	short  bool   // the crash ended it early, perhaps within a sector
}

// move is one change of directories that has not been synced.
type move struct {
	at    uint64
	parts []part
}

// part is a name that got another meaning: what to put back to undo that.
type part struct {
	dir  *node
	name string
	old  *node // nil: the name was free
}

type span struct{ off, n int64 }

// New returns an empty Disk.
func New(c Config) *Disk {
	d := &Disk{seed: c.Seed, sector: int64(c.Sector), capacity: c.Capacity, dead: make(chan struct{})}
	if d.sector == 0 {
		d.sector = 512
	}
	if d.sector < 0 || pageSize%d.sector != 0 {
		panic("faultdisk: the sector size does not divide 4096")
	}
	d.root = d.newNode()
	d.root.entries = map[string]*node{}
	d.root.names = 1
	return d
}

// newNode accounts for a file or directory, which takes a page.
func (d *Disk) newNode() *node {
	d.nodes++
	d.used += pageSize
	return &node{id: d.nodes, content: content{own: new(owner)}}
}

// dice returns the source of chance for one purpose.
func (d *Disk) dice(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(d.seed, purpose)) }

// SetCapacity sets the size of the disk in bytes; 0 is unlimited. Space is taken
// in blocks of 4096 bytes, one of them by each file and directory as such.
func (d *Disk) SetCapacity(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = n
}

// Used returns how many bytes of the capacity are taken.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used
}

// room returns how many more pages fit.
func (d *Disk) room() int64 {
	if d.capacity == 0 {
		return unlimited / pageSize
	}
	return max(0, (d.capacity-d.used)/pageSize)
}

const unlimited = 1 << 50

// forget gives back the space of a node that nothing refers to.
func (d *Disk) forget(n *node) {
	if n.names == 0 && n.handles == 0 {
		d.used -= pageSize * (1 + n.content.used())
	}
}

// split returns the components of a path from the root.
func split(name string) []string {
	name = path.Clean("/" + name)
	if name == "/" {
		return nil
	}
	return strings.Split(name[1:], "/")
}
