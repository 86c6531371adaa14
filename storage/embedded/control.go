package embedded

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/btree"

	"zaqar/messaging"
)

// table is one kind of control record. The numbers are part of the format.
type table uint8

const (
	tableContainers    table = 1 // queue key -> number of the queue in the log
	tableQueues        table = 2 // queue key -> metadata
	tableSubscriptions table = 3 // queue key + id -> subscription
	tablePools         table = 4 // name -> pool
	tableFlavors       table = 5 // project key + name -> flavor
	tablePlacements    table = 6 // queue key -> pool
	tableQuotas        table = 7 // project -> limits
	tableCount               = 8
)

// controlPlane keeps control records in memory, in the order of their keys. A
// change shows in the tables at once, marked with the group it is written
// with; who reads it waits for that group, so nothing is told that is not on
// disk.
type controlPlane struct {
	store *Store

	mu      sync.RWMutex
	tables  [tableCount]btree.Map[string, *item]
	queues  map[messaging.QueueRef]*item // the items of tableQueues
	counts  map[scope]int                // existing queues and topics
	sources map[messaging.QueueRef]int   // subscriptions of each, those included that have expired and are still there
	named   map[string]string            // queue key and subscriber -> key of such a subscription; nil during recovery
	last    *group                       // the latest change
}

// scope is where queue names are listed and counted.
type scope struct {
	project messaging.Project
	topics  bool
}

// item is one control record in memory. A nil value is an erased one, kept
// until that is on disk.
type item struct {
	key   string
	value any
	group *group // nil once on disk
	seg   uint32 // where the record is, 0 while on its way
	size  uint32 // bytes it takes there
	olds  []uint32
}

func (c *controlPlane) init(s *Store) {
	c.store = s
	c.queues = make(map[messaging.QueueRef]*item)
	c.counts = make(map[scope]int)
	c.sources = make(map[messaging.QueueRef]int)
}

// staged is an edit with what it does in memory.
type staged struct {
	edit
	now, before *item
	after       func() // called when it is on disk, without any lock; may be nil
}

// put stages a record. The caller holds c.mu.
func (c *controlPlane) put(t table, key string, value any) staged {
	return staged{edit: edit{table: t, key: key, value: encodeControl(value)}, now: &item{key: key, value: value}}
}

// erase stages the removal of a record.
func (c *controlPlane) erase(t table, key string) staged {
	return staged{edit: edit{table: t, key: key, erase: true}, now: &item{key: key}}
}

// get returns the latest value of a record, nil if there is none. The caller
// holds c.mu.
func (c *controlPlane) get(t table, key string) any {
	if it, ok := c.tables[t].Get(key); ok {
		return it.value
	}
	return nil
}

// scan calls f with the latest values whose keys begin with prefix and sort
// behind after, in order, until it says stop. The caller holds c.mu.
func (c *controlPlane) scan(t table, prefix, after string, f func(key string, value any) (more bool)) {
	c.tables[t].Ascend(max(prefix, after), func(key string, it *item) bool {
		if !strings.HasPrefix(key, prefix) {
			return key < prefix
		}
		return key == after || it.value == nil || f(key, it.value)
	})
}

// change runs decide on the latest state and makes the edits it returns, all
// together, durable. Without edits it waits for what decide may have seen.
func (c *controlPlane) change(adds bool, decide func() ([]staged, error)) error {
	if err := c.store.journal.admit(adds); err != nil {
		return err
	}
	for {
		c.mu.Lock()
		edits, err := decide()
		if err != nil || len(edits) == 0 {
			g := c.pending()
			c.mu.Unlock()
			if g == nil || g.wait() == nil {
				return err
			}
			continue // what decide saw has been taken back
		}
		g := c.arriving(edits)
		if g == nil {
			g, err = c.submit(0, edits, nil, nil)
			c.mu.Unlock()
			if err != nil {
				return err
			}
			return g.wait()
		}
		c.mu.Unlock()
		_ = g.wait() // whatever comes of it, the next look shows it
	}
}

// pending returns the group of the latest change if it is not on disk yet. All
// changes before it are on disk when it is. The caller holds c.mu.
func (c *controlPlane) pending() *group {
	if c.last == nil || c.last.ended() {
		return nil
	}
	return c.last
}

// latest returns the group of the latest change.
func (c *controlPlane) latest() *group {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.last
}

// submit writes the edits as one record. number is how many sequence numbers
// prepare needs; it may complete the edits. aborted is called if writing
// failed, after the tables are as before. The caller holds c.mu.
func (c *controlPlane) submit(numbers uint64, edits []staged, prepare func(first uint64), aborted func()) (*group, error) {
	encode := func(b []byte, first uint64) []byte {
		if prepare != nil {
			prepare(first)
		}
		return appendControl(b, plain(edits))
	}
	for i := range edits {
		e := &edits[i]
		e.before, _ = c.tables[e.table].Get(e.key)
		if e.before != nil {
			e.now.olds = e.before.places(c.store)
		}
		if e.erase {
			e.olds = e.now.olds
		}
		c.set(e.table, e.now)
	}
	abort := func() {
		c.mu.Lock()
		for i := len(edits) - 1; i >= 0; i-- {
			c.restore(&edits[i])
		}
		c.mu.Unlock()
		if aborted != nil {
			aborted()
		}
	}
	apply := func(seg *segment, _ uint32) {
		c.mu.Lock()
		for i := range edits {
			c.settle(&edits[i], seg)
		}
		c.mu.Unlock()
		for i := range edits {
			if after := edits[i].after; after != nil {
				after()
			}
		}
	}
	g, err := c.store.journal.submit(numbers, encode, apply, abort)
	if err != nil {
		for i := len(edits) - 1; i >= 0; i-- {
			c.restore(&edits[i])
		}
		return nil, err
	}
	for i := range edits {
		edits[i].now.group = g
	}
	c.last = g
	return g, nil
}

