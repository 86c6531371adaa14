package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// fate is what the clients know of a message.
type fate struct {
	queue  messaging.QueueRef
	body   string
	holder messaging.ClaimID // under a claim that nobody has begun to give up
	going  bool              // a delete or purge has begun
	gone   bool              // and has ended
	moving bool              // a move has begun: it is in queue or in target
	target messaging.QueueRef
}

type crowd struct {
	store  *Store
	mu     sync.Mutex
	fates  map[messaging.MessageID]*fate
	popped int // messages that pops may have taken which a crash left without an answer
	wrong  error

	patient bool // goes on after failures
}

func (c *crowd) complain(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrong == nil {
		c.wrong = fmt.Errorf(format, args...)
	}
}

// use does something with a claim. Unless it is renewed, that is the end of it.
func (c *crowd) use(rng *rand.Rand, q messaging.QueueRef, id messaging.ClaimID, ids []messaging.MessageID) (renewed bool, err error) {
	switch n := rng.IntN(8); {
	case n < 4:
		return false, c.remove(q, id, ids)
	case n < 5:
		return false, c.release(q, id, ids)
	case n < 6:
		return false, c.move(q, id, ids, boxes[rng.IntN(2)])
	}
	return true, c.store.Renew(context.Background(), q, id, storage.Terms{TTL: 500})
}

// client works until its budget is used up or the store fails.
func (c *crowd) client(rng *rand.Rand, budget int) {
	held := map[messaging.ClaimID][]messaging.MessageID{}
	from := map[messaging.ClaimID]messaging.QueueRef{}
	for range budget {
		q := boxes[rng.IntN(2)]
		var err error
		switch n := rng.IntN(20); {
		case n < 6 || len(held) == 0 && n >= 12:
			err = c.post(q, 1+rng.IntN(3), []int{5, 60, 700}[rng.IntN(3)])
		case n < 10:
			var id messaging.ClaimID
			var ids []messaging.MessageID
			if id, ids, err = c.claim(q, 1+rng.IntN(4)); id != "" {
				held[id], from[id] = ids, q
			}
		case n < 12:
			err = c.pop(q, 1+rng.IntN(2))
		default:
			id := pickKey(held)
			var renewed bool
			if renewed, err = c.use(rng, from[id], id, held[id]); renewed {
				if errors.Is(err, messaging.NotFound) {
					c.complain("live claim %s cannot be renewed", id)
				}
				continue
			}
			delete(held, id)
			// What the claim still holds is given up with it.
			if rerr := c.release(from[id], id, nil); err == nil {
				err = rerr
			}
		}
		if err != nil && !c.patient {
			return
		}
	}
}

// pickKey returns the smallest key: a map's order would not repeat.
func pickKey(m map[messaging.ClaimID][]messaging.MessageID) (first messaging.ClaimID) {
	for id := range m {
		if first == "" || id < first {
			first = id
		}
	}
	return first
}

func (c *crowd) post(q messaging.QueueRef, n, size int) error {
	drafts := make([]messaging.Draft, n)
	for i := range drafts {
		drafts[i] = messaging.Draft{TTL: forever, Body: fmt.Appendf(nil, `"%0*d"`, size, i)}
	}
	put, err := c.store.Append(context.Background(), q, clients[0], drafts, storage.AppendOptions{})
	ids := put.IDs
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, id := range ids {
		c.fate(id, q).body = string(drafts[i].Body) // somebody may know the rest already
	}
	return err
}

// fate returns what is known of a message, perhaps nothing yet. The caller
// holds c.mu.
func (c *crowd) fate(id messaging.MessageID, q messaging.QueueRef) *fate {
	f := c.fates[id]
	if f == nil {
		f = &fate{queue: q}
		c.fates[id] = f
	}
	return f
}

