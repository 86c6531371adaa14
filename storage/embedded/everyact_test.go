package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"zaqar/internal/testenv"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

// These tests go through everything a store does (everyAct) and let the disk
// fail at each act in turn.

// logFails makes the next such operation on a segment fail.
func logFails(d *faultdisk.Disk, kind faultdisk.Kind, err error, short int) *faultdisk.Rule {
	return d.Inject(faultdisk.Fault{Kind: kind, Name: "*" + logSuffix, Times: 1, Err: err, Short: short})
}

// everyway is an empty store that is closed, every kind of act, and how they go
// when nothing fails.
func everyway(t *testing.T) (start *world, acts []act, path *journey) {
	t.Helper()
	start = newWorld(faultdisk.New(faultdisk.Config{}))
	must(t, start.open())
	must(t, start.close())
	acts = everyAct()
	return start, acts, travel(t, start, acts)
}

// A sync or write that fails ends writing: the call fails, nobody sees anything
// of it, reads go on, and the next start finds it wholly or not at all.
func TestFailedWritesAtEveryAct(t *testing.T) {
	t.Parallel()
	start, acts, path := everyway(t)
	w := start.on(start.disk.Clone())
	must(t, w.open())
	for i := range acts {
		branch := w.on(w.disk.Clone())
		must(t, branch.open())
		fault := []func() *faultdisk.Rule{
			func() *faultdisk.Rule { return logFails(branch.disk, faultdisk.Sync, syscall.EIO, 0) },
			func() *faultdisk.Rule { return logFails(branch.disk, faultdisk.Write, syscall.EIO, 50) },
		}[i%2]
		if err := failAt(branch, path, i, fault()); err != nil {
			t.Fatalf("%v\n%s", err, story(acts[:i+1]))
		}
		if _, err := w.run(acts[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.close()
}

func failAt(w *world, path *journey, i int, rule *faultdisk.Rule) error {
	_, err := w.run(path.acts[i : i+1])
	if rule.Hits() == 0 {
		return errors.Join(err, w.close()) // it writes nothing
	}
	// Only what the store does of its own accord may fail without harm.
	if own := []string{tend.text, compact.text, restart.text}; err == nil && !slices.Contains(own, path.acts[i].text) {
		return errors.New("the call succeeds though writing failed")
	}
	if w.store == nil {
		return nil // the start itself failed
	}
	w.ledger = path.ledgers[i].clone()
	if dump, derr := w.dump(); derr != nil || dump != path.dumps[i] && !(err == nil && dump == path.dumps[i+1]) {
		return fmt.Errorf("%w: it is seen that the call was not without effect (-want +got):\n%s", errors.Join(err, derr), difference(path.dumps[i], dump))
	}
	if w.store.journal.failed() != nil {
		touched := w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Write | faultdisk.Sync, Name: "*" + logSuffix, Err: syscall.EIO})
		for _, a := range []act{post(boxes[0], 1, 9, 0, 1), control(0, 3, 3), control(1, 3, 3), compact} {
			if err := a.do(w); a.text != compact.text && !errors.Is(err, messaging.Unavailable) {
				return fmt.Errorf("%s after a failed write: %w", a.text, err)
			}
		}
		if touched.Hits() > 0 {
			return errors.New("the log is written again after a failed write")
		}
		touched.Clear()
	}
	for _, loss := range []faultdisk.Loss{faultdisk.KeepAll, faultdisk.LoseAll} {
		found := w.disk.Crash(faultdisk.Cut{Loss: loss})
		again, _, err := path.arrive(w, found, i)
		if err == nil {
			err = again.sound()
			_ = again.close()
		}
		if err != nil {
			return fmt.Errorf("at the next start: %w", err)
		}
	}
	_ = w.close()
	return nil
}

// Whatever fails of what is not the writing of records, nothing is lost and
// nothing stops.
func TestFailuresBesideTheLogAtEveryAct(t *testing.T) {
	t.Parallel()
	start, acts, path := everyway(t)
	kinds := []faultdisk.Kind{faultdisk.Create, faultdisk.Allocate, faultdisk.Rename, faultdisk.Remove, faultdisk.SyncDir,
		faultdisk.Write, faultdisk.Sync, faultdisk.Truncate}
	for _, kind := range kinds {
		for n, cause := range []error{syscall.EIO, syscall.ENOSPC} {
			for skip := range 4 {
				w := start.on(start.disk.Clone())
				must(t, w.open())
				name := ""
				if kind&(faultdisk.Write|faultdisk.Sync) != 0 {
					name = "*" + newSuffix
				}
				w.disk.Inject(faultdisk.Fault{Kind: kind, Name: name, Skip: 3*skip + n, Times: 2, Err: cause})
				var refused []int
				for i, a := range acts {
					if a.text == restart.text {
						continue // what fails in there fails the start, rightly
					}
					if _, err := w.run(acts[i : i+1]); err != nil && a.text != compact.text {
						refused = append(refused, i)
						// A commit that needs a segment which cannot be made fails; one of
						// the next looks of the keeper puts it right. The store's own
						// keeper looks, too, so a refusal may be the echo of its failure.
						for try := 0; err != nil; try++ {
							if try == 20 {
								t.Fatalf("%v %v after %d: act %d fails for good: %v\n%s", kind, cause, skip, i, err, story(acts[:i+1]))
							}
							w.store.tend()
							_, err = w.run(acts[i : i+1])
						}
					}
				}
				if len(refused) > 3 {
					t.Errorf("%v %v after %d: acts %v were refused", kind, cause, skip, refused)
				}
				if err := errors.Join(w.audit(), w.store.journal.failed()); err != nil {
					t.Fatalf("%v %v after %d: %v", kind, cause, skip, err)
				}
				if len(refused) == 0 { // else ids are not those of the journey
					if dump, err := w.dump(); err != nil || dump != path.dumps[len(acts)] {
						t.Fatalf("%v %v after %d: %v (-want +got)\n%s", kind, cause, skip, err, difference(path.dumps[len(acts)], dump))
					}
				}
				if err := w.sound(); err != nil {
					t.Fatalf("%v %v after %d: %v", kind, cause, skip, err)
				}
				_ = w.close()
			}
		}
	}
}

// On a disk that is full again and again what is refused is refused whole, and
// what frees space goes on.
func TestRandomActsOnAFullDisk(t *testing.T) {
	t.Parallel()
	first := testenv.Int(t, envSeed, 1)
	for seed := first; seed < first+testenv.Int(t, envHistories, 40)/2; seed++ {
		if err := fullDisk(t, uint64(seed)); err != nil {
			t.Fatalf("%s=%d: %v", envSeed, seed, err)
		}
	}
}

func fullDisk(t *testing.T, seed uint64) error {
	w := newWorld(faultdisk.New(faultdisk.Config{Seed: seed}))
	must(t, w.open())
	defer w.close()
	if seed%3 == 0 { // a file system that does not really reserve
		w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Allocate, Lie: true})
	}
	acts := randomActs(seed, 120)
	refusals := 0
	for i, a := range acts {
		switch i % 40 {
		case 5:
			w.disk.SetCapacity(w.disk.Used() + int64(seed%4)*smallestSize)
		case 35:
			w.disk.SetCapacity(0)
			w.store.tend()
		}
		before, err := w.dump()
		if err != nil {
			return fmt.Errorf("reading on a full disk: %w", err)
		}
		if a.text == restart.text {
			must(t, w.close())
			if err := w.open(); err != nil {
				return fmt.Errorf("restart on a full disk: %w\n%s", err, story(acts[:i+1]))
			}
			if after, err := w.dump(); err != nil || after != before {
				return fmt.Errorf("restart on a full disk: %w (-want +got)\n%s", err, difference(before, after))
			}
			continue
		}
		err = a.do(w)
		if !failed(err) {
			continue
		}
		if !errors.Is(err, disk.ErrFull) && !errors.Is(err, messaging.Unavailable) {
			return fmt.Errorf("%s: %w\n%s", a.text, err, story(acts[:i+1]))
		}
		refusals++
		if after, err := w.dump(); err != nil || after != before && a.text != compact.text && a.text != sweep.text {
			return fmt.Errorf("%s was refused and is seen: %w (-want +got)\n%s", a.text, err, difference(before, after))
		}
	}
	w.disk.SetCapacity(0)
	w.store.tend()
	if err := errors.Join(w.audit(), w.store.journal.failed()); err != nil {
		return err
	}
	if _, err := w.run([]act{post(boxes[0], 3, forever, 0, 900), compact, tend, post(boxes[1], 3, forever, 0, 900)}); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	return w.sound()
}

