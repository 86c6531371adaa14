package embedded

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"zaqar/messaging"
	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

// Ids that the original gave out after the backup are not given out again.
func TestRestoredStoreGivesOutNewIDs(t *testing.T) {
	w := ready(t)
	old, err := w.send(t, 10)
	must(t, err)
	copied := w.backedUp(t, "backup")
	since := map[messaging.MessageID]bool{}
	for range 50 {
		id, err := w.send(t, 10)
		must(t, err)
		since[id] = true
	}
	must(t, copied.open())
	must(t, copied.close()) // nothing was written: it must remember all the same
	must(t, copied.open())
	defer copied.close()
	if _, err := copied.disk.ReadFile("store/" + manifestName); err == nil {
		t.Error("the store in use still passes for a backup")
	}
	for range 100 {
		id, err := copied.send(t, 10)
		must(t, err)
		if since[id] || id <= old {
			t.Fatalf("%s is given out again", id)
		}
	}
}

// What is not the whole backup and nothing else is refused, and left alone.
func TestRestoreIsChecked(t *testing.T) {
	w := ready(t)
	for range 3 {
		w.turnPage(t, true)
	}
	w.store.tend()
	whole := w.backedUp(t, "backup")
	if in := whole.inspected(t, 0); in.Refused != "" || in.Backup == "" {
		t.Errorf("the backup, inspected: %+v", in)
	}
	logs := whole.files(t, logSuffix)
	last := logs[len(logs)-1]
	for what, c := range map[string]struct {
		spoil func(*world)
		says  string
	}{
		"a segment is missing":           {func(w *world) { must(t, w.disk.Remove("store/"+logs[1])) }, logs[1]},
		"the last segment is missing":    {func(w *world) { must(t, w.disk.Remove("store/"+last)) }, "missing"},
		"a segment is shorter":           {func(w *world) { must(t, w.resize("store/"+logs[0], 2000)) }, logs[0]},
		"the last segment is empty":      {func(w *world) { must(t, w.resize("store/"+last, 0)) }, last},
		"the last segment has no header": {func(w *world) { must(t, w.resize("store/"+last, 10)) }, last},
		"the last segment is zeros": {func(w *world) {
			size := sizeOf(w.disk, "store/"+last)
			must(t, w.resize("store/"+last, 0))
			must(t, w.resize("store/"+last, size))
		}, last},
		"of the last segment there is the header": {func(w *world) {
			size := sizeOf(w.disk, "store/"+last)
			must(t, w.resize("store/"+last, headerSize))
			must(t, w.resize("store/"+last, size))
		}, last},
		"the end of the last segment is zeros": {func(w *world) {
			size := sizeOf(w.disk, "store/"+last)
			must(t, w.resize("store/"+last, size-100))
			must(t, w.resize("store/"+last, size))
		}, last},
		"copied over a store": {func(over *world) {
			w.turnPage(t, true)
			w.turnPage(t, true)
			for _, name := range w.files(t, logSuffix) {
				if !slices.Contains(logs, name) {
					b, err := w.disk.ReadFile("store/" + name)
					must(t, err)
					must(t, replaceFile(over.disk, "store", "store/"+name, b))
				}
			}
		}, "not part of the backup"},
		"its list is damaged": {func(w *world) { must(t, w.disk.FlipBit("store/"+manifestName, 40, 1)) }, manifestName},
	} {
		t.Run(what, func(t *testing.T) {
			again := w.on(whole.disk.Clone())
			c.spoil(again)
			v := again.verified(t)
			if v.Clean {
				t.Error("verify finds nothing")
			}
			if in := again.inspected(t, 0); !strings.Contains(in.Refused, c.says) {
				t.Errorf("inspected: %q, want it to speak of %s", in.Refused, c.says)
			}
			changes := again.disk.Changes()
			if err := again.open(); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("open: %v, want it to speak of %s", err, c.says)
			}
			_ = again.close()
			if n := again.disk.Changes() - changes; n > 3 { // the lock
				t.Errorf("%d changes were made", n)
			}
		})
	}
}

