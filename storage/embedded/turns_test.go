package embedded

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"zaqar/internal/testwait"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// doorway is where posts come that are not written.
type doorway struct {
	ts  turns
	now time.Time
}

func (c *doorway) clock() time.Time { return c.now }

func newDoorway() *doorway { return &doorway{ts: newTurns(), now: time.UnixMilli(1e12)} }

// come has n posts of a project come, and returns those that have to wait.
func (c *doorway) come(p messaging.Project, n, size int) (waiting []*turn) {
	for range n {
		if t := c.ts.enter(p, size, c.now); t != nil {
			waiting = append(waiting, t)
		}
	}
	return waiting
}

func came(t *turn) bool {
	select {
	case <-t.come:
		return true
	default:
		return false
	}
}

func count(turns []*turn) (n int) {
	for _, t := range turns {
		if came(t) {
			n++
		}
	}
	return n
}

func TestGroupsOfOneProjectAreLarge(t *testing.T) {
	c := newDoorway()
	waiting := c.come("loud", 100, 64<<10)
	if got, want := 100-len(waiting), aloneBudget/(64<<10); got != want {
		t.Errorf("%d posts in the first group, want %d", got, want)
	}
	c.ts.next(c.now)
	if got, want := count(waiting), aloneBudget/(64<<10); got != want {
		t.Errorf("%d posts in the second group, want %d", got, want)
	}
}

func TestQuietProjectNeverWaits(t *testing.T) {
	c := newDoorway()
	c.come("quiet", 1, 1000)
	loud := c.come("loud", 64, 10<<10)
	for round := range 100 {
		if w := c.come("quiet", 4, 1000); len(w) > 0 {
			t.Fatalf("round %d: %d of 4 small posts wait", round, len(w))
		}
		if c.ts.total > aloneBudget/4 {
			t.Fatalf("round %d: a group of %d bytes", round, c.ts.total)
		}
		before := count(loud)
		c.ts.next(c.now)
		c.now = c.now.Add(time.Millisecond)
		if before < len(loud) && count(loud) == before {
			t.Fatalf("round %d: nobody of the loud project got a turn", round)
		}
	}
	if count(loud) != len(loud) {
		t.Errorf("%d of %d turns came", count(loud), len(loud))
	}
}

func TestLinesTakeTurns(t *testing.T) {
	c := newDoorway()
	lines := map[messaging.Project][]*turn{}
	for i := range 20 {
		p := messaging.Project(fmt.Sprint(i))
		lines[p] = c.come(p, 10+i, 40<<10)
	}
	for round := range 12 {
		c.ts.next(c.now)
		least, most := 1<<30, 0
		for _, l := range lines {
			if n := count(l); n < len(l) {
				least, most = min(least, n), max(most, n)
			}
		}
		if most > 0 && most-least > round/2+2 {
			t.Fatalf("after round %d one project had %d turns, another %d", round, most, least)
		}
	}
}

func TestWhoLeavesTheLine(t *testing.T) {
	c := newDoorway()
	w := c.come("a", 40, 64<<10)
	for _, gone := range w[:len(w)-1] {
		if !c.ts.leave("a", gone) {
			t.Fatal("a turn that had not come was gone")
		}
	}
	c.ts.next(c.now)
	if last := w[len(w)-1]; !came(last) || c.ts.leave("a", last) {
		t.Error("the last one's turn did not come, or can be left after it came")
	}
	if c.ts.total != 64<<10 {
		t.Errorf("%d bytes are counted", c.ts.total)
	}
}

// TestBudgetFitsTheDisk has disks of different sorts.
func TestBudgetFitsTheDisk(t *testing.T) {
	for _, disk := range []struct {
		name string
		sync time.Duration // of an empty commit
		each time.Duration // of 1 MiB
		want int
	}{
		{"quick", 200 * time.Microsecond, 4 * time.Millisecond, leastBudget},
		{"middling", 4 * time.Millisecond, 4 * time.Millisecond, 344 << 10}, // 64 MiB/s for 4 ms and for writing that
		{"slow", 20 * time.Millisecond, 6 * time.Millisecond, aloneBudget},
		{"very slow", 4 * time.Millisecond, 40 * time.Millisecond, aloneBudget},
	} {
		t.Run(disk.name, func(t *testing.T) {
			c := newDoorway()
			c.come("quiet", 1, 1000)
			for range 2000 {
				for len(c.come("loud", 1, 4<<10)) == 0 {
					continue
				}
				size := c.ts.total
				c.ts.next(c.now)
				c.ts.measure(disk.sync + time.Duration(float64(disk.each)*float64(size)/(1<<20)))
				c.ts.release()
			}
			if got := c.ts.budget(c.now); got < disk.want*9/10 || got > disk.want*11/10 {
				t.Errorf("the budget is %d, want about %d", got, disk.want)
			}
			c.now = c.now.Add(company + 1)
			if got := c.ts.budget(c.now); got != aloneBudget {
				t.Errorf("alone again, the budget is %d", got)
			}
		})
	}
}