func (c *crowd) claim(q messaging.QueueRef, n int) (messaging.ClaimID, []messaging.MessageID, error) {
	got, err := c.store.Claim(context.Background(), q, storage.Terms{TTL: 500, Grace: 10, Limit: n})
	var ids []messaging.MessageID
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range got.Messages {
		m := &got.Messages[i]
		f := c.fate(m.ID, q)
		if f.holder != "" || f.gone {
			c.wrong = errors.Join(c.wrong, fmt.Errorf("claim %s got %s, which %q has (deleted: %v)", got.Claim.ID, m.ID, f.holder, f.gone))
		}
		if f.body != "" && f.body != string(m.Body) {
			c.wrong = errors.Join(c.wrong, fmt.Errorf("%s has another body", m.ID))
		}
		f.holder, f.queue, f.moving = got.Claim.ID, q, false
		ids = append(ids, m.ID)
	}
	return got.Claim.ID, ids, err
}

// giveUp notes that an operation is about to end the hold on the messages.
func (c *crowd) giveUp(ids []messaging.MessageID, change func(*fate)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		f := c.fates[id]
		f.holder = ""
		change(f)
	}
}

func (c *crowd) remove(q messaging.QueueRef, id messaging.ClaimID, ids []messaging.MessageID) error {
	c.giveUp(ids, func(f *fate) { f.going = true })
	err := c.store.Remove(context.Background(), q, ids, storage.Hold{By: []messaging.ClaimID{id}})
	if err != nil && !errors.Is(err, messaging.Unavailable) {
		c.complain("delete under claim %s: %v", id, err)
	}
	if err == nil {
		c.giveUp(ids, func(f *fate) { f.gone = true })
	}
	return err
}

func (c *crowd) release(q messaging.QueueRef, id messaging.ClaimID, ids []messaging.MessageID) error {
	c.giveUp(ids, func(*fate) {})
	_, err := c.store.Release(context.Background(), q, id)
	return err
}

func (c *crowd) move(q messaging.QueueRef, id messaging.ClaimID, ids []messaging.MessageID, to messaging.QueueRef) error {
	c.giveUp(ids, func(f *fate) { f.moving, f.target = true, to })
	n, err := c.store.Move(context.Background(), q, ids, id, to, 0)
	if err == nil && n != len(ids) {
		c.complain("%d of %d messages of claim %s moved", n, len(ids), id)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range ids {
		if f := c.fates[m]; err == nil && f.moving && f.holder == "" && f.target == to {
			f.queue, f.moving = to, false
		}
	}
	return err
}

func (c *crowd) pop(q messaging.QueueRef, n int) error {
	list, err := c.store.Pop(context.Background(), q, storage.Take{Limit: n})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.popped += n
	}
	for i := range list {
		f := c.fate(list[i].ID, q)
		if f.holder != "" || f.gone {
			c.wrong = errors.Join(c.wrong, fmt.Errorf("popped %s, which %q has (deleted: %v)", list[i].ID, f.holder, f.gone))
		}
		f.going, f.gone = true, true
	}
	return err
}

// vandal fills, purges and drops a queue of its own.
func (c *crowd) vandal(rng *rand.Rand, budget int) {
	q, ctx := boxes[2], context.Background()
	for range budget {
		var err error
		switch rng.IntN(6) {
		case 0:
			err = c.store.Purge(ctx, q)
		case 1:
			err = c.store.Drop(ctx, q)
		case 2:
			_, err = c.store.Claim(ctx, q, storage.Terms{TTL: 100, Limit: 2})
		case 3:
			_, err = c.store.CreateQueue(ctx, boxes[rng.IntN(5)], metadata(rng.IntN(300)))
		case 4:
			err = c.store.DeleteQueue(ctx, boxes[rng.IntN(5)])
		default:
			_, err = c.store.Append(ctx, q, clients[0], []messaging.Draft{{TTL: forever, Body: []byte("{}")}}, storage.AppendOptions{})
		}
		if err != nil {
			return
		}
	}
}

