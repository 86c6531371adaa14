package embedded

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"zaqar/internal/testenv"
	"zaqar/messaging"
	"zaqar/storage/embedded/disk/faultdisk"
)

// The stress tests let clients loose on one store, all at once, with compaction
// and sweeps running all the time and a disk so slow that operations pile up
// behind each other. Every client notes what it is about to do and what came of
// it; at the end, or after a crash, the store has to agree with the notes.

func TestCrowdLosesAndDuplicatesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testenv.Int(t, envCrowds, 6)) {
		d := faultdisk.New(faultdisk.Config{Seed: seed})
		c := &crowd{fates: map[messaging.MessageID]*fate{}}
		for range 3 {
			slow(d, 5)
			c.openOn(t, d)
			c.work(seed, 60)
			if err := errors.Join(c.check(false), c.store.Close()); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			d = d.Clone()
			c.openOn(t, d)
			if err := errors.Join(c.check(true), c.settle(), c.store.Close()); err != nil {
				t.Fatalf("seed %d, after a restart: %v", seed, err)
			}
			d = d.Clone()
		}
	}
}

// In a crowd, too, a commit for which there is no room fails whole, and everybody
// in it is told; one that fails for good ends writing and leaves nobody waiting.
func TestCrowdSurvivesFailures(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testenv.Int(t, envCrowds, 6)) {
		rng := rand.New(rand.NewPCG(seed, 8))
		d := faultdisk.New(faultdisk.Config{Seed: seed})
		c := &crowd{fates: map[messaging.MessageID]*fate{}, patient: true}
		for round := range 3 {
			slow(d, rng.IntN(8))
			c.openOn(t, d)
			for range 8 {
				d.Inject(faultdisk.Fault{Kind: faultdisk.Write, Name: "*.log", Skip: rng.IntN(400), Times: 1 + rng.IntN(2),
					Err: syscall.ENOSPC, Short: rng.IntN(300)})
				d.Inject(faultdisk.Fault{Kind: faultdisk.Allocate | faultdisk.Create, Skip: rng.IntN(20), Times: 1, Err: syscall.ENOSPC})
			}
			final := rng.IntN(2) == 0
			if final {
				d.Inject(faultdisk.Fault{Kind: faultdisk.Sync, Name: "*.log", Skip: 100 + rng.IntN(300), Times: 1, Err: syscall.EIO})
			}
			c.work(rng.Uint64(), 80)
			if failed := c.store.journal.failed() != nil; failed && !final {
				t.Fatalf("seed %d: writing ended though nothing failed for good", seed)
			}
			err := errors.Join(c.check(false), c.store.Close())
			d = d.Crash(cuts(rng.Uint64())[rng.IntN(2)])
			c.openOn(t, d)
			if err := errors.Join(err, c.check(true), c.settle(), c.store.Close()); err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, round, err)
			}
			d = d.Clone()
		}
	}
}

func TestCrowdSurvivesCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testenv.Int(t, envCrowds, 6)) {
		rng := rand.New(rand.NewPCG(seed, 7))
		d := faultdisk.New(faultdisk.Config{Seed: seed})
		c := &crowd{fates: map[messaging.MessageID]*fate{}}
		for round := range 6 {
			slow(d, rng.IntN(8))
			c.openOn(t, d)
			d.CrashAt(d.Changes() + 1 + rng.Int64N(300))
			c.work(rng.Uint64(), 1000)
			found := d.Crash(cuts(rng.Uint64())[rng.IntN(6)])
			_ = c.store.Close()
			d = found
			c.openOn(t, d)
			if err := errors.Join(c.check(true), c.settle(), c.store.Close()); err != nil {
				t.Fatalf("seed %d, crash %d: %v", seed, round, err)
			}
			d = d.Clone()
		}
	}
}
