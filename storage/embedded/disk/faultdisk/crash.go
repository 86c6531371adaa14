package faultdisk

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
)

// Loss says how much of what was not synced a Cut takes.
type Loss int

const (
	// KeepAll is the end of the process only. What was not synced is there, and
	// a later cut may still take it.
	KeepAll Loss = iota
	// LoseAll takes everything that was not synced.
	LoseAll
	// Mixed takes part of it, by chance.
	Mixed
)

// Cut describes what a crash leaves.
type Cut struct {
	Loss Loss
	Seed uint64 // of a Mixed outcome
	// Torn lets unsynced writes be cut within a sector.
	Torn bool
	// Garbage lets them come back as other bytes. What they did not touch
	// stays intact.
	Garbage bool
	// Ordered lets unsynced creates, renames and removes survive only together
	// with all before them.
	Ordered bool
}

// CrashAt stops the disk in the middle of the n-th operation of Changes since
// it was made: that one is done wholly, partly or not at all, and it and all
// after it fail with ErrCrashed. Zero stands for never.
func (d *Disk) CrashAt(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt = n
}

// Crashed reports whether the disk has stopped.
func (d *Disk) Crashed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.crashed
}

// stop makes everything fail from now on.
func (d *Disk) stop() {
	if !d.crashed {
		d.crashed = true
		close(d.dead)
	}
}

// Crash stops the disk and returns what is found afterwards: a new Disk of the
// same capacity and with the same damage, without faults, locks and open files.
// Later calls return other outcomes of the same crash.
func (d *Disk) Crash(c Cut) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop()
	found := d.clone()
	if c.Loss != KeepAll {
		found.seed = c.Seed
		found.settle(c)
	}
	return found
}

// Clone returns a Disk in the same state, what is not synced included, without
// faults, locks and open files. It shares memory until one of the two writes.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clone()
}

func (d *Disk) clone() *Disk {
	to := New(Config{Seed: d.seed, Sector: int(d.sector), Capacity: d.capacity})
	to.nodes, to.clock = d.nodes, d.clock
	copies := map[*node]*node{nil: nil}
	to.root = copyNode(d.root, copies)
	for _, m := range d.moves {
		c := &move{at: m.at}
		for _, p := range m.parts {
			c.parts = append(c.parts, part{dir: copyNode(p.dir, copies), name: p.name, old: copyNode(p.old, copies)})
		}
		to.moves = append(to.moves, c)
	}
	to.recount()
	return to
}

// copyNode copies a tree. copies holds what has been copied already.
func copyNode(n *node, copies map[*node]*node) *node {
	if c, ok := copies[n]; ok {
		return c
	}
	c := &node{id: n.id, content: n.content.clone(), changes: slices.Clone(n.changes), broken: slices.Clone(n.broken)}
	copies[n] = c
	if n.isDir() {
		c.entries = make(map[string]*node, len(n.entries))
		for name, child := range n.entries {
			c.entries[name] = copyNode(child, copies)
		}
	}
	return c
}

// recount finds out what has a name and what space that takes.
func (d *Disk) recount() {
	d.used = 0
	var visit func(n *node)
	visit = func(n *node) {
		n.names++
		if n.names > 1 {
			return
		}
		d.used += pageSize * (1 + n.content.used())
		for _, child := range n.entries {
			visit(child)
		}
	}
	visit(d.root)
}

// settle decides about everything that is not synced.
func (d *Disk) settle(c Cut) {
	d.settleMoves(c)
	var visit func(n *node)
	seen := map[*node]bool{}
	visit = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		n.names = 0
		if !n.isDir() {
			rng := rand.New(rand.NewPCG(c.Seed, n.id))
			n.content.settle(n.changes, d.sector, newChance(c, rng, len(n.changes)))
			n.changes = nil
		}
		for _, child := range n.entries {
			visit(child)
		}
	}
	visit(d.root)
	d.recount()
}

// settleMoves undoes those directory changes that are lost, newest first.
func (d *Disk) settleMoves(c Cut) {
	type place struct {
		dir  *node
		name string
	}
	ch := newChance(c, rand.New(rand.NewPCG(c.Seed, 0)), len(d.moves))
	if c.Ordered && ch.style > atMoment {
		ch.style = atMoment
	}
	kept := map[place]bool{}
	for i, m := range slices.Backward(d.moves) {
		keep := ch.keeps(i)
		for _, p := range m.parts {
			keep = keep || kept[place{p.dir, p.name}]
		}
		for _, p := range m.parts {
			switch {
			case keep:
				kept[place{p.dir, p.name}] = true
			case p.old != nil:
				p.dir.entries[p.name] = p.old
			default:
				delete(p.dir.entries, p.name)
			}
		}
	}
	d.moves = nil
}

// The styles in which a part of what is not synced survives.
const (
	none     = iota
	all      // everything
	atMoment // everything up to some moment
	byWrite  // whole writes
	bySector // sectors of writes
	styles
)

// chance decides what survives of a list of changes.
type chance struct {
	rng           *rand.Rand
	style         int
	p             float64
	moment        int // index of the change during which the moment lies
	whole         map[int]bool
	torn, garbage bool
}

