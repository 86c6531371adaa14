package embedded

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

// faulty opens a store with so large segments on a fresh disk.
func faulty(t *testing.T, segment int64) *world {
	t.Helper()
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	w.size = segment
	must(t, w.open())
	t.Cleanup(func() { _ = w.close() })
	return w
}

// send posts one message of so many bytes.
func (w *world) send(t *testing.T, size int) (messaging.MessageID, error) {
	t.Helper()
	body := []byte(`"` + strings.Repeat("x", size-2) + `"`)
	put, err := w.store.Append(t.Context(), boxes[0], clients[0], []messaging.Draft{{TTL: 1000, Body: body}}, storage.AppendOptions{})
	ids := put.IDs
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// list returns the ids of all messages of the first box.
func (w *world) list(t *testing.T) []messaging.MessageID {
	t.Helper()
	found, err := w.store.Scan(t.Context(), boxes[0], everything)
	must(t, err)
	ids := make([]messaging.MessageID, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	return ids
}

func unavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, messaging.Unavailable) {
		t.Errorf("%s: %v, want it to be unavailable", what, err)
	}
}

// What a failed sync left on disk is unknown, and a later sync that succeeds
// proves nothing: the store must not write again until it is opened anew.
func TestFailedSyncEndsWritingForGood(t *testing.T) {
	w := faulty(t, 64<<10)
	kept, err := w.send(t, 100)
	must(t, err)
	rule := w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Sync, Times: 1, Err: syscall.EIO})

	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() { _, errs[i] = w.send(t, 100) })
	}
	group.Wait()
	for i, err := range errs {
		unavailable(t, fmt.Sprintf("post %d", i), err)
	}
	if rule.Hits() != 1 {
		t.Fatalf("the sync failed %d times", rule.Hits())
	}
	syncs := w.disk.Stats().Count(faultdisk.Sync | faultdisk.Write)
	ctx := t.Context()
	_, err = w.send(t, 100)
	unavailable(t, "post", err)
	_, err = w.store.Claim(ctx, boxes[0], storage.Terms{TTL: 60, Limit: 1})
	unavailable(t, "claim", err)
	unavailable(t, "remove", w.store.Remove(ctx, boxes[0], []messaging.MessageID{kept}, storage.Hold{}))
	_, err = w.store.CreateQueue(ctx, boxes[0], nil)
	unavailable(t, "create", err)
	unavailable(t, "ping", w.store.Ping(ctx))
	if now := w.disk.Stats().Count(faultdisk.Sync | faultdisk.Write); now != syncs {
		t.Errorf("%d writes and syncs after the failure", now-syncs)
	}
	if got := w.list(t); len(got) != 1 || got[0] != kept {
		t.Errorf("readers see %v, want what is on disk: %v", got, kept)
	}

	must(t, w.close())
	must(t, w.open())
	if got := w.list(t); len(got) == 0 || got[0] != kept {
		t.Errorf("after a restart there is %v, want at least %v", got, kept)
	}
	if _, err := w.send(t, 100); err != nil {
		t.Errorf("post after a restart: %v", err)
	}
}

// A write that fails for another reason than space ends writing, too.
func TestFailedWriteEndsWriting(t *testing.T) {
	for _, short := range []int{0, 1, 40} {
		w := faulty(t, 64<<10)
		kept, err := w.send(t, 100)
		must(t, err)
		w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Write, Name: "*.log", Times: 1, Err: syscall.EIO, Short: short})
		_, err = w.send(t, 100)
		unavailable(t, "post", err)
		_, err = w.send(t, 100)
		unavailable(t, "post after it", err)
		must(t, w.close())
		must(t, w.open())
		if got := w.list(t); len(got) != 1 || got[0] != kept {
			t.Errorf("with %d bytes written there is %v, want %v", short, got, kept)
		}
	}
}

// Where space is not really reserved a write can run out of it half way. It is
// undone, and what was submitted behind it fails with it.
func TestWriteThatRunsOutOfSpaceIsUndone(t *testing.T) {
	for _, short := range []int{0, 1, 40, 90} {
		w := faulty(t, 64<<10)
		kept, err := w.send(t, 100)
		must(t, err)
		w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Write, Name: "*.log", Times: 1, Err: disk.ErrFull, Short: short})
		_, err = w.send(t, 100)
		unavailable(t, "post", err)
		w.store.tend() // what the keeper does within a second
		next, err := w.send(t, 100)
		if err != nil {
			t.Fatalf("post when there is room again: %v", err)
		}
		want := fmt.Sprint([]messaging.MessageID{kept, next})
		if got := fmt.Sprint(w.list(t)); got != want {
			t.Errorf("with %d bytes written there is %v, want %v", short, got, want)
		}
		must(t, w.close())
		must(t, w.open())
		if got := fmt.Sprint(w.list(t)); got != want {
			t.Errorf("after a restart there is %v, want %v", got, want)
		}
	}
}

