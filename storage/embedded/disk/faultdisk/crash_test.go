package faultdisk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"zaqar/storage/embedded/disk"
)

// Every sector is what it was at some moment since the last sync, and so is
// the size: checked against a naive history of whole contents.
func TestCrashLeavesAMomentOfEachSector(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		sector := []int{512, 512, 4096, 128}[rng.IntN(4)]
		d := New(Config{Seed: seed, Sector: sector})
		f := create(t, d, "f")
		must(t, d.SyncDir("/"))
		now, moments := []byte{}, [][]byte{{}}
		for range 40 {
			synced := step(t, rng, f, &now)
			if synced {
				moments = nil
			}
			moments = append(moments, bytes.Clone(now))
			for cut := range uint64(2) {
				found := d.Clone().Crash(Cut{Loss: Mixed, Seed: seed + cut<<32})
				checkMoments(t, contentOf(t, found, "f"), moments, sector)
			}
			found := d.Clone().Crash(Cut{Loss: LoseAll})
			wantBytes(t, contentOf(t, found, "f"), moments[0])
			found = d.Clone().Crash(Cut{Loss: KeepAll})
			wantBytes(t, contentOf(t, found, "f"), now)
			wantBytes(t, contentOf(t, found.Crash(Cut{Loss: LoseAll}), "f"), moments[0])
			if t.Failed() {
				t.Fatalf("with seed %d, sectors of %d", seed, sector)
			}
		}
	}
}

// step makes a random change to the file and to what it should hold, and
// reports whether it was a sync.
func step(t *testing.T, rng *rand.Rand, f disk.File, now *[]byte) bool {
	const most = 20_000
	resize := func(size int) {
		*now = append(*now, make([]byte, max(0, size-len(*now)))...)[:size]
	}
	switch rng.IntN(10) {
	case 0, 1:
		must(t, f.Sync())
		return true
	case 2:
		size := rng.IntN(most)
		must(t, f.Truncate(int64(size)))
		resize(size)
	case 3:
		off, n := rng.IntN(most), 1+rng.IntN(5000)
		must(t, f.Allocate(int64(off), int64(n)))
		resize(max(len(*now), off+n))
	default:
		p := noise(rng, int64(1+rng.IntN(3000)))
		off := len(*now)
		if rng.IntN(2) == 0 {
			off = rng.IntN(most)
		}
		write(t, f, string(p), int64(off))
		resize(max(len(*now), off+len(p)))
		copy((*now)[off:], p)
	}
	return false
}

func checkMoments(t *testing.T, got []byte, moments [][]byte, sector int) {
	t.Helper()
	if !slices.ContainsFunc(moments, func(m []byte) bool { return len(m) == len(got) }) {
		t.Errorf("size %d was never there", len(got))
	}
	for lo := 0; lo < len(got); lo += sector {
		hi := min(lo+sector, len(got))
		if !slices.ContainsFunc(moments, func(m []byte) bool { return bytes.Equal(padded(m, lo, hi), got[lo:hi]) }) {
			t.Errorf("bytes %d to %d were never there", lo, hi)
		}
	}
}

// Chance must reach every kind of outcome.
func TestCrashOutcomes(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	write(t, f, strings.Repeat("-", 2048), 0)
	must(t, f.Sync())
	must(t, d.SyncDir("/"))
	write(t, f, strings.Repeat("x", 1024), 0)
	write(t, f, strings.Repeat("y", 2048), 1024) // the second half appends
	outcomes := map[string]int{}
	for seed := range uint64(400) {
		b := contentOf(t, d.Crash(Cut{Loss: Mixed, Seed: seed}), "f")
		var s strings.Builder
		for i := 0; i < len(b); i += 512 {
			s.WriteByte(b[i])
		}
		outcomes[strings.ReplaceAll(s.String(), "\x00", "0")]++
	}
	for _, want := range []string{
		"----",   // nothing
		"xxyyyy", // everything
		"xx--",   // the first write
		"--yyyy", // the second without the first
		"xxyy",   // all but the size
		"x---",   // a part of a write
		"----00", // the size alone
		"xxyy00", // the size but not what was appended
		"x-yyyy", // a hole
	} {
		if outcomes[want] == 0 {
			t.Errorf("never %s", want)
		}
	}
	t.Logf("%d outcomes: %v", len(outcomes), outcomes)
}