// check compares the store with the notes. Nobody is at work any more. What
// became of operations that failed is known after a restart only: then it goes
// into the notes.
func (c *crowd) check(restarted bool) error {
	if c.wrong != nil {
		return c.wrong
	}
	where := map[messaging.MessageID]messaging.QueueRef{}
	for _, q := range boxes[:2] {
		list, err := c.store.Scan(context.Background(), q, everything)
		if err != nil {
			return err
		}
		for i := range list {
			m := &list[i]
			if other, twice := where[m.ID]; twice {
				return fmt.Errorf("%s is in %v and in %v", m.ID, other, q)
			}
			where[m.ID] = q
			f := c.fate(m.ID, q) // it may come from a post that failed
			switch {
			case f.gone:
				return fmt.Errorf("%s was deleted and is back in %v", m.ID, q)
			case f.queue != q && !(f.moving && f.target == q):
				return fmt.Errorf("%s is in %v and not in %v", m.ID, q, f.queue)
			case f.holder != "" && f.holder != m.Claim:
				return fmt.Errorf("%s is under claim %q and not under %q", m.ID, m.Claim, f.holder)
			}
			if restarted {
				f.queue, f.moving = q, false
			}
		}
	}
	popped := c.popped
	for id, f := range c.fates {
		_, there := where[id]
		if !there && !f.going {
			if popped--; popped < 0 || f.holder != "" {
				return fmt.Errorf("%s is lost: %+v", id, *f)
			}
		}
		if restarted {
			f.gone = f.gone || !there
			f.going = f.gone
		}
	}
	if restarted {
		c.popped = 0
	}
	return c.store.consistent()
}

// settle gives up all claims, whose owners are no more.
func (c *crowd) settle() error {
	var claims []messaging.ClaimID
	for _, q := range boxes[:2] {
		list, err := c.store.Scan(context.Background(), q, everything)
		if err != nil {
			return err
		}
		for i := range list {
			if list[i].Claim != "" && !slices.Contains(claims, list[i].Claim) {
				claims = append(claims, list[i].Claim)
				if _, err := c.store.Release(context.Background(), q, list[i].Claim); err != nil {
					return err
				}
			}
		}
	}
	for _, f := range c.fates {
		f.holder = ""
	}
	return nil
}

// work lets everybody loose until they are done, or the disk has crashed.
func (c *crowd) work(seed uint64, budget int) {
	var all, background sync.WaitGroup
	for i := range 6 {
		all.Go(func() { c.client(rand.New(rand.NewPCG(seed, uint64(i))), budget) })
	}
	all.Go(func() { c.vandal(rand.New(rand.NewPCG(seed, 99)), budget) })
	over := make(chan struct{})
	background.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			if err := c.store.Compact(); err != nil && !errors.Is(err, messaging.Unavailable) && !errors.Is(err, faultdisk.ErrCrashed) {
				c.complain("compact: %v", err)
			}
			if _, err := c.store.Sweep(context.Background()); err != nil && !errors.Is(err, messaging.Unavailable) {
				c.complain("sweep: %v", err)
			}
			runtime.Gosched()
		}
	})
	all.Wait()
	close(over)
	background.Wait()
}

// slow makes every operation of the disk take some turns of the scheduler.
func slow(d *faultdisk.Disk, turns int) {
	d.Inject(faultdisk.Fault{Kind: faultdisk.Sync | faultdisk.Write | faultdisk.SyncDir, When: func(faultdisk.Op) bool {
		for range turns {
			runtime.Gosched()
		}
		return false
	}})
}

func (c *crowd) openOn(t *testing.T, d *faultdisk.Disk) {
	t.Helper()
	now := time.UnixMilli(1_900_000_000_000)
	s, err := Open("store", Config{FS: d, SegmentSize: smallestSize, SweepEvery: time.Millisecond},
		storage.Env{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	c.store = s
}
