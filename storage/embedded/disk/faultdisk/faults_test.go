package faultdisk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/storage/embedded/disk"
)

func TestFaultsChooseOperations(t *testing.T) {
	eio := syscall.EIO
	for _, c := range []struct {
		name  string
		fault Fault
		want  string // per operation: . done, ! failed
	}{
		{"one kind", Fault{Kind: Sync, Err: eio}, ".. .! .. .! .. .!"},
		{"several kinds", Fault{Kind: Sync | Create, Err: eio}, "!"},
		{"every change but Create", Fault{Kind: Changes, When: func(op Op) bool { return op.Kind != Create }, Err: eio}, ".! !! !! !! !! !!"},
		{"reads", Fault{Kind: Read, Err: eio}, ".. .. .. .. .. .."},
		{"once", Fault{Kind: Sync, Times: 1, Err: eio}, ".. .! .. .. .. .."},
		{"the second", Fault{Kind: Sync, Skip: 1, Times: 1, Err: eio}, ".. .. .. .! .. .."},
		{"from the second", Fault{Kind: Sync, Skip: 1, Err: eio}, ".. .. .. .! .. .!"},
		{"by name", Fault{Kind: Write, Name: "*.log", Err: eio}, ".. !. .. !. .. !."},
		{"other name", Fault{Kind: Write, Name: "*.idx", Err: eio}, ".. .. .. .. .. .."},
		{"by predicate", Fault{Kind: Write, When: func(op Op) bool { return op.Off >= 10 }, Err: eio}, ".. .. .. !. .. !."},
	} {
		d := New(Config{})
		r := d.Inject(c.fault)
		if got := d.script(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if got := r.Hits(); got != strings.Count(c.want, "!") {
			t.Errorf("%s: %d hits, want %d", c.name, got, strings.Count(c.want, "!"))
		}
	}
}

// script does Create and SyncDir, then Write and Sync, Truncate and Sync in turn
// on one file, and reports what worked.
func (d *Disk) script() string {
	var out strings.Builder
	note := func(err error) {
		if err != nil {
			out.WriteByte('!')
			return
		}
		out.WriteByte('.')
	}
	f, err := d.Create("dir.d.log")
	note(err)
	if err != nil {
		return out.String()
	}
	note(d.SyncDir("/"))
	for i := range 5 {
		out.WriteByte(' ')
		if i%2 == 0 {
			_, err := f.WriteAt([]byte("0123456789"), int64(i/2*10))
			note(err)
			note(f.Sync())
			continue
		}
		note(f.Truncate(int64(i * 5)))
		note(d.SyncDir("/"))
	}
	return out.String()
}

func TestRulesApplyInOrderUntilCleared(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	shield := d.Inject(Fault{Kind: Sync, Times: 1})
	first := d.Inject(Fault{Kind: Sync, Err: syscall.EIO})
	d.Inject(Fault{Kind: Sync, Err: syscall.EROFS})
	must(t, f.Sync())
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("error %v, want that of the oldest rule", err)
	}
	first.Clear()
	if err := f.Sync(); !errors.Is(err, syscall.EROFS) {
		t.Errorf("error %v, want that of the rule left", err)
	}
	if shield.Hits() != 1 || first.Hits() != 1 {
		t.Errorf("hits %d, %d; want 1, 1", shield.Hits(), first.Hits())
	}
}

