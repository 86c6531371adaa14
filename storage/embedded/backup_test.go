package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"zaqar/internal/testenv"
	"zaqar/messaging"
	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

// backedUp takes a backup of the world's store and returns the world in front
// of a disk on which that is the store.
func (w *world) backedUp(t testing.TB, to string) *world {
	t.Helper()
	if _, err := Backup(t.Context(), w.tool(), to); err != nil {
		t.Fatalf("backup: %v", err)
	}
	return w.restored(t, to)
}

// restored returns the world in front of a disk that has only what is in the
// directory, as the store.
func (w *world) restored(t testing.TB, from string) *world {
	t.Helper()
	d := faultdisk.New(faultdisk.Config{})
	must(t, d.MkdirAll("store"))
	names, err := w.disk.List(from)
	must(t, err)
	for _, name := range names {
		b, err := w.disk.ReadFile(from + "/" + name)
		must(t, err)
		must(t, replaceFile(d, "store", "store/"+name, b))
	}
	return w.on(d)
}

// A backup shows what the store shows, whenever it is taken: while the store is
// in use, when it is closed, after a crash. It is clean, and a store to go on
// with.
func TestBackupIsTheStore(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testenv.Int(t, envHistories, 40) / 4) {
		rng := rand.New(rand.NewPCG(seed, 6))
		w := newWorld(faultdisk.New(faultdisk.Config{Seed: seed}))
		must(t, w.open())
		acts := someActs(seed, 150)
		for k := 0; len(acts) > 0; k++ {
			n := min(len(acts), 1+rng.IntN(40))
			_, err := w.run(acts[:n])
			must(t, err)
			acts = acts[n:]
			want, err := w.dump()
			must(t, err)
			to := fmt.Sprint("backup", k)
			if rng.IntN(3) == 0 {
				must(t, w.close())
			}
			copied := w.backedUp(t, to)
			if w.store == nil {
				must(t, w.open())
			}
			v := copied.verified(t)
			if !v.Clean || v.Backup == "" {
				t.Fatalf("seed %d: the backup has damage: %v", seed, v.Damage)
			}
			must(t, copied.open())
			if got, err := copied.dump(); err != nil || got != want {
				t.Fatalf("seed %d: the backup shows (-store +backup):\n%s%v", seed, difference(want, got), err)
			}
			must(t, copied.store.consistent())
			copied.does(t, post(boxes[0], 1, forever, 0, 10), compact)
			want, err = copied.dump()
			must(t, err)
			if err := copied.again(want); err != nil {
				t.Fatalf("seed %d: the backup after a restart: %v", seed, err)
			}
			_ = copied.close()
		}
		_ = w.close()
	}
}

func (w *world) list1(t *testing.T) (ids []messaging.MessageID) {
	t.Helper()
	list, err := w.store.Scan(t.Context(), boxes[1], everything)
	must(t, err)
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids
}

// listed lists a directory; nil: there is none.
func (w *world) listed(dir string) []string {
	names, err := w.disk.List(dir)
	if err != nil {
		return nil
	}
	return names
}

// A backup that fails or is cut off leaves no backup, and the next one is made.
func TestFailedBackups(t *testing.T) {
	w := ready(t)
	for range 4 {
		w.turnPage(t, true)
	}
	inPartial := func(op faultdisk.Op) bool {
		return strings.Contains(op.Name, partialSuffix) && strings.HasSuffix(op.Name, logSuffix)
	}
	gone := func(t *testing.T) {
		t.Helper()
		if w.listed("to") != nil || w.listed("to.partial") != nil {
			t.Errorf("left: %v, %v", w.listed("to"), w.listed("to.partial"))
		}
	}
	t.Run("full", func(t *testing.T) {
		rule := w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Write, When: inPartial, Skip: 2, Err: syscall.ENOSPC})
		_, err := Backup(t.Context(), w.tool(), "to")
		if !errors.Is(err, disk.ErrFull) || !strings.Contains(err.Error(), "no room for the backup") || rule.Hits() == 0 {
			t.Errorf("%v", err)
		}
		rule.Clear()
		gone(t)
	})
	t.Run("no room", func(t *testing.T) {
		for _, left := range []int64{9000, 2*defaultSegment + 9000} { // the store has more
			w.disk.SetCapacity(w.disk.Used() + left)
			_, err := Backup(t.Context(), w.tool(), "to")
			if !errors.Is(err, disk.ErrFull) || !strings.Contains(err.Error(), "no room for the backup") || !strings.Contains(err.Error(), "free") {
				t.Errorf("with %d bytes free: %v", left, err)
			}
			w.disk.SetCapacity(0)
			gone(t)
		}
	})
	t.Run("less and less room", func(t *testing.T) {
		w := ready(t)
		w.does(t, post(boxes[0], 1, forever, 0, syncEvery))
		tool := w.tool()
		tool.Progress = func(Progress) { w.disk.SetCapacity(w.disk.Used() + roomLeft) }
		_, err := Backup(t.Context(), tool, "to")
		if !errors.Is(err, disk.ErrFull) || !strings.Contains(err.Error(), "are to be left") {
			t.Errorf("%v", err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tool := w.tool()
		tool.Progress = func(Progress) { cancel() }
		if _, err := Backup(ctx, tool, "to"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		gone(t)
	})
	t.Run("cannot be removed", func(t *testing.T) {
		rule := w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Write | faultdisk.Remove, When: inPartial, Err: syscall.EIO})
		_, err := Backup(t.Context(), w.tool(), "to")
		if err == nil || !strings.Contains(err.Error(), "to.partial") {
			t.Errorf("%v", err)
		}
		rule.Clear()
		if w.listed("to") != nil || w.listed("to.partial") == nil {
			t.Errorf("left: %v, %v", w.listed("to"), w.listed("to.partial"))
		}
	})
	t.Run("next", func(t *testing.T) { // in spite of what is left
		r, err := Backup(t.Context(), w.tool(), "to")
		must(t, err)
		if r.Segments < 4 || r.Bytes < 4*smallestSize/2 || len(r.Damage) > 0 || w.listed("to.partial") != nil {
			t.Errorf("%+v, left: %v", r, w.listed("to.partial"))
		}
		if slices.Contains(w.listed("to"), lockName) {
			t.Error("the backup has a lock file")
		}
	})
}

