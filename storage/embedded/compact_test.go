package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// head is the segment being written.
func (w *world) head() uint32 { return w.store.journal.active.number }

// turnPage fills the head of the log until it goes on in the next segment, with
// messages that stay if pinned, and with such that are deleted later by
// tearOut otherwise.
func (w *world) turnPage(t *testing.T, pinned bool) (full uint32) {
	t.Helper()
	q := boxes[2]
	if pinned {
		q = boxes[1]
	}
	full = w.head()
	for w.head() == full {
		w.does(t, post(q, 1, forever, 0, 500))
	}
	return full
}

// tearOut deletes what fills the segments that are not pinned, and compacts
// until none of them is left. The next page must have begun.
func (w *world) tearOut(t *testing.T, segments ...uint32) {
	t.Helper()
	list, err := w.store.Scan(context.Background(), boxes[2], everything)
	must(t, err)
	for i := range list {
		must(t, w.store.Remove(context.Background(), boxes[2], []messaging.MessageID{list[i].ID}, storage.Hold{}))
		w.delivered(list[i].ID)
	}
	for range 4 {
		w.does(t, compact)
	}
	for _, n := range segments {
		if w.store.segment(n) != nil {
			t.Fatalf("segment %d is still there", n)
		}
	}
}

// reopened restarts the store on what a crash leaves that takes all it can.
func (w *world) reopened(t *testing.T) {
	t.Helper()
	found := w.disk.Crash(faultdisk.Cut{Loss: faultdisk.LoseAll})
	_ = w.close()
	w.disk = found
	must(t, w.open())
	must(t, w.audit())
}

// unchanged checks that the same is seen after a crash.
func (w *world) unchanged(t *testing.T) {
	t.Helper()
	before, err := w.dump()
	must(t, err)
	if err := w.again(before); err != nil {
		t.Fatalf("after a crash: %v", err)
	}
	must(t, w.audit())
}

// What is spent has no longer life for being claimed, and so may expire under
// a claim that goes on; renewing that must not revive it at the next start.
func TestRenewalDoesNotReviveExpiredMessages(t *testing.T) {
	w := ready(t)
	w.does(t,
		post(boxes[0], 1, 20, 0, 10), post(boxes[0], 1, forever, 0, 10),
		claimSome(boxes[0], storage.Terms{TTL: 5, Limit: 1}), release(0),
		claimSome(boxes[0], storage.Terms{TTL: 60, Limit: 1, MaxClaims: 1}), // the first as spent
		pass(25_000),
		renew(0, storage.Terms{TTL: 100, Grace: 100}))
	w.unchanged(t)
	if tally, err := w.store.Tally(context.Background(), boxes[0]); err != nil || tally.Total != 1 {
		t.Fatalf("%d messages, want 1 (%v)", tally.Total, err)
	}
}

// A message whose life a renewal prolongs does not end while that is written.
func TestMessagesDoNotExpireWhileTheirClaimIsRenewed(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[0], 1, 30, 0, 10), claimSome(boxes[0], storage.Terms{TTL: 30, Limit: 1}))
	gate := w.hold()
	w.now += 29_999
	renewed := w.later(renew(0, storage.Terms{TTL: 100, Grace: 5}))
	arrives(t, gate)
	w.now++ // both the claim and the message are over
	if got, err := w.store.Claim(context.Background(), boxes[0], storage.Terms{TTL: 10, Limit: 1}); err != nil || got.Claim.ID != "" {
		t.Fatalf("claimed while a renewal is on its way: %+v, %v", got, err)
	}
	if _, err := w.store.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	gate.Open()
	must(t, <-renewed)
	w.unchanged(t)
	if c, held, err := w.store.Held(context.Background(), boxes[0], w.claim(0).id); err != nil || len(held) != 1 || c.TTL != 100 || held[0].TTL != 105 {
		t.Fatalf("the claim is %+v with %d messages, %v", c, len(held), err)
	}
}

// A segment counts as full only when something behind it is on disk: before
// that it may be the end of the log again, and its numbers must not be lost.
func TestNumbersSurviveWhenTheNextSegmentDoesNot(t *testing.T) {
	w := ready(t)
	w.does(t, tend) // makes the spare segment long before it is used
	k := w.head()
	for w.store.journal.active.size < smallestSize-300 {
		w.does(t, post(boxes[0], 1, forever, 0, 100), pop(boxes[0], 1))
	}
	w.does(t, drop(boxes[0]))
	gate := w.hold()
	lost := w.later(post(boxes[0], 1, forever, 0, 1000))
	arrives(t, gate)
	if w.head() == k {
		t.Fatal("no new segment")
	}
	w.does(t, compact)
	found := w.disk.Crash(faultdisk.Cut{Loss: faultdisk.LoseAll})
	<-lost
	_ = w.close()
	w.disk = found
	must(t, w.open())
	w.does(t, post(boxes[0], 1, forever, 0, 10)) // checks its id
}

// A segment whose removal is not on disk yet may come back: until then what it
// needs must stay.
func TestRemovalsStayUntilWhatTheyRemovedIsGoneForGood(t *testing.T) {
	for seed := range uint64(30) {
		w := ready(t)
		w.does(t, post(boxes[0], 2, forever, 0, 1500))
		w.turnPage(t, false)
		w.does(t, pop(boxes[0], 2))
		w.turnPage(t, false)
		w.turnPage(t, false)
		w.disk.CrashAt(w.disk.Changes() + 8 + int64(seed))
		list, err := w.store.Scan(context.Background(), boxes[2], everything)
		must(t, err)
		for i := range list {
			if w.store.Remove(context.Background(), boxes[2], []messaging.MessageID{list[i].ID}, storage.Hold{}) == nil {
				w.delivered(list[i].ID)
			} else {
				delete(w.eternal, list[i].ID) // perhaps
			}
		}
		_ = w.store.Compact()
		found := w.disk.Crash(faultdisk.Cut{Loss: faultdisk.Mixed, Seed: seed})
		_ = w.close()
		w.disk = found
		must(t, w.open())
		must(t, w.audit())
	}
}

