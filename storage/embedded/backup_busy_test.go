package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/internal/testenv"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// busyClient works until over is closed. It pops nothing, so that the notes are
// exact, and lets the queues grow no longer than the backups can follow.
func (c *crowd) busyClient(rng *rand.Rand, over <-chan struct{}) {
	backlog := func() int {
		total, _, err := c.store.Volume(context.Background())
		if err != nil {
			c.complain("volume: %v", err)
		}
		return total
	}
	held := map[messaging.ClaimID][]messaging.MessageID{}
	from := map[messaging.ClaimID]messaging.QueueRef{}
	for {
		select {
		case <-over:
			return
		default:
		}
		q := boxes[rng.IntN(2)]
		var err error
		switch n := rng.IntN(20); {
		case (n < 6 || len(held) == 0 && n >= 10) && backlog() < 200:
			err = c.post(q, 1+rng.IntN(3), []int{5, 60, 700}[rng.IntN(3)])
		case n < 10 || len(held) == 0:
			var id messaging.ClaimID
			var ids []messaging.MessageID
			if id, ids, err = c.claim(q, 1+rng.IntN(6)); id != "" {
				held[id], from[id] = ids, q
			}
		default:
			id := pickKey(held)
			var renewed bool
			if renewed, err = c.use(rng, from[id], id, held[id]); !renewed {
				delete(held, id)
			}
		}
		if err != nil {
			c.complain("a client: %v", err)
			return
		}
	}
}

// notes is what the crowd knew when a backup began and when it had ended.
type notes struct{ before, after map[messaging.MessageID]fate }

func (c *crowd) known() map[messaging.MessageID]fate {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[messaging.MessageID]fate, len(c.fates))
	for id, f := range c.fates {
		if f.body != "" { // acknowledged
			all[id] = *f
		}
	}
	return all
}

// check compares what is in a backup with the notes.
func (n *notes) check(s *Store, crowd map[messaging.MessageID]*fate) error {
	in := map[messaging.MessageID]messaging.Message{}
	for _, q := range boxes[:2] {
		list, err := s.Scan(context.Background(), q, everything)
		if err != nil {
			return err
		}
		for i := range list {
			m := list[i]
			if _, twice := in[m.ID]; twice {
				return fmt.Errorf("%s is there twice", m.ID)
			}
			in[m.ID] = m
			f := crowd[m.ID]
			if f == nil || f.body != "" && f.body != string(m.Body) {
				return fmt.Errorf("%s has the body %.40q, which is not that of the post", m.ID, m.Body)
			}
			if n.before[m.ID].gone {
				return fmt.Errorf("%s was deleted before the backup began, and is there", m.ID)
			}
			if b, a := n.before[m.ID], n.after[m.ID]; b.holder != "" && b.holder == a.holder && m.Claim != b.holder {
				return fmt.Errorf("%s is under claim %q and not under %q, which had it all the time", m.ID, m.Claim, b.holder)
			}
		}
	}
	for id, f := range n.before {
		if _, there := in[id]; !there && !f.going && !n.after[id].going {
			return fmt.Errorf("%s was acknowledged before the backup began, and is lost: %+v", id, f)
		}
	}
	return s.consistent()
}

// While posts, claims, deletes, moves, purges and compaction go on, one backup
// after the other is taken. Each is a clean store that has everything
// acknowledged before it began, and nothing deleted before.
func TestBackupsOfABusyStore(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testenv.Int(t, envCrowds, 6) / 2) {
		d := faultdisk.New(faultdisk.Config{Seed: seed})
		slow(d, 2)
		c := &crowd{fates: map[messaging.MessageID]*fate{}}
		c.openOn(t, d)
		var opens atomic.Int64
		d.Inject(faultdisk.Fault{Kind: faultdisk.Open, Name: "*.log", When: func(faultdisk.Op) bool {
			if opens.Add(1)%37 == 0 { // now and then the store gets ahead of the backup
				for range 200 {
					runtime.Gosched()
				}
			}
			return false
		}})
		over := make(chan struct{})
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() { c.busyClient(rand.New(rand.NewPCG(seed, uint64(i))), over) })
		}
		all.Go(func() {
			for k := uint64(0); ; k++ {
				select {
				case <-over:
					return
				default:
				}
				c.vandal(rand.New(rand.NewPCG(seed, k)), 20)
				if err := c.store.Compact(); err != nil {
					c.complain("compact: %v", err)
				}
				runtime.Gosched()
			}
		})
		env := storage.Env{Now: func() time.Time { return time.UnixMilli(1_900_000_000_000) }}
		var taken []notes
		unlinked := d.Stats().Count(faultdisk.Remove)
		for k := range 12 {
			n := notes{before: c.known()}
			_, err := Backup(t.Context(), Tool{Dir: "store", FS: d, Env: env}, fmt.Sprint("backup", k))
			n.after = c.known()
			if err != nil {
				t.Errorf("seed %d, backup %d: %v", seed, k, err)
				break
			}
			taken = append(taken, n)
		}
		unlinked = d.Stats().Count(faultdisk.Remove) - unlinked
		close(over)
		all.Wait()
		if err := errors.Join(c.wrong, c.store.Close()); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		w := newWorld(d)
		for k, n := range taken {
			copied := w.restored(t, fmt.Sprint("backup", k))
			if v := copied.verified(t); !v.Clean {
				t.Fatalf("seed %d, backup %d: %v", seed, k, v.Damage)
			}
			must(t, copied.open())
			if err := errors.Join(n.check(copied.store, c.fates), copied.close()); err != nil {
				t.Fatalf("seed %d, backup %d: %v", seed, k, err)
			}
		}
		t.Logf("seed %d: %d messages, %d files unlinked, %d opened", seed, len(c.fates), unlinked, opens.Load())
		if len(c.fates) < 100 || unlinked < 5 {
			t.Errorf("seed %d: only %d messages and %d unlinked files: the store was not busy", seed, len(c.fates), unlinked)
		}
	}
}

// Segments may go between the listing of the directory and their opening.
func TestBackupWhileFilesVanish(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[1], 1, forever, 0, 100))
	w.turnPage(t, false)
	w.turnPage(t, false)
	w.does(t, post(boxes[1], 1, forever, 0, 100))
	want := w.list1(t)
	first, opened := w.files(t, logSuffix)[0], 0
	var once sync.Once
	w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Open, Name: "*.log", When: func(op faultdisk.Op) bool {
		if opened++; strings.HasSuffix(op.Name, first) {
			once.Do(func() {
				must(t, w.store.Purge(context.Background(), boxes[2]))
				w.turnPage(t, true)
				w.store.tend()
				must(t, w.store.Compact())
				if slices.Contains(w.files(t, logSuffix), first) {
					t.Errorf("%s is still there", first)
				}
				want = w.list1(t)
			})
		}
		return false
	}})
	copied := w.backedUp(t, "backup")
	must(t, copied.open())
	defer copied.close()
	if got := copied.list1(t); !slices.Equal(got, want) || len(got) < 3 {
		t.Errorf("the backup has %v, want %v", got, want)
	}
	if opened < 4 {
		t.Error("the files were opened once only")
	}
}