func TestTornAndGarbage(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	write(t, f, strings.Repeat("-", 1000), 0)
	must(t, f.Sync())
	must(t, d.SyncDir("/"))
	write(t, f, strings.Repeat("x", 300), 100)
	count := func(c Cut) (torn, garbage int) {
		for c.Seed = range 300 {
			b := contentOf(t, d.Crash(c), "f")
			if len(b) != 1000 || strings.Trim(string(b[:100])+string(b[400:]), "-") != "" {
				t.Fatalf("synced bytes changed with seed %d", c.Seed)
			}
			switch s := string(b[100:400]); {
			case strings.Trim(s, "x-") != "":
				garbage++
			case strings.Contains(s, "x-"):
				torn++
			}
		}
		return torn, garbage
	}
	for _, c := range []struct {
		cut           Cut
		torn, garbage bool
	}{
		{Cut{Loss: Mixed}, false, false},
		{Cut{Loss: Mixed, Torn: true}, true, false},
		{Cut{Loss: Mixed, Garbage: true}, false, true},
		{Cut{Loss: Mixed, Torn: true, Garbage: true}, true, true},
	} {
		if torn, garbage := count(c.cut); torn > 0 != c.torn || garbage > 0 != c.garbage {
			t.Errorf("%+v: %d torn, %d garbage", c.cut, torn, garbage)
		}
	}
}