// arriving returns the group that a record to be erased is being written with,
// if any: an erase must name the segment of what it erases. The caller holds
// c.mu.
func (c *controlPlane) arriving(edits []staged) *group {
	for i := range edits {
		if !edits[i].erase {
			continue
		}
		if it, ok := c.tables[edits[i].table].Get(edits[i].key); ok && it.group != nil {
			return it.group
		}
	}
	return nil
}

func plain(edits []staged) []edit {
	out := make([]edit, len(edits))
	for i := range edits {
		out[i] = edits[i].edit
	}
	return out
}

// places lists the segments that hold a put of the item's key.
func (it *item) places(s *Store) []uint32 {
	var out []uint32
	for _, n := range it.olds {
		if s.segment(n) != nil {
			out = append(out, n)
		}
	}
	if it.seg != 0 && !slices.Contains(out, it.seg) {
		out = append(out, it.seg)
	}
	return out
}

// set makes the item the latest of its key.
func (c *controlPlane) set(t table, it *item) {
	before, had := c.tables[t].Set(it.key, it)
	switch t {
	case tableQueues:
		c.countQueue(it, had && before.value != nil)
	case tableSubscriptions:
		if had {
			c.countSubscription(before, -1)
		}
		c.countSubscription(it, 1)
	}
}

func (c *controlPlane) countQueue(it *item, existed bool) {
	ref := decodeQueueKey(it.key)
	in := scope{ref.Project, ref.Topic}
	exists := it.value != nil
	c.queues[ref] = it
	switch {
	case exists && !existed:
		c.counts[in]++
	case !exists && existed:
		c.counts[in]--
		if c.counts[in] == 0 {
			delete(c.counts, in)
		}
	}
}

// restore takes back a staged edit.
func (c *controlPlane) restore(e *staged) {
	before := e.before
	if before == nil {
		before = &item{key: e.key}
	}
	c.set(e.table, before)
	if before.value == nil && before.group == nil {
		c.drop(e.table, before)
	}
}

// drop removes an erased item from the tables.
func (c *controlPlane) drop(t table, it *item) {
	if latest, ok := c.tables[t].Get(it.key); !ok || latest != it {
		return
	}
	c.tables[t].Delete(it.key)
	if t == tableQueues {
		delete(c.queues, decodeQueueKey(it.key))
	}
}

// settle accounts for an edit that is on disk in seg.
func (c *controlPlane) settle(e *staged, seg *segment) {
	it := e.now
	it.group = nil
	if e.before != nil && e.before.seg != 0 {
		if old := c.store.segment(e.before.seg); old != nil {
			old.live.Add(-int64(e.before.size))
		}
	}
	if e.before != nil { // again: some of it was on its way when e was staged
		it.olds = merged(it.olds, e.before.places(c.store))
	}
	if e.erase {
		sh := c.store.share(seg, controlSize(e), len(it.olds))
		for _, n := range it.olds {
			sh.with(n)
		}
		sh.end()
		c.drop(e.table, it)
		return
	}
	it.seg, it.size = seg.number, uint32(controlSize(e))
	seg.live.Add(int64(it.size))
}

// controlSize is about how many bytes an edit takes in the log.
func controlSize(e *staged) int { return padded(frameSize + len(e.key) + len(e.value) + 8) }

// view returns what look finds in the latest state, once that is on disk. look
// may run more than once.
func view[T any](ctx context.Context, c *controlPlane, look func() T) (found T, err error) {
	var none T
	if err := c.store.enter(ctx); err != nil {
		return none, err
	}
	for {
		c.mu.RLock()
		g := c.pending()
		found = look()
		c.mu.RUnlock()
		if g == nil {
			return found, nil
		}
		g.j.nudge() // whoever submitted it may not be waiting
		select {
		case <-g.done:
		case <-ctx.Done():
			return none, messaging.Wrap(messaging.Unavailable, "The request was cancelled.", ctx.Err())
		}
		if g.err == nil {
			return found, nil
		}
	}
}

// replay makes edits that recovery reads from seg, all or none.
func (c *controlPlane) replay(edits []edit, seg *segment) error {
	changes := make([]staged, len(edits))
	for i, e := range edits {
		value, err := decodeControlValue(e)
		if err != nil {
			return fmt.Errorf("control record %q of table %d: %w", e.key, e.table, err)
		}
		if record, ok := c.tables[tableQueues].Get(e.key); ok && e.table == tableContainers {
			e.key = record.key // one text for both
		}
		changes[i] = staged{edit: e, now: &item{key: e.key, value: value, olds: e.olds}}
	}
	for i := range changes {
		e := &changes[i]
		e.before, _ = c.tables[e.table].Get(e.key)
		c.set(e.table, e.now)
		c.settle(e, seg)
	}
	return nil
}
