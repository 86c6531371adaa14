package faultdisk

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestCrashAtLeavesWholePartAndNothing(t *testing.T) {
	sizes := map[string]int{}
	for seed := range uint64(200) {
		d := New(Config{Seed: seed})
		f := create(t, d, "f")
		d.CrashAt(2)
		if n, err := f.WriteAt([]byte("xxxx"), 0); n != 0 || !errors.Is(err, ErrCrashed) {
			t.Fatalf("WriteAt = %d, %v", n, err)
		}
		b, err := d.ReadFile("f")
		must(t, err)
		sizes[string(b)]++
	}
	for _, want := range []string{"", "x", "xx", "xxx", "xxxx"} {
		if sizes[want] == 0 {
			t.Errorf("never %q", want)
		}
	}
	done := 0
	for seed := range uint64(50) {
		d := New(Config{Seed: seed})
		d.CrashAt(1)
		if _, err := d.Create("f"); !errors.Is(err, ErrCrashed) {
			t.Fatal(err)
		}
		if tree(t, d.Crash(Cut{Loss: KeepAll}), "/") != "" {
			done++
		}
	}
	if done == 0 || done == 50 {
		t.Errorf("the last operation was done %d times of 50", done)
	}
}

// The write at which the disk stops ends at any byte, but what a power cut
// leaves of it are whole sectors, unless they may be torn.
func TestCrashAtTearsNoSectors(t *testing.T) {
	const sector = 16
	for _, tears := range []bool{false, true} {
		torn, written := 0, 0
		for seed := range uint64(500) {
			d := New(Config{Seed: seed, Sector: sector})
			f := create(t, d, "f")
			_, err := f.WriteAt(bytes.Repeat([]byte("-"), 4*sector), 0)
			must(t, err)
			must(t, f.Sync())
			must(t, d.SyncDir("/"))
			d.CrashAt(d.Changes() + 1)
			if _, err := f.WriteAt(bytes.Repeat([]byte("x"), 4*sector), 0); !errors.Is(err, ErrCrashed) {
				t.Fatal(err)
			}
			b, err := d.Crash(Cut{Loss: Mixed, Seed: seed, Torn: tears}).ReadFile("f")
			must(t, err)
			for s := range slices.Chunk(b, sector) {
				switch bytes.Count(s, []byte("x")) {
				case 0:
				case sector:
					written++
				default:
					torn++
				}
			}
		}
		if torn > 0 != tears || written == 0 {
			t.Errorf("torn: %v: %d sectors written, %d torn", tears, written, torn)
		}
	}
}
