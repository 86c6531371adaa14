package embedded

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

const hugeSize = 10 * aloneBudget

func TestHugePostsOfOneProject(t *testing.T) {
	c := newDoorway()
	w := c.come("a", 4, hugeSize)
	if len(w) != 3 {
		t.Fatalf("%d of 4 wait: a group takes one", len(w))
	}
	for n := range w {
		if got := count(w); got != n {
			t.Fatalf("%d turns came in round %d", got, n)
		}
		c.ts.next(c.now)
	}
	if count(w) != len(w) || len(c.ts.lines) != 0 || len(c.ts.line) != 0 {
		t.Errorf("%d turns came, %d lines are left", count(w), len(c.ts.lines))
	}
}

// While others post there is no huge post in every second group, and those who
// have them take turns. What is small never waits.
func TestHugePostsLeaveRoomForOthers(t *testing.T) {
	c := newDoorway()
	c.come("quiet", 1, 1000)
	lines := [][]*turn{c.come("a", 5, hugeSize), c.come("b", 4, hugeSize), c.come("c", 4, hugeSize)}
	if len(lines[0]) != 4 || len(lines[1]) != 4 || len(lines[2]) != 4 {
		t.Fatalf("in lines wait %d, %d and %d", len(lines[0]), len(lines[1]), len(lines[2]))
	}
	var order string
	for round := range 24 {
		before := []int{count(lines[0]), count(lines[1]), count(lines[2])}
		c.ts.next(c.now)
		if len(c.come("quiet", 4, 1000)) > 0 {
			t.Fatalf("round %d: a small post waits", round)
		}
		for i, l := range lines {
			order += "abc"[i:][:count(l)-before[i]]
		}
		c.ts.resume(c.clock) // does nothing: there is somebody to be written
		if want := (round + 1) / 2; len(order) != want {
			t.Fatalf("round %d: %q came, want %d", round, order, want)
		}
	}
	if order != "abcabcabcabc" {
		t.Errorf("turns came in the order %s", order)
	}
}

// With nobody else to be served the next huge post comes as soon as the writer
// has nothing to do.
func TestHugePostsOfSeveralDoNotWaitForNobody(t *testing.T) {
	c := newDoorway()
	c.come("a", 1, hugeSize)
	b := c.come("b", 3, hugeSize)
	for n := range b {
		c.ts.next(c.now) // the group is taken
		if got := count(b); got != n {
			t.Fatalf("%d turns came while one was written, want %d", got, n)
		}
		c.ts.resume(c.clock) // and written
		if got := count(b); got != n+1 {
			t.Fatalf("%d turns came, want %d", got, n+1)
		}
		c.ts.resume(c.clock)
		if c.ts.total != hugeSize {
			t.Fatalf("the group has %d bytes", c.ts.total)
		}
	}
}

// A huge post for a quick disk is none for a slow one.
func TestHugeIsWhatTheDiskTakesLongFor(t *testing.T) {
	for _, disk := range []struct {
		took time.Duration
		fit  int
	}{{200 * time.Microsecond, 1}, {8 * time.Millisecond, 2}, {time.Second, 4}} {
		c := newDoorway()
		c.come("quiet", 1, 100)
		c.ts.took = float64(disk.took)
		if got := 8 - len(c.come("loud", 8, 250<<10)); got != disk.fit {
			t.Errorf("commits take %v: %d posts of 250 KiB in a group, want %d", disk.took, got, disk.fit)
		}
	}
}

// crowdOf is what is known of those at a doorway: who waits, by project, and
// how long.
type crowdOf struct {
	*doorway
	waiting map[messaging.Project][]*turn
	waited  map[*turn]*wait
}

// wait is how many groups somebody has waited, and how many of his project stood
// in front of him when he came.
type wait struct{ groups, ahead int }

// crowds is how many projects there are. Each that stands in line may have a
// huge post, for which it takes a group and the one behind it.
const crowds = 4

// check looks whether all is in order after an act.
func (c *crowdOf) check(t *testing.T) {
	t.Helper()
	for p, l := range c.waiting {
		for len(l) > 0 && came(l[0]) {
			delete(c.waited, l[0])
			l = l[1:]
		}
		if slices.ContainsFunc(l, came) {
			t.Fatalf("project %s: somebody passed another of his project", p)
		}
		if at := c.ts.line[p]; (at == nil) != (len(l) == 0) || at != nil && len(at.posts) != len(l) {
			t.Fatalf("project %s: %d wait, the line is %v", p, len(l), at)
		}
		c.waiting[p] = l
	}
	if len(c.ts.lines) != len(c.ts.line) {
		t.Fatalf("%d lines, %d are known", len(c.ts.lines), len(c.ts.line))
	}
	used := 0
	for _, n := range c.ts.used {
		used += n
	}
	if used != c.ts.total {
		t.Fatalf("%d bytes are in the group, %d of projects", c.ts.total, used)
	}
	for turn, w := range c.waited {
		if w.groups > 2*crowds*(w.ahead+1) {
			t.Fatalf("one of %d bytes with %d in front of him has waited %d groups", turn.size, w.ahead, w.groups)
		}
	}
}