// lined waits until n posts wait for a turn.
func (w *world) lined(t *testing.T, n int) {
	t.Helper()
	j := w.store.journal
	testwait.Until(t, fmt.Sprint(n, " posts wait for a turn"), func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		have := 0
		for _, l := range j.turns.lines {
			have += len(l.posts)
		}
		return have == n
	})
}

// A crowd posts more than a group takes, while a sync is held up. All of it is
// stored in the end, whatever became of those who did not want to wait.
func TestPostsWaitForATurn(t *testing.T) {
	const size, crowd, fit = aloneBudget / 8, 40, 7 // with what a record has beside its body
	for _, end := range []struct {
		name   string
		inject syscall.Errno
		do     func(w *world)
		failed int
	}{
		{name: "and get it"},
		{name: "and the disk fails", inject: syscall.EIO, failed: crowd + 1},
		{name: "and the store is closed", do: func(w *world) { go func() { _ = w.store.Close() }() }, failed: crowd - fit},
	} {
		t.Run(end.name, func(t *testing.T) {
			w := newWorld(faultdisk.New(faultdisk.Config{}))
			w.size = 16 << 20
			must(t, w.open())
			t.Cleanup(func() { _ = w.close() })
			gate := faultdisk.NewGate()
			fault := faultdisk.Fault{Kind: faultdisk.Sync, Name: "*.log", Gate: gate, Times: 1}
			if end.inject != 0 {
				fault.Err = end.inject
			}
			w.disk.Inject(fault)
			done := []<-chan error{w.append(10, 1)}
			arrives(t, gate)
			for range crowd {
				done = append(done, w.append(size, 1))
			}
			w.gathered(t, fit)
			w.lined(t, crowd-fit)

			ctx, cancel := context.WithCancel(t.Context())
			gone, s := make(chan error, 1), w.store
			go func() {
				_, err := s.Append(ctx, boxes[0], clients[0], []messaging.Draft{{TTL: forever, Body: make([]byte, size)}}, storage.AppendOptions{})
				gone <- err
			}()
			w.lined(t, crowd-fit+1)
			cancel()
			if err := <-gone; !errors.Is(err, messaging.Unavailable) {
				t.Errorf("a cancelled post: %v", err)
			}
			w.lined(t, crowd-fit)

			if end.do != nil {
				end.do(w)
				testwait.Until(t, "writing has ended", func() bool { return w.store.journal.failed() != nil })
			}
			gate.Open()
			failed := 0
			for _, d := range done {
				if err := <-d; errors.Is(err, messaging.Unavailable) {
					failed++
				} else if err != nil {
					t.Error(err)
				}
			}
			if failed != end.failed {
				t.Errorf("%d posts failed, want %d", failed, end.failed)
			}
		})
	}
}

// A small post of another project does not wait behind the crowd's.
func TestSmallPostPassesTheLine(t *testing.T) {
	w := ready(t)
	gate := w.hold()
	first := w.append(10, 1)
	arrives(t, gate)
	var crowd []<-chan error
	for range 30 {
		crowd = append(crowd, w.append(aloneBudget/8, 1))
	}
	w.gathered(t, 7)
	w.lined(t, 23)
	small, s := make(chan error, 1), w.store
	go func() {
		_, err := s.Append(context.Background(), boxes[3], clients[0], []messaging.Draft{{TTL: forever, Body: []byte("1")}}, storage.AppendOptions{})
		small <- err
	}()
	w.gathered(t, 9) // with the record of its queue
	w.lined(t, 23)
	gate.Open()
	for _, d := range append(crowd, first, small) {
		must(t, <-d)
	}
}

// A store that becomes full, or whose disk refuses a group, lets nobody wait
// for a turn that does not come: neither those in line then, nor those that
// come when there is room again.
func TestFullStoreEndsWaiting(t *testing.T) {
	const size, crowd, fit = aloneBudget / 8, 40, 7
	for name, fill := range map[string]func(w *world){
		"no spare segment": func(w *world) { w.store.journal.full.Store(true) },
		"a write fails": func(w *world) {
			w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Write, Name: "*.log", Times: 1, Err: syscall.ENOSPC})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(faultdisk.New(faultdisk.Config{}))
			w.size = 16 << 20
			must(t, w.open())
			t.Cleanup(func() { _ = w.close() })
			gate := w.hold()
			done := []<-chan error{w.append(10, 1)}
			arrives(t, gate)
			for range crowd {
				done = append(done, w.append(size, 1))
			}
			w.gathered(t, fit)
			w.lined(t, crowd-fit)
			fill(w)
			gate.Open()
			w.lined(t, 0)
			for _, d := range done {
				if err := <-d; err != nil && !errors.Is(err, messaging.Unavailable) {
					t.Error(err)
				}
			}
			must(t, w.store.journal.reserve())
			again := w.append(size, 1)
			select {
			case err := <-again:
				must(t, err)
			case <-time.After(testwait.Patience):
				t.Error("a post does not end though there is room again")
			}
		})
	}
}