// A full disk refuses posts; reads, claims and deletes go on, and make room.
func TestFullDiskServesAllButPosts(t *testing.T) {
	const segment = 32 << 10
	w := faulty(t, segment)
	w.disk.SetCapacity(w.disk.Used() + 2*segment)
	ctx := t.Context()
	var ids []messaging.MessageID
	var err error
	for range 1000 {
		var id messaging.MessageID
		if id, err = w.send(t, 1000); err != nil {
			break
		}
		ids = append(ids, id)
		w.store.tend()
	}
	unavailable(t, "post on a full disk", err)
	if len(ids) < 50 {
		t.Fatalf("only %d posts fitted", len(ids))
	}
	if got := w.list(t); len(got) != len(ids) {
		t.Fatalf("%d of %d messages are left", len(got), len(ids))
	}
	lease, err := w.store.Claim(ctx, boxes[0], storage.Terms{TTL: 60, Limit: 10})
	if err != nil || len(lease.Messages) != 10 {
		t.Fatalf("claim on a full disk: %d messages, %v", len(lease.Messages), err)
	}
	must(t, w.store.Renew(ctx, boxes[0], lease.Claim.ID, storage.Terms{TTL: 90}))
	if _, err := w.store.Release(ctx, boxes[0], lease.Claim.ID); err != nil {
		t.Fatalf("release on a full disk: %v", err)
	}
	must(t, w.close())
	must(t, w.open()) // a restart on a full disk
	if _, err = w.send(t, 1000); err != nil {
		unavailable(t, "post after a restart", err)
	}
	for i, id := range ids[:len(ids)-5] {
		if err := w.store.Remove(ctx, boxes[0], []messaging.MessageID{id}, storage.Hold{}); err != nil {
			t.Fatalf("delete %d on a full disk: %v", i, err)
		}
	}
	w.store.tend()
	must(t, w.store.Compact())
	w.store.tend()
	if _, err := w.send(t, 1000); err != nil {
		t.Errorf("post when there is room again: %v", err)
	}
	if got := w.list(t); len(got) < 6 || got[0] != ids[len(ids)-5] {
		t.Errorf("what is left is %v", got)
	}
}

// The keeper's own failures cost nothing but index files and space.
func TestFailuresOfTheKeeper(t *testing.T) {
	for _, kind := range []faultdisk.Kind{faultdisk.Create, faultdisk.Rename, faultdisk.Remove, faultdisk.SyncDir, faultdisk.Allocate} {
		t.Run(kind.String(), func(t *testing.T) {
			w := faulty(t, smallestSize)
			w.disk.Inject(faultdisk.Fault{Kind: kind, Skip: 2, Times: 3, Err: syscall.EIO})
			var ids []messaging.MessageID
			for range 40 {
				id, err := w.send(t, 500)
				if err != nil {
					unavailable(t, "post", err)
				} else {
					ids = append(ids, id)
				}
				w.store.tend()
				if err := w.store.Compact(); err != nil && !errors.Is(err, syscall.EIO) {
					t.Fatalf("compact: %v", err)
				}
			}
			if len(ids) < 30 {
				t.Errorf("only %d of 40 posts went through", len(ids))
			}
			want := fmt.Sprint(ids)
			if got := fmt.Sprint(w.list(t)); got != want {
				t.Errorf("there is %v, want %v", got, want)
			}
			must(t, w.close())
			must(t, w.open())
			if got := fmt.Sprint(w.list(t)); got != want {
				t.Errorf("after a restart there is %v, want %v", got, want)
			}
		})
	}
}

// An error of a read is not damage: nothing is given up for it.
func TestReadErrorLosesNothing(t *testing.T) {
	w := faulty(t, 64<<10)
	id, err := w.send(t, 100)
	must(t, err)
	w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Read, Times: 1, Err: syscall.EIO})
	_, err = w.store.Fetch(t.Context(), boxes[0], []messaging.MessageID{id})
	unavailable(t, "fetch", err)
	found, err := w.store.Fetch(t.Context(), boxes[0], []messaging.MessageID{id})
	if err != nil || len(found) != 1 {
		t.Errorf("after the error: %v, %v", found, err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	w := faulty(t, 64<<10)
	_, err := Open("store", Config{FS: w.disk}, storage.Env{Now: time.Now})
	if !errors.Is(err, disk.ErrLocked) {
		t.Errorf("second open: %v", err)
	}
}

// A store that has given up says so, and does not speak of room.
func TestFailedStoreIsNotCalledFull(t *testing.T) {
	w := ready(t)
	_, err := w.send(t, 10)
	must(t, err)
	w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Sync, Name: "*.log", Err: syscall.EIO})
	for range 2 {
		if _, err := w.send(t, 10); !errors.Is(err, messaging.Unavailable) || !strings.Contains(err.Error(), "needs a restart") {
			t.Errorf("a post is told: %v", err)
		}
	}
}
