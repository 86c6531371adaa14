package embedded

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"zaqar/internal/testwait"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// An erasure outlives every put of its key, also when the key was put again in
// between and the erasures of the first time were compacted away.
func TestErasedRecordsStayErased(t *testing.T) {
	w := ready(t)
	erase, put := control(2, 0, 0), control(0, 0, 1)
	w.does(t, put)
	a := w.turnPage(t, true)
	w.does(t, erase)
	b := w.turnPage(t, false)
	w.does(t, put)
	c := w.turnPage(t, false)
	w.tearOut(t, b)
	w.does(t, erase)
	d := w.turnPage(t, false)
	w.tearOut(t, c)
	w.turnPage(t, false)
	w.tearOut(t, d)
	if w.store.segment(a) == nil {
		t.Fatal("the first put is gone: nothing is shown")
	}
	w.reopened(t)
	if _, err := w.store.Queue(context.Background(), boxes[0]); !errors.Is(err, messaging.NotFound) {
		t.Fatalf("the queue is back: %v", err)
	}
}

// gathered waits until so many submissions wait behind the group being written.
func (w *world) gathered(t *testing.T, n int) {
	t.Helper()
	testwait.Until(t, fmt.Sprint(n, " submissions wait"), func() bool { return w.waiting() >= n })
}

// hold stops the next syncs of the log until the gate is opened.
func (w *world) hold() *faultdisk.Gate {
	g := faultdisk.NewGate()
	w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Sync, Name: "*.log", Gate: g, Times: 1})
	return g
}

// arrives waits until an operation is at the gate.
func arrives(t *testing.T, g *faultdisk.Gate) {
	t.Helper()
	select {
	case <-g.Arrived():
	case <-time.After(testwait.Patience):
		t.Fatal("nothing comes to the gate")
	}
}

// later runs an act that will have to wait.
func (w *world) later(a act) <-chan error {
	done := make(chan error, 1)
	go func() { done <- a.do(w) }()
	return done
}

// The erasure of a record names every segment with a put of it, also when puts
// were decided on while those before them were on their way to disk.
func TestErasureKnowsPutsThatWereOnTheirWay(t *testing.T) {
	w := ready(t)
	amend := func(j int) act { return control(1, 0, j) }
	w.does(t, control(0, 0, 1))
	w.turnPage(t, true)
	gate := w.hold()
	first := w.later(amend(2))
	arrives(t, gate)
	second := w.later(amend(3))
	w.gathered(t, 1)
	third := w.later(amend(4))
	w.gathered(t, 2)
	// Something large sends the second and the third to the next segment.
	large := make(chan error, 1)
	go func() {
		_, err := w.store.Append(context.Background(), boxes[1], clients[0], []messaging.Draft{{TTL: forever, Body: make([]byte, 3800)}}, storage.AppendOptions{})
		large <- err
	}()
	w.gathered(t, 3)
	a := w.head()
	gate.Open()
	for _, done := range []<-chan error{first, second, third, large} {
		must(t, <-done)
	}
	b := w.head()
	if b == a {
		t.Fatal("all puts are in one segment")
	}
	must(t, <-w.later(control(2, 0, 0)))
	it := w.store.segment(w.head())
	if _, needs := it.needs[a]; !needs || a == w.head() {
		t.Fatalf("the erasure in segment %d does not know of the put in %d: %v", w.head(), a, it.needs)
	}
}