// write has the group being gathered written, and checks it and its follower.
func (c *crowdOf) write(t *testing.T, idle bool) {
	t.Helper()
	hadHuge := c.ts.huge
	c.ts.next(c.now)
	if c.ts.huge && hadHuge && c.now.Sub(c.ts.mixed) <= company {
		t.Fatal("two groups with huge posts, one behind the other")
	}
	c.ts.measure(time.Duration(c.ts.total) * 10)
	if idle {
		c.ts.resume(c.clock)
		if len(c.ts.lines) > 0 && c.ts.total == 0 {
			t.Fatal("the writer has nothing to do and somebody waits")
		}
	}
	for _, w := range c.waited {
		w.groups++
	}
}

// FuzzTurns has posts come and go in any order. Everybody gets his turn, those
// of a project in the order they came, and the writer is never left idle.
func FuzzTurns(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz"))
	f.Add([]byte{0x00, 0x31, 0x31, 0x32, 0xf0, 0x32, 0xf0, 0xf1, 0x33, 0xe0, 0xf0, 0xf0, 0xd0, 0x21, 0x31, 0xf0})
	f.Add(slices.Repeat([]byte{0x31, 0x32, 0x01, 0xf0}, 50))
	sizes := []int{100, 9 << 10, 60 << 10, 2 * aloneBudget}
	f.Fuzz(func(t *testing.T, acts []byte) {
		if len(acts) > 1000 {
			return
		}
		c := crowdOf{newDoorway(), map[messaging.Project][]*turn{}, map[*turn]*wait{}}
		for _, act := range acts {
			p := messaging.Project(fmt.Sprint(act & 3))
			switch act >> 4 {
			default:
				for _, turn := range c.come(p, 1, sizes[act>>4&3]) {
					c.waited[turn] = &wait{ahead: len(c.waiting[p])}
					c.waiting[p] = append(c.waiting[p], turn)
				}
			case 12: // the client of one goes away
				if l := c.waiting[p]; len(l) > 0 {
					at := int(act>>2&3) % len(l)
					if !c.ts.leave(p, l[at]) {
						t.Fatal("a turn that had not come was gone")
					}
					delete(c.waited, l[at])
					c.waiting[p] = slices.Delete(l, at, at+1)
				}
			case 13:
				c.now = c.now.Add(time.Duration(act&15) * time.Second)
			case 14, 15:
				c.write(t, act&1 == 0)
			}
			c.check(t)
		}
		for n := 0; len(c.ts.lines) > 0; n++ {
			if n > 2*len(acts) {
				t.Fatalf("%d lines never end", len(c.ts.lines))
			}
			c.write(t, true)
			c.check(t)
		}
	})
}

// posts stores n messages of a size in a queue.
func (w *world) posts(to messaging.QueueRef, size, n int) (done []<-chan error) {
	for range n {
		stored, s := make(chan error, 1), w.store
		go func() {
			_, err := s.Append(context.Background(), to, clients[0], []messaging.Draft{{TTL: forever, Body: make([]byte, size)}}, storage.AppendOptions{})
			stored <- err
		}()
		done = append(done, stored)
	}
	return done
}

// Two projects post what is huge, and nobody else comes: all is stored, though
// each group gives way to others. Then a small post comes that need not wait.
func TestHugePostsAreStored(t *testing.T) {
	const size = 100 << 10
	w := ready(t)
	for _, ref := range []messaging.QueueRef{boxes[0], boxes[3]} {
		must(t, <-w.posts(ref, 10, 1)[0])
	}
	gate := w.hold()
	open := sync.OnceFunc(gate.Open)
	t.Cleanup(open)
	all := w.posts(boxes[0], size, 1)
	arrives(t, gate)
	all = append(all, w.posts(boxes[0], size, 5)...)
	w.lined(t, 5)
	all = append(all, w.posts(boxes[3], size, 5)...)
	w.lined(t, 10)
	all = append(all, w.posts(messaging.QueueRef{Project: "quiet", Name: "inbox"}, 10, 1)...)
	w.gathered(t, 2) // with the record of its queue
	w.lined(t, 10)
	open()
	for _, d := range all {
		must(t, <-d)
	}
}