func TestNothingWorksAfterACrash(t *testing.T) {
	d := New(Config{})
	f, closing := create(t, d, "f"), create(t, d, "c")
	l, err := d.Lock("lock")
	must(t, err)
	found := d.Crash(Cut{Loss: KeepAll})
	for name, call := range map[string]func() error{
		"ReadAt":   func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
		"WriteAt":  func() error { _, err := f.WriteAt([]byte("x"), 0); return err },
		"Size":     func() error { _, err := f.Size(); return err },
		"Truncate": func() error { return f.Truncate(0) },
		"Allocate": func() error { return f.Allocate(0, 1) },
		"Sync":     f.Sync,
		"Close":    closing.Close,
		"Create":   func() error { _, err := d.Create("g"); return err },
		"Open":     func() error { _, err := d.Open("f"); return err },
		"Remove":   func() error { return d.Remove("f") },
		"Rename":   func() error { return d.Rename("f", "g") },
		"List":     func() error { _, err := d.List("/"); return err },
		"MkdirAll": func() error { return d.MkdirAll("d") },
		"SyncDir":  func() error { return d.SyncDir("/") },
		"Lock":     func() error { _, err := d.Lock("l"); return err },
		"Free":     func() error { _, err := d.Free("/"); return err },
	} {
		if err := call(); !errors.Is(err, ErrCrashed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l2, err := found.Lock("lock")
	if err != nil {
		t.Fatalf("the lock survived: %v", err)
	}
	_ = l.Close()
	if _, err := found.Lock("lock"); !errors.Is(err, disk.ErrLocked) {
		t.Error("closing the old lock released the new one")
	}
	must(t, l2.Close())
}

func TestCrashAtEveryChange(t *testing.T) {
	whole := New(Config{})
	if acked, replaced := logWork(whole); acked != 5 || !replaced {
		t.Fatal("the work does not get done")
	}
	var n int64
	acks := map[int]bool{}
	for n = 1; n < 100; n++ {
		d := New(Config{Seed: uint64(n)})
		d.CrashAt(n)
		acked, replaced := logWork(d)
		if !d.Crashed() {
			break
		}
		if d.Changes() != n {
			t.Fatalf("%d changes counted at change %d", d.Changes(), n)
		}
		acks[acked] = true
		for seed := range uint64(20) {
			found := d.Crash(Cut{Loss: Mixed, Seed: seed, Torn: true})
			log, err := found.ReadFile("log")
			if acked > 0 && err != nil {
				t.Fatal(err)
			}
			for i := range acked {
				if want := fmt.Sprintf("record %d;", i); len(log) < (i+1)*len(want) || string(log[i*len(want):][:len(want)]) != want {
					t.Fatalf("crash at %d, seed %d: acknowledged %q is not in %q", n, seed, want, log)
				}
			}
			m, err := found.ReadFile("manifest")
			if replaced && err != nil || err == nil && string(m) != "complete" {
				t.Fatalf("crash at %d, seed %d: manifest %q, %v", n, seed, m, err)
			}
		}
	}
	if n != whole.Changes()+1 || n != 18 {
		t.Errorf("the work has %d changes, the loop found %d", whole.Changes(), n-1)
	}
	if len(acks) != 6 {
		t.Errorf("numbers of acknowledged records: %v, want 0 to 5", acks)
	}
}

// The tool must find the classic mistake.
func TestCrashAtEveryChangeFindsAMissingSync(t *testing.T) {
	for n := int64(1); n < 100; n++ {
		d := New(Config{Seed: uint64(n)})
		d.Inject(Fault{Kind: Sync, Lie: true})
		d.CrashAt(n)
		if acked, _ := logWork(d); acked == 0 {
			continue
		}
		if b, err := d.Crash(Cut{Loss: LoseAll}).ReadFile("log"); err == nil && len(b) == 0 {
			return
		}
	}
	t.Error("syncs that lie make no difference")
}

func TestSameSeedsSameOutcome(t *testing.T) {
	run := func() string {
		d := New(Config{Seed: 7})
		rng := rand.New(rand.NewPCG(1, 1))
		var now []byte
		f := create(t, d, "f")
		for range 30 {
			step(t, rng, f, &now)
		}
		d.Inject(Fault{Kind: Sync, Err: io.ErrUnexpectedEOF})
		_ = f.Sync()
		must(t, d.Rename("f", "g"))
		out := ""
		for seed := range uint64(20) {
			out += tree(t, d.Crash(Cut{Loss: Mixed, Seed: seed, Torn: true, Garbage: true}), "/")
		}
		return out
	}
	if first, second := run(), run(); first != second {
		t.Error("two runs differ")
	}
}

func TestClonesAreIndependent(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	write(t, f, "one", 0)
	c := d.Clone()
	write(t, f, "two", 0)
	g, err := c.Open("f")
	must(t, err)
	wantBytes(t, contentOf(t, c, "f"), []byte("one"))
	write(t, g, "THREE", 0)
	must(t, c.Remove("f"))
	wantBytes(t, contentOf(t, d, "f"), []byte("two"))
	must(t, f.Sync())
	wantBytes(t, contentOf(t, d, "f"), []byte("two"))
}

// A crash test is as fast as this.
func BenchmarkCrash(b *testing.B) {
	d := New(Config{})
	f, _ := d.Create("segment")
	_ = f.Allocate(0, 64<<20)
	_, _ = f.WriteAt(make([]byte, 1<<20), 0)
	_ = f.Sync()
	_ = d.SyncDir("/")
	_, _ = f.WriteAt(make([]byte, 64<<10), 1<<20)
	for i := 0; b.Loop(); i++ {
		d.Crash(Cut{Loss: Mixed, Seed: uint64(i)})
	}
}

func BenchmarkWriteSync(b *testing.B) {
	d := New(Config{})
	f, _ := d.Create("segment")
	_ = f.Allocate(0, 64<<20)
	p := make([]byte, 1024)
	b.SetBytes(int64(len(p)))
	for i := 0; b.Loop(); i++ {
		_, _ = f.WriteAt(p, int64(i*len(p)%(64<<20)))
		_ = f.Sync()
	}
}

// A disk that drops syncs does so also with the one at which it stops.
func TestCrashAtALie(t *testing.T) {
	for seed := range uint64(20) {
		d := New(Config{Seed: seed})
		f := create(t, d, "f")
		must(t, d.SyncDir("/"))
		write(t, f, "written", 0)
		d.Inject(Fault{Kind: Sync, Lie: true})
		d.CrashAt(d.Changes() + 1)
		if err := f.Sync(); !errors.Is(err, ErrCrashed) {
			t.Fatalf("the sync at which the disk stops: %v", err)
		}
		wantBytes(t, contentOf(t, d.Crash(Cut{Loss: LoseAll}), "f"), nil)
	}
}