func TestShortWrite(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	d.Inject(Fault{Kind: Write, Err: syscall.ENOSPC, Short: 3, Times: 1})
	n, err := f.WriteAt([]byte("hello"), 2)
	if n != 3 || !errors.Is(err, disk.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	wantBytes(t, contentOf(t, d, "f"), []byte("\x00\x00hel"))
}

func TestLies(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	d.Inject(Fault{Kind: Changes, Lie: true})
	write(t, f, "hello", 0)
	must(t, f.Truncate(7))
	must(t, f.Allocate(0, 9))
	must(t, d.Rename("f", "g"))
	must(t, d.SyncDir("/"))
	if got := tree(t, d, "/"); got != "f=" {
		t.Errorf("disk holds %q", got)
	}
	if got := tree(t, d.Crash(Cut{Loss: LoseAll}), "/"); got != "" {
		t.Errorf("after the cut the disk holds %q", got)
	}
}

// As on Linux, the pages of a failed sync count as clean.
func TestFailedSyncIsNotMadeGoodByALaterOne(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	must(t, d.SyncDir("/"))
	write(t, f, strings.Repeat("-", 4096), 0)
	must(t, f.Sync())
	write(t, f, strings.Repeat("x", 2048), 1024)
	d.Inject(Fault{Kind: Sync, Err: syscall.EIO, Times: 1})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	wantBytes(t, contentOf(t, d, "f"), []byte(strings.Repeat("-", 1024)+strings.Repeat("x", 2048)+strings.Repeat("-", 1024)))
	must(t, f.Sync())

	lost := func() string {
		var out strings.Builder
		b := contentOf(t, d.Clone().Crash(Cut{Loss: LoseAll}), "f")
		for i := 1024; i < 3072; i += 512 {
			out.WriteByte(b[i])
		}
		return out.String()
	}
	was := lost()
	if !strings.Contains(was, "-") {
		t.Fatalf("sectors %q: nothing was dropped; choose another seed", was)
	}
	must(t, f.Sync())
	if got := lost(); got != was {
		t.Errorf("sectors %q became %q by syncing again", was, got)
	}
	hole := 1024 + 512*int64(strings.Index(was, "-"))
	write(t, f, "y", hole+1) // dirties the page
	if got := lost(); got != was {
		t.Errorf("sectors %q became %q before any sync", was, got)
	}
	must(t, f.Sync())
	if b := contentOf(t, d.Clone().Crash(Cut{Loss: LoseAll}), "f"); string(b[hole:][:4]) != "xyxx" {
		t.Errorf("a sector written again and synced holds %q", b[hole:][:4])
	}
}

func TestCapacity(t *testing.T) {
	const block = 4096
	d := New(Config{Capacity: 10 * block}) // one is the root's
	free := func() int {
		n, err := d.Free("/")
		must(t, err)
		return int(n) / block
	}
	wantFree := func(when string, want int) {
		t.Helper()
		if got := free(); got != want {
			t.Errorf("%s: %d blocks free, want %d", when, got, want)
		}
	}
	wantFull := func(err error) {
		t.Helper()
		if !errors.Is(err, disk.ErrFull) {
			t.Errorf("error %v, want %v", err, disk.ErrFull)
		}
	}
	wantFree("at first", 9)
	f := create(t, d, "f")
	write(t, f, "x", 0)
	wantFree("with a byte", 7)
	write(t, f, "x", 3*block)
	wantFree("with a hole", 6)
	must(t, f.Allocate(0, 3*block))
	wantFree("with the hole filled", 4)
	wantFull(f.Allocate(0, 9*block))
	if size, _ := f.Size(); size != 3*block+1 {
		t.Errorf("the refused Allocate left size %d", size)
	}
	n, err := f.WriteAt(bytes.Repeat([]byte("y"), 6*block), 4*block-10)
	wantFull(err)
	if n != 4*block+10 {
		t.Errorf("%d bytes written, want what fits", n)
	}
	wantFree("when full", 0)
	_, err = d.Create("g")
	wantFull(err)
	wantFull(d.MkdirAll("dir"))
	write(t, f, strings.Repeat("z", 2*block), 100) // has its space
	if n, err := f.WriteAt([]byte("z"), 8*block); n != 0 || !errors.Is(err, disk.ErrFull) {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	must(t, f.Truncate(block+1))
	wantFree("after truncating", 6)
	must(t, d.Remove("f"))
	wantFree("removed but open", 6)
	must(t, f.Close())
	wantFree("removed and closed", 9)
	g := create(t, d, "g")
	must(t, g.Close())
	h := create(t, d, "h")
	must(t, h.Allocate(0, 2*block))
	must(t, d.Rename("g", "h"))
	must(t, h.Close())
	wantFree("after replacing", 8)
	d.SetCapacity(block)
	wantFree("after shrinking", 0)
	d.SetCapacity(100 * block)
	wantFree("after growing", 98)
	found := d.Crash(Cut{Loss: LoseAll})
	if n, err := found.Free("/"); err != nil || n != 99*block {
		t.Errorf("after a cut that lost the files %d bytes are free, %v", n, err)
	}
}

func TestDamage(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	text := strings.Repeat("hello", 2000)
	write(t, f, text, 0)
	must(t, f.Sync())
	must(t, d.SyncDir("/"))

	must(t, d.FlipBit("f", 5000, 1))
	b := contentOf(t, d, "f")
	if b[5000] != 'h'^2 || string(b[:5000])+"h"+string(b[5001:]) != text {
		t.Errorf("byte 5000 is %q, or others changed", b[5000])
	}
	must(t, d.FlipBit("f", 5000, 1))
	must(t, d.Garble("f", 4000, 300))
	b = contentOf(t, d.Crash(Cut{Loss: LoseAll}), "f")
	for i := range b {
		if hit := i >= 4000 && i < 4300; (b[i] == text[i]) == hit {
			t.Fatalf("byte %d: garbled %v", i, !hit)
		}
	}
	for _, err := range []error{d.FlipBit("f", 10_000, 0), d.Garble("f", 9990, 11), d.FlipBit("no", 0, 0), d.FlipBit("/", 0, 0)} {
		if err == nil {
			t.Error("damaged what is not there")
		}
	}
}

func TestBrokenRange(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	write(t, f, strings.Repeat("x", 3000), 0)
	must(t, d.BreakReads("f", 1000, 512))
	must(t, f.Sync())
	must(t, d.SyncDir("/"))
	must(t, f.Close())
	after := d.Crash(Cut{Loss: LoseAll})
	f, err := after.Open("f")
	must(t, err)
	for _, c := range []struct {
		off, n int64
		want   error
	}{{0, 1000, nil}, {0, 1001, syscall.EIO}, {1511, 1, syscall.EIO}, {1512, 1488, nil}, {900, 1000, syscall.EIO}} {
		if _, err := f.ReadAt(make([]byte, c.n), c.off); !errors.Is(err, c.want) {
			t.Errorf("ReadAt(%d bytes, %d): %v, want %v", c.n, c.off, err, c.want)
		}
	}
}

func TestCounters(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	write(t, f, "hello", 0)
	write(t, f, "hello", 5)
	must(t, f.Sync())
	_, err := f.ReadAt(make([]byte, 20), 0)
	if err != io.EOF {
		t.Fatal(err)
	}
	_, err = d.Open("no")
	if err == nil {
		t.Fatal("opened nothing")
	}
	s := d.Stats()
	got := map[string]int64{}
	for _, k := range []Kind{Create, Write, Sync, Read, Open, Create | Write, Changes, Any} {
		got[k.String()] = s.Count(k)
	}
	want := map[string]int64{"create": 1, "write": 2, "sync": 1, "read": 1, "open": 1,
		"write|create": 3, Changes.String(): 4, Any.String(): 6}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if s.BytesWritten != 10 || s.BytesRead != 10 {
		t.Errorf("%d bytes written, %d read; want 10, 10", s.BytesWritten, s.BytesRead)
	}
}

func TestConcurrentUse(t *testing.T) {
	d := New(Config{})
	d.Inject(Fault{Kind: Sync, Name: "f1", When: func(op Op) bool { return d.Changes()%3 == 0 }, Err: syscall.EIO})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := fmt.Sprintf("f%d", i)
			f, err := d.Create(name)
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 200 {
				if _, err := f.WriteAt(bytes.Repeat([]byte{byte(j)}, 100), int64(j*50)); err != nil {
					t.Error(err)
				}
				if err := f.Sync(); err != nil && (i != 1 || !errors.Is(err, syscall.EIO)) {
					t.Error(err)
				}
				_ = d.SyncDir("/")
			}
		})
	}
	wg.Go(func() {
		for seed := range uint64(100) {
			found := d.Clone().Crash(Cut{Loss: Mixed, Seed: seed})
			f, err := found.Create("other")
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = f.WriteAt(make([]byte, 5000), 0)
		}
	})
	wg.Wait()
	for i := range 4 {
		if got := len(contentOf(t, d, fmt.Sprintf("f%d", i))); got != 199*50+100 {
			t.Errorf("file %d has %d bytes", i, got)
		}
	}
}