// The reserve is for those who make room: on a disk that is full to the last
// block a consumer empties the queue, and the producer goes on by itself.
func TestConsumersEmptyAFullDisk(t *testing.T) {
	ctx := context.Background()
	w := ready(t)
	w.disk.SetCapacity(w.disk.Used() + 20*smallestSize)
	var err error
	posted := 0
	for err == nil && posted < 1000 {
		_, err = w.store.Append(ctx, boxes[0], clients[0], []messaging.Draft{{TTL: forever, Body: make([]byte, 300)}}, storage.AppendOptions{})
		w.store.tend()
		posted++
	}
	if !errors.Is(err, messaging.Unavailable) || posted < 50 {
		t.Fatalf("%d posts, then %v", posted, err)
	}
	for taken := 0; taken < posted-1; {
		lease, err := w.store.Claim(ctx, boxes[0], storage.Terms{TTL: 60, Limit: 5})
		if err != nil || lease.Claim.ID == "" {
			t.Fatalf("claim after %d of %d: %v", taken, posted, err)
		}
		var ids []messaging.MessageID
		for i := range lease.Messages {
			ids = append(ids, lease.Messages[i].ID)
		}
		if err := w.store.Remove(ctx, boxes[0], ids, storage.Hold{By: []messaging.ClaimID{lease.Claim.ID}}); err != nil {
			t.Fatalf("delete after %d of %d: %v", taken, posted, err)
		}
		taken += len(ids)
		must(t, w.store.Compact())
		w.store.tend()
	}
	w.does(t, post(boxes[0], 1, forever, 0, 300))
	w.unchanged(t)
}
