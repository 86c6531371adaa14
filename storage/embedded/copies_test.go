package embedded

import (
	"context"
	"errors"
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// A message that is deleted while compaction copies it stays deleted: its
// delete must outlive the copy, which it cannot know of.
func TestDeletedWhileCopied(t *testing.T) {
	for name, end := range map[string]func(w *world, id messaging.MessageID, c lease) error{
		"removed": func(w *world, id messaging.MessageID, c lease) error {
			w.delivered(id)
			return w.store.Remove(context.Background(), boxes[0], []messaging.MessageID{id}, storage.Hold{})
		},
		"moved": func(w *world, id messaging.MessageID, c lease) error {
			_, err := w.store.Move(context.Background(), boxes[0], []messaging.MessageID{id}, c.id, boxes[3], 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t)
			w.does(t, post(boxes[3], 1, forever, 0, 10), post(boxes[0], 1, forever, 0, 100), claimSome(boxes[0], storage.Terms{TTL: 500, Limit: 1}))
			id, held := w.letter(1).id, w.claim(0)
			old := w.turnPage(t, false)
			w.does(t, compact) // no index is written: not needed
			list, err := w.store.Scan(context.Background(), boxes[2], everything)
			must(t, err)
			for i := range list {
				must(t, w.store.Remove(context.Background(), boxes[2], []messaging.MessageID{list[i].ID}, storage.Hold{}))
				w.delivered(list[i].ID)
			}
			gate := w.hold()
			compacted := w.later(compact)
			arrives(t, gate) // the copy is on its way
			store := w.store
			large := make(chan error, 1)
			go func() { // and sends what comes behind it to the next segment
				_, err := store.Append(context.Background(), boxes[2], clients[0], []messaging.Draft{{TTL: forever, Body: make([]byte, 3700)}}, storage.AppendOptions{})
				large <- err
			}()
			w.gathered(t, 1)
			ended := make(chan error, 1)
			go func() { ended <- end(w, id, held) }()
			w.gathered(t, 2)
			copied := w.head()
			gate.Open()
			must(t, <-compacted)
			must(t, <-large)
			must(t, <-ended)
			if w.head() == copied || w.store.segment(old) != nil {
				t.Fatalf("the copy is in %d, the end in %d, the original there: %v", copied, w.head(), w.store.segment(old) != nil)
			}
			removed := w.head()
			w.store.segment(copied).live.Add(smallestSize) // compaction takes it for full
			w.turnPage(t, false)
			w.tearOut(t, removed)
			w.unchanged(t)
			if list, err := w.store.Fetch(context.Background(), boxes[0], []messaging.MessageID{id}); err != nil || len(list) > 0 {
				t.Fatalf("the message is back: %v %v", list, err)
			}
			if list, err := w.store.Fetch(context.Background(), boxes[3], []messaging.MessageID{id}); err != nil || len(list) != map[string]int{"removed": 0, "moved": 1}[name] {
				t.Fatalf("%d messages in the other queue, %v", len(list), err)
			}
		})
	}
}

// The originals in a segment that could not be rewritten to the end stay dead
// when the copies are deleted.
func TestOriginalsStayDeadInAHalfRewrittenSegment(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[0], 1, forever, 0, 100), post(boxes[3], 1, forever, 0, 100))
	half := w.turnPage(t, false)
	list, err := w.store.Scan(context.Background(), boxes[2], everything)
	must(t, err)
	e := w.store.lookup(boxes[3]).chunks[0].entries[0]
	must(t, w.disk.BreakReads("store/"+segmentName(half), int64(e.off), 1))
	w.delivered(w.letter(1).id) // unreadable, so never seen again in this test
	for i := range list {
		must(t, w.store.Remove(context.Background(), boxes[2], []messaging.MessageID{list[i].ID}, storage.Hold{}))
		w.delivered(list[i].ID)
	}
	if err := w.store.Compact(); !errors.Is(err, errUnread) {
		t.Fatal(err)
	}
	e = w.store.lookup(boxes[0]).chunks[0].entries[0]
	if e.seg == half {
		t.Fatal("nothing was copied")
	}
	copied := w.turnPage(t, false)
	w.does(t, removeAny(0, 1, storage.Hold{}))
	removed := w.turnPage(t, true)
	for _, q := range []int{2, 1} { // first the copy goes, then the delete
		w.does(t, purge(boxes[q]))
		for range 3 {
			_ = w.store.Compact()
			w.turnPage(t, false)
		}
		if q == 2 && (w.store.segment(copied) != nil || w.store.segment(removed) == nil) {
			t.Fatalf("segments %v are not as they must be for this test", *w.store.segments.Load())
		}
	}
	if w.store.segment(copied) != nil || w.store.segment(removed) != nil || w.store.segment(half) == nil {
		t.Fatalf("segments %v are not as they must be for this test", *w.store.segments.Load())
	}
	w.does(t, tend) // with an index file the next start need not read the segment
	found := w.disk.Crash(faultdisk.Cut{})
	_ = w.close()
	w.disk = found
	must(t, w.open())
	if list, err := w.store.Scan(context.Background(), boxes[0], everything); err != nil || len(list) > 0 {
		t.Fatalf("a deleted message is back: %v, %v", list, err)
	}
}