// TestBackupTargets has targets that a backup must not be written to. What is
// there stays as it is.
func TestBackupTargets(t *testing.T) {
	w := ready(t)
	w.turnPage(t, true)
	if _, err := Backup(t.Context(), w.tool(), "to"); err != nil {
		t.Fatal(err)
	}
	for what, to := range map[string]string{"in use": "to", "in the store": "store/backup", "the store": "store", "no parent": "no/to"} {
		t.Run(what, func(t *testing.T) {
			if _, err := Backup(t.Context(), w.tool(), to); err == nil {
				t.Error("no error")
			}
		})
	}
	t.Run("of what is partial, to its name", func(t *testing.T) {
		tool := w.restored(t, "to").tool() // "store" is the source
		must(t, tool.FS.Rename("store", "left.partial"))
		tool.Dir = "left.partial"
		before, err := tool.FS.List(tool.Dir)
		must(t, err)
		if _, err := Backup(t.Context(), tool, "left"); err == nil || !strings.Contains(err.Error(), "the store itself") {
			t.Errorf("%v", err)
		}
		if after, err := tool.FS.List(tool.Dir); err != nil || !slices.Equal(after, before) {
			t.Errorf("the store has %v, had %v; %v", after, before, err)
		}
	})
	t.Run("cannot be replaced", func(t *testing.T) { // a mount point
		must(t, w.disk.MkdirAll("mount"))
		rule := w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Remove, Name: "mount", Err: syscall.EBUSY})
		copied := w.disk.Stats().Count(faultdisk.Write)
		if _, err := Backup(t.Context(), w.tool(), "mount"); !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "in it") {
			t.Errorf("%v", err)
		}
		rule.Clear()
		if w.disk.Stats().Count(faultdisk.Write) > copied+1 || w.listed("mount.partial") != nil {
			t.Errorf("copied in vain; left: %v", w.listed("mount.partial"))
		}
	})
	t.Run("under way", func(t *testing.T) {
		must(t, w.disk.MkdirAll("busy.partial"))
		l, err := w.disk.Lock("busy.partial/LOCK")
		must(t, err)
		if _, err := Backup(t.Context(), w.tool(), "busy"); !errors.Is(err, disk.ErrLocked) {
			t.Errorf("%v", err)
		}
		must(t, l.Close())
	})
	t.Run("foreign files", func(t *testing.T) {
		must(t, w.disk.MkdirAll("mine.partial"))
		must(t, replaceFile(w.disk, "mine.partial", "mine.partial/notes", []byte("x")))
		if _, err := Backup(t.Context(), w.tool(), "mine"); err == nil || !slices.Contains(w.listed("mine.partial"), "notes") {
			t.Errorf("%v, %v", err, w.listed("mine.partial"))
		}
	})
}

// A backup that crashes at any point is none, or complete.
func TestCrashesDuringBackup(t *testing.T) {
	w := ready(t)
	w.turnPage(t, true)
	want := seenOf(t, w)
	must(t, w.close())
	for n := int64(1); ; n++ {
		crashed := w.on(w.disk.Clone())
		crashed.disk.CrashAt(crashed.disk.Changes() + n)
		_, err := Backup(t.Context(), crashed.tool(), "to")
		if !crashed.disk.Crashed() {
			must(t, err)
			break
		}
		for _, cut := range cuts(uint64(n)) {
			found := w.on(crashed.disk.Crash(cut))
			names, lerr := found.disk.List("to")
			if err == nil && lerr != nil {
				t.Errorf("crash at change %d: the backup is lost", n)
			}
			if lerr != nil {
				continue
			}
			copied := found.restored(t, "to")
			if v := copied.verified(t); !v.Clean {
				t.Errorf("crash at change %d: %v", n, v.Damage)
			}
			must(t, copied.open())
			if got := seenOf(t, copied); got != want {
				t.Errorf("crash at change %d, %v: %s", n, names, difference(want, got))
			}
			_ = copied.close()
		}
	}
}