// What was cut off the end of the log does not come back behind what is
// written over it.
func TestTornTailStaysCut(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[0], 1, forever, 0, 40))
	end := int64(w.store.journal.active.size)
	must(t, <-w.append(40, 3))
	found := w.disk.Crash(faultdisk.Cut{})
	must(t, found.FlipBit("store/"+segmentName(w.head()), end+16, 3)) // in its commit record
	_ = w.close()
	w.disk = found
	must(t, w.open())
	if tally, err := w.store.Tally(context.Background(), boxes[0]); err != nil || tally.Total != 1 {
		t.Fatalf("%d messages, %v: the tail is not cut", tally.Total, err)
	}
	must(t, <-w.append(40, 1)) // ends where the second of the three began
	w.unchanged(t)
}

// append posts n messages in the background.
func (w *world) append(size, n int) <-chan error {
	done, s := make(chan error, 1), w.store
	go func() {
		_, err := s.Append(context.Background(), boxes[0], clients[0], slices.Repeat([]messaging.Draft{{TTL: forever, Body: make([]byte, size)}}, n), storage.AppendOptions{})
		done <- err
	}()
	return done
}

// Compaction comes to an end: what it wrote it does not find worth writing
// again.
func TestCompactionEnds(t *testing.T) {
	w := ready(t)
	pinned := []act{}
	for i := range 60 {
		pinned = append(pinned, post(boxes[i%4], 2, forever, 0, 400), control(i, i, i), control(i+1, i+1, i))
	}
	w.does(t, pinned...)
	for i := range 60 { // every second message goes, one by one, and all sorts of records with it
		w.does(t, removeAny(i*4, 1, storage.Hold{}), claimSome(boxes[i%4], storage.Terms{TTL: 500, Limit: 2}), control(2, i, 0), control(8, i, 0))
		if i%3 == 0 {
			w.does(t, release(0))
		}
		if i%10 == 9 {
			w.does(t, purge(boxes[3]), move(0, boxes[1], 0))
		}
	}
	for range 4 {
		w.does(t, compact, tend)
	}
	before := w.store.journal.bytes.Load()
	for range 5 {
		w.does(t, compact, tend)
	}
	if wrote := w.store.journal.bytes.Load() - before; wrote > 0 {
		t.Errorf("%d bytes written by compactions that had nothing to do", wrote)
	}
	w.unchanged(t)
}

// What is done again and again to the same messages does not fill the disk.
func TestRepeatedClaimsDoNotFillTheDisk(t *testing.T) {
	for name, round := range map[string]func(i int) []act{
		"claims that expire": func(int) []act {
			return []act{claimSome(boxes[0], storage.Terms{TTL: 5, Limit: 5}), pass(1000)}
		},
		"claims and releases": func(int) []act {
			return []act{claimSome(boxes[0], storage.Terms{TTL: 5, Limit: 5}), release(0)}
		},
		"renewals": func(i int) []act {
			if i == 0 {
				return []act{claimSome(boxes[0], storage.Terms{TTL: 500, Limit: 20})}
			}
			return []act{renew(0, storage.Terms{TTL: 500})}
		},
		"moves": func(i int) []act {
			return []act{claimSome(boxes[i%2], storage.Terms{TTL: 500, Limit: 20}), move(0, boxes[1-i%2], 0)}
		},
		"settings": func(i int) []act { return []act{control(0, 0, i), control(1, 0, i), control(2, 0, 0)} },
		"purges":   func(int) []act { return []act{post(boxes[3], 1, forever, 0, 10), purge(boxes[3])} },
		"queues":   func(int) []act { return []act{post(boxes[3], 1, forever, 0, 10), drop(boxes[3])} },
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t)
			for range 3 {
				w.does(t, post(boxes[0], 20, forever, 0, 5))
			}
			for i := range 600 {
				w.does(t, round(i)...)
				w.claims = w.claims[max(0, len(w.claims)-5):]
				if i%20 == 19 {
					w.does(t, compact, tend)
				}
			}
			// 60 small messages are some 6 KiB; everything else is history.
			if n := len(*w.store.segments.Load()); n > 12 {
				t.Errorf("%d segments", n)
			}
			w.unchanged(t)
		})
	}
}

// A segment that cannot be read stays, and does not keep others from going.
func TestCompactionPassesOverWhatItCannotRead(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[0], 1, forever, 0, 100))
	bad := w.turnPage(t, false)
	w.does(t, post(boxes[0], 1, forever, 0, 100))
	good := w.turnPage(t, false)
	list, err := w.store.Scan(context.Background(), boxes[2], everything)
	must(t, err)
	must(t, w.disk.BreakReads(fmt.Sprintf("store/%s", segmentName(bad)), headerSize, 100))
	for i := range list {
		must(t, w.store.Remove(context.Background(), boxes[2], []messaging.MessageID{list[i].ID}, storage.Hold{}))
	}
	if err := w.store.Compact(); !errors.Is(err, errUnread) {
		t.Errorf("compaction says %v", err)
	}
	if w.store.segment(bad) == nil || w.store.segment(good) != nil {
		t.Errorf("unreadable segment kept: %v; the other one: %v", w.store.segment(bad) != nil, w.store.segment(good) != nil)
	}
	must(t, w.store.journal.failed())
}
