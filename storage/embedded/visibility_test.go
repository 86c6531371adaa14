package embedded

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// pending is an operation that a sync holds up: what is seen before and while
// it waits must be alike, and what is seen afterwards must not.
type pending struct {
	name   string
	before []act
	do     act
	// sees describes what others see of the matter, without waiting.
	sees func(w *world) (string, error)
}

func pendings() []pending {
	ctx := context.Background()
	q, other := boxes[0], boxes[1]
	messages := func(w *world) (string, error) {
		out := ""
		for _, q := range []messaging.QueueRef{q, other} {
			list, err := w.store.Scan(ctx, q, everything)
			if err != nil {
				return "", err
			}
			tally, err := w.store.Tally(ctx, q)
			if err != nil {
				return "", err
			}
			out += fmt.Sprint(tally.Total, tally.Claimed)
			for i := range list {
				out += fmt.Sprint(" ", list[i].ID, list[i].Claim, list[i].Claims, list[i].Expires.UnixMilli())
			}
		}
		return out, nil
	}
	claim := func(w *world) (string, error) {
		c, held, err := w.store.Held(ctx, q, w.claim(0).id)
		if errors.Is(err, messaging.NotFound) {
			return "none", nil
		}
		return fmt.Sprint(c, len(held)), err
	}
	claimed := []act{post(q, 2, forever, 0, 10), claimSome(q, storage.Terms{TTL: 60, Limit: 2})}
	return []pending{
		{"a post", []act{post(q, 1, forever, 0, 10)}, post(q, 2, forever, 0, 10), messages},
		{"a first post", nil, post(q, 1, forever, 0, 10), messages},
		{"a claim", []act{post(q, 2, 10, 0, 10)}, claimSome(q, storage.Terms{TTL: 60, Limit: 1}), messages},
		{"a renewal", claimed, renew(0, storage.Terms{TTL: 99}), claim},
		{"a release", claimed, release(0), claim},
		{"a delete", claimed, removeClaimed(0, 1), messages},
		{"a pop", []act{post(q, 2, forever, 0, 10)}, pop(q, 1), messages},
		{"a move", append(claimed, post(other, 1, forever, 0, 10)), move(0, other, 0), messages},
		{"a purge", []act{post(q, 2, forever, 0, 10)}, purge(q), messages},
		{"a drop", []act{post(q, 2, forever, 0, 10)}, drop(q), messages},
	}
}

func TestNothingIsSeenBeforeItIsOnDisk(t *testing.T) {
	for _, p := range pendings() {
		t.Run(p.name, func(t *testing.T) {
			w := ready(t)
			w.does(t, p.before...)
			was, err := p.sees(w)
			must(t, err)
			gate := w.hold()
			done := w.later(p.do)
			arrives(t, gate)
			if is, err := p.sees(w); err != nil || is != was {
				t.Errorf("while it is written\n%s (%v)\nis seen instead of\n%s", is, err, was)
			}
			// The power goes instead: nothing of it was ever seen.
			if err := lost(w, p.sees, was); err != nil {
				t.Error(err)
			}
			gate.Open()
			must(t, <-done)
			is, err := p.sees(w)
			if err != nil || is == was {
				t.Errorf("when it is on disk still %s is seen (%v)", is, err)
			}
			if err := lost(w, p.sees, is); err != nil {
				t.Error(err)
			}
		})
	}
}

// lost opens what a power cut would leave now, and expects to see the same.
func lost(w *world, sees func(*world) (string, error), want string) error {
	again := &world{disk: w.disk.Clone().Crash(faultdisk.Cut{Loss: faultdisk.LoseAll}), size: w.size, now: w.now,
		ledger: ledger{claims: w.claims}}
	if err := again.open(); err != nil {
		return err
	}
	defer again.close()
	if got, err := sees(again); err != nil || got != want {
		return fmt.Errorf("after a power cut\n%s (%w)\nis seen instead of\n%s", got, err, want)
	}
	return nil
}

// Whoever asks for a control record that is on its way gets the answer when it
// is on disk; if it never gets there, as if it had not been tried.
func TestControlRecordsAreToldWhenOnDisk(t *testing.T) {
	ctx := context.Background()
	ask := map[string]func(w *world) (bool, error){
		"queue": func(w *world) (bool, error) {
			_, err := w.store.Queue(ctx, boxes[0])
			if errors.Is(err, messaging.NotFound) {
				return false, nil
			}
			return err == nil, err
		},
		"list": func(w *world) (bool, error) {
			list, err := w.store.Queues(ctx, boxes[0].Project, false, "", 10)
			return len(list) == 1, err
		},
		"count": func(w *world) (bool, error) {
			n, err := w.store.CountQueues(ctx, boxes[0].Project, false)
			return n == 1, err
		},
		"create again": func(w *world) (bool, error) {
			created, err := w.store.CreateQueue(ctx, boxes[0], nil)
			return !created, err
		},
	}
	for name, there := range ask {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " fails ", fails), func(t *testing.T) {
				w := ready(t)
				gate := faultdisk.NewGate()
				fault := faultdisk.Fault{Kind: faultdisk.Sync, Name: "*.log", Gate: gate, Times: 1}
				if fails {
					fault.Err = syscall.EIO
				}
				w.disk.Inject(fault)
				created := w.later(control(0, 0, 1))
				arrives(t, gate)
				type answer struct {
					there bool
					err   error
				}
				answers := make(chan answer, 1)
				go func() {
					is, err := there(w)
					answers <- answer{is, err}
				}()
				for range 100 {
					select {
					case a := <-answers:
						t.Fatalf("told %+v before it was on disk", a)
					default:
					}
				}
				gate.Open()
				err := <-created
				if failed := errors.Is(err, messaging.Unavailable); failed != fails {
					t.Fatalf("create: %v", err)
				}
				a := <-answers
				switch {
				case fails && name == "create again":
					if !errors.Is(a.err, messaging.Unavailable) {
						t.Errorf("second create: %+v", a)
					}
				case a.err != nil || a.there == fails:
					t.Errorf("told %+v", a)
				}
			})
		}
	}
}