func newChance(c Cut, rng *rand.Rand, changes int) *chance {
	ch := &chance{rng: rng, style: none, torn: c.Torn, garbage: c.Garbage}
	if c.Loss == Mixed {
		ch.style = rng.IntN(styles)
		ch.p = []float64{0.1, 0.5, 0.9}[rng.IntN(3)]
		ch.moment = rng.IntN(changes + 1)
		ch.whole = map[int]bool{}
	}
	return ch
}

// keeps decides about change i as a whole, or about one sector of it.
func (ch *chance) keeps(i int) bool {
	switch ch.style {
	case all:
		return true
	case atMoment:
		return i < ch.moment || i == ch.moment && ch.rng.IntN(2) == 0
	case byWrite:
		if _, ok := ch.whole[i]; !ok {
			ch.whole[i] = ch.rng.Float64() < ch.p
		}
		return ch.whole[i]
	case bySector:
		return ch.rng.Float64() < ch.p
	}
	return false
}

// settle undoes what is lost of the changes, newest first, sector by sector:
// a sector shows all changes up to the last one of which it survived.
func (c *content) settle(changes []change, sector int64, ch *chance) {
	size, sizeKept := c.size, false
	kept := map[int64]bool{}
	for i, u := range slices.Backward(changes) {
		if u.sized && !sizeKept {
			if sizeKept = ch.keeps(i); !sizeKept {
				size = u.size
			}
		}
		for lo := u.off; lo < u.off+u.n; {
			s := lo / sector
			hi := min((s+1)*sector, u.off+u.n)
			switch {
			case kept[s]:
			case !u.stuck && (ch.torn || !u.halves(hi, sector)) && ch.keeps(i):
				kept[s] = true
				c.damage(u, lo, hi, ch)
			default:
				c.restore(u.part(lo, hi), lo, hi-lo)
			}
			lo = hi
		}
	}
	c.size = int64(len(c.pages)) * pageSize
	c.resize(size)
}

// halves reports whether the crash ended the change within the sector that
// ends at hi.
func (u change) halves(hi, sector int64) bool {
	return u.short && hi == u.off+u.n && hi%sector != 0
}

// part returns the bytes that undo a part of the change.
func (u change) part(lo, hi int64) []byte {
	if u.old == nil {
		return nil
	}
	return u.old[lo-u.off : hi-u.off]
}

// damage spoils a part of a change that survived.
func (c *content) damage(u change, lo, hi int64, ch *chance) {
	if ch.torn && ch.rng.IntN(4) == 0 {
		at := lo + ch.rng.Int64N(hi-lo)
		c.restore(u.part(at, hi), at, hi-at)
	}
	if ch.garbage && ch.rng.IntN(8) == 0 {
		c.restore(noise(ch.rng, hi-lo), lo, hi-lo)
	}
}

func noise(rng *rand.Rand, n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// synced makes the changes up to the mark durable. What a failed sync dropped
// is durable only where it was written again since.
func (n *node) synced(mark uint64, sector int64) {
	covered, rest := n.split(mark)
	n.changes = nil
	if slices.ContainsFunc(covered, func(u change) bool { return u.stuck }) {
		n.changes = unwritten(covered, sector)
	}
	n.changes = append(n.changes, rest...)
}

// unwritten returns the stuck changes that no later one covers.
func unwritten(changes []change, sector int64) []change {
	written := map[int64]bool{}
	var stuck []change
	for _, u := range slices.Backward(changes) {
		switch {
		case !u.stuck:
			u.eachSector(sector, func(s int64) { written[s] = true })
		case !written[u.off/sector]:
			stuck = append(stuck, u)
		}
	}
	slices.Reverse(stuck)
	return stuck
}

func (u change) eachSector(sector int64, do func(int64)) {
	for s := u.off / sector; s*sector < u.off+u.n; s++ {
		do(s)
	}
}

// dropped is what a failed sync leaves: of the changes up to the mark some
// sectors are durable; the others are never written, as the cache takes all of
// them for clean. Sizes stay unsynced.
func (n *node) dropped(mark uint64, sector int64, rng *rand.Rand) {
	covered, rest := n.split(mark)
	before := n.content.clone()
	for _, u := range slices.Backward(rest) {
		before.restore(u.old, u.off, u.n)
	}
	after := before.clone()
	after.settle(covered, sector, newChance(Cut{Loss: Mixed}, rng, len(covered)))

	touched := map[int64]bool{}
	var left []change
	for _, u := range covered {
		u.eachSector(sector, func(s int64) { touched[s] = true })
		if u.sized {
			left = append(left, change{at: u.at, size: u.size, sized: true})
		}
	}
	was, is := make([]byte, sector), make([]byte, sector)
	for _, s := range slices.Sorted(maps.Keys(touched)) {
		before.copyOut(was, s*sector)
		after.copyOut(is, s*sector)
		if !bytes.Equal(was, is) {
			left = append(left, change{at: mark, off: s * sector, n: sector, old: bytes.Clone(is), stuck: true})
		}
	}
	n.changes = append(left, rest...)
}

// split parts the changes into those up to the mark and the others.
func (n *node) split(mark uint64) (covered, rest []change) {
	i := len(n.changes)
	for i > 0 && n.changes[i-1].at > mark {
		i--
	}
	return n.changes[:i], slices.Clone(n.changes[i:])
}