// A start on a backup may be interrupted at any point.
func TestRestoreSurvivesCrashes(t *testing.T) {
	w := ready(t)
	w.turnPage(t, true)
	w.does(t, post(boxes[0], 2, forever, 0, 10))
	whole := w.backedUp(t, "backup")
	want := seenOf(t, w)
	last, err := w.send(t, 10)
	must(t, err)
	for n := int64(1); ; n++ {
		crashed := whole.on(whole.disk.Clone())
		crashed.disk.CrashAt(n)
		err := crashed.open()
		done := !crashed.disk.Crashed()
		_ = crashed.close()
		if done {
			must(t, err)
			break
		}
		for _, cut := range cuts(uint64(n)) {
			again := whole.on(crashed.disk.Crash(cut))
			must(t, again.open())
			if got := seenOf(t, again); got != want {
				t.Fatalf("crash at change %d: %s", n, difference(want, got))
			}
			if id, err := again.send(t, 10); err != nil || id <= last {
				t.Errorf("crash at change %d: %s is given out again (%v)", n, id, err)
			}
			must(t, again.close())
		}
	}
}

// A sector that cannot be read keeps a store without that index from opening:
// nobody knows what is in it. Nothing is changed then, and the backup opens.
func TestBackupRescuesWhatCanBeRead(t *testing.T) {
	w, bodies := aged(t)
	must(t, w.disk.Remove("store/"+indexName(1)))
	must(t, w.disk.BreakReads("store/"+segmentName(1), 700, 1))
	changes := w.disk.Changes()
	if err := w.open(); err == nil || !errors.Is(err, syscall.EIO) {
		t.Fatalf("open: %v", err)
	}
	if n := w.disk.Changes() - changes; n > 3 { // the lock
		t.Errorf("%d changes were made", n)
	}
	r, err := Backup(t.Context(), w.tool(), "to")
	must(t, err)
	copied := w.restored(t, "to")
	must(t, copied.open())
	defer copied.close()
	got := len(copied.list(t))
	if len(r.Damage) == 0 || got < len(bodies)-25 || got >= len(bodies) {
		t.Errorf("%d of %d messages are left; reported as %v", got, len(bodies), r.Damage)
	}
}

// Damage does not keep a backup from being made: what can be read is copied,
// and what the store serves the copy serves.
func TestBackupOfADamagedStore(t *testing.T) {
	pristine, _ := aged(t)
	for name, spoil := range map[string]func(*world) error{
		"flipped bit": func(w *world) error { return w.disk.FlipBit("store/"+segmentName(1), 700, 1) },
		"header":      func(w *world) error { return w.disk.FlipBit("store/"+segmentName(2), 3, 1) },
		"bad sector":  func(w *world) error { return w.disk.BreakReads("store/"+segmentName(1), 700, 1) },
		"index":       func(w *world) error { return w.disk.FlipBit("store/"+indexName(1), 90, 1) },
		"no header, no index": func(w *world) error {
			return errors.Join(w.disk.FlipBit("store/"+segmentName(1), 3, 1), w.disk.Remove("store/"+indexName(1)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := pristine.on(pristine.disk.Clone())
			must(t, spoil(w))
			r, err := Backup(t.Context(), w.tool(), "to")
			must(t, err)
			if len(r.Damage) == 0 != (name == "index") {
				t.Errorf("reported as %v", r.Damage)
			}
			copied := w.restored(t, "to")
			if v := copied.verified(t); v.Clean != (name == "index") {
				t.Errorf("in the copy: %v", v.Damage)
			}
			must(t, copied.open())
			defer copied.close()
			got := maps.Collect(slices.All(copied.list(t)))
			if name == "bad sector" {
				return // the store itself may not open
			}
			must(t, w.open())
			defer w.close()
			if want := maps.Collect(slices.All(w.list(t))); !maps.Equal(got, want) {
				t.Errorf("%d messages in the copy, %d in the store", len(got), len(want))
			}
		})
	}
}

// A first start for which there is no room leaves the backup what it is: the
// next one still knows which ids not to give out.
func TestRestoreWithoutRoom(t *testing.T) {
	w := ready(t)
	_, err := w.send(t, 10)
	must(t, err)
	copied := w.backedUp(t, "backup")
	last, err := w.send(t, 10)
	must(t, err)
	full := copied.disk.Inject(faultdisk.Fault{Kind: faultdisk.Create, Name: "*" + logSuffix, Err: syscall.ENOSPC})
	if err := copied.open(); !errors.Is(err, disk.ErrFull) {
		t.Fatalf("open without room: %v", err)
	}
	full.Clear()
	must(t, copied.open())
	defer copied.close()
	if id, err := copied.send(t, 10); err != nil || id <= last {
		t.Errorf("%s is given out again (%v)", id, err)
	}
}