// What is submitted while a sync runs shares the next one.
func TestOneSyncServesAllThatWait(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[0], 1, forever, 0, 10))
	gate := w.hold()
	first := w.append(10, 1)
	arrives(t, gate)
	var waiting []<-chan error
	for n := range 20 {
		waiting = append(waiting, w.append(10, 1))
		w.gathered(t, n+1)
	}
	before := w.disk.Stats()
	gate.Open()
	must(t, <-first)
	for _, done := range waiting {
		must(t, <-done)
	}
	after := w.disk.Stats()
	if n := after.Count(faultdisk.Sync) - before.Count(faultdisk.Sync); n != 1 {
		t.Errorf("%d syncs for 20 posts that waited together", n)
	}
	if n := after.Count(faultdisk.Write) - before.Count(faultdisk.Write); n != 1 {
		t.Errorf("%d writes for 20 posts that waited together", n)
	}
}

// An entry can be in several operations on their way to disk. If they fail it is
// as it was before the first.
func TestFailedOperationsLeaveNoMarks(t *testing.T) {
	ctx := context.Background()
	w := ready(t)
	w.does(t, post(boxes[0], 4, forever, 0, 10), post(boxes[0], 1, forever, 20, 10), claimSome(boxes[0], storage.Terms{TTL: 60, Limit: 1}),
		control(0, 0, 1), control(3, 0, 1))
	before, err := w.dump()
	must(t, err)
	gate := faultdisk.NewGate()
	w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Write, Name: "*.log", Gate: gate, Times: 1, Err: syscall.ENOSPC, Short: 60})
	store, held := w.store, w.claim(0)
	var done []<-chan error
	begin := func(do func() error) {
		errs := make(chan error, 1)
		go func() { errs <- do() }()
		done = append(done, errs)
		if len(done) == 1 {
			arrives(t, gate)
		} else {
			w.gathered(t, len(done)-1)
		}
	}
	begin(func() error { _, err := store.Claim(ctx, boxes[0], storage.Terms{TTL: 9, Limit: 2}); return err })
	begin(func() error {
		return store.Remove(ctx, boxes[0], []messaging.MessageID{w.letter(1).id, w.letter(2).id}, storage.Hold{})
	})
	begin(func() error {
		return store.Remove(ctx, boxes[0], []messaging.MessageID{w.letter(1).id}, storage.Hold{})
	})
	begin(func() error { return store.Renew(ctx, held.queue, held.id, storage.Terms{TTL: 90}) })
	begin(func() error { _, err := store.Move(ctx, held.queue, held.ids, held.id, boxes[0], 9); return err })
	begin(func() error { _, err := store.Release(ctx, held.queue, held.id); return err })
	begin(func() error { _, err := store.Pop(ctx, boxes[0], storage.Take{Limit: 1, Delayed: true}); return err })
	begin(func() error { return store.Purge(ctx, boxes[0]) })
	begin(func() error { return store.DeleteQueue(ctx, boxes[0]) })
	begin(func() error { _, err := store.CreateQueue(ctx, boxes[1], nil); return err })
	begin(func() error { return store.UnsubscribeAll(ctx, boxes[0]) })
	begin(func() error { return store.Drop(ctx, boxes[0]) })
	gate.Open()
	for i, errs := range done {
		if err := <-errs; !errors.Is(err, messaging.Unavailable) {
			t.Errorf("operation %d: %v", i, err)
		}
	}
	if after, err := w.dump(); err != nil || after != before {
		t.Errorf("%v (-want +got):\n%s", err, difference(before, after))
	}
	w.unchanged(t)
	// All of it works now, on each of the messages.
	w.does(t, tend, renew(0, storage.Terms{TTL: 90}), pop(boxes[0], 1), claimSome(boxes[0], storage.Terms{TTL: 9, Limit: 9, Delayed: true}))
	if got := w.claim(0).ids; len(got) != 3 {
		t.Errorf("%d messages are free, want 3", len(got))
	}
	w.unchanged(t)
}
