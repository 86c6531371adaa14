package disk_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

// Both implementations keep the same promises.
func TestConformance(t *testing.T) {
	places := []struct {
		name string
		open func(t *testing.T) (disk.FS, string)
	}{
		{"os", func(t *testing.T) (disk.FS, string) { return disk.OS(), t.TempDir() }},
		{"faultdisk", func(t *testing.T) (disk.FS, string) {
			d := faultdisk.New(faultdisk.Config{})
			must(t, d.MkdirAll("/base"))
			return d, "/base"
		}},
	}
	for _, p := range places {
		for _, c := range conformance {
			t.Run(p.name+"/"+c.name, func(t *testing.T) {
				fsys, dir := p.open(t)
				c.run(t, fsys, func(name string) string { return filepath.Join(dir, name) })
			})
		}
	}
}

var conformance = []struct {
	name string
	run  func(t *testing.T, fsys disk.FS, at func(string) string)
}{
	{"create makes an empty file", func(t *testing.T, fsys disk.FS, at func(string) string) {
		f := create(t, fsys, at("a"))
		wantContent(t, f, "")
		_, err := fsys.Create(at("a"))
		wantErr(t, err, fs.ErrExist)
		_, err = fsys.Create(at("no/a"))
		wantErr(t, err, fs.ErrNotExist)
		_, err = fsys.Create(at("a/b"))
		if err == nil {
			t.Error("created a file within a file")
		}
	}},
	{"open finds what create made", func(t *testing.T, fsys disk.FS, at func(string) string) {
		_, err := fsys.Open(at("a"))
		wantErr(t, err, fs.ErrNotExist)
		write(t, create(t, fsys, at("a")), "hello", 0)
		f, err := fsys.Open(at("a"))
		must(t, err)
		wantContent(t, f, "hello")
		write(t, f, "J", 0)
		wantContent(t, f, "Jello")
		must(t, f.Close())
		if _, err = fsys.Open(at(".")); err == nil {
			t.Error("opened a directory")
		}
	}},
	{"write fills gaps with zeros", func(t *testing.T, fsys disk.FS, at func(string) string) {
		f := create(t, fsys, at("a"))
		write(t, f, "end", 5000)
		write(t, f, "begin", 0)
		wantContent(t, f, "begin"+zeros(4995)+"end")
	}},
	{"writes across pages", func(t *testing.T, fsys disk.FS, at func(string) string) {
		f := create(t, fsys, at("a"))
		rng := rand.New(rand.NewPCG(1, 2))
		want := make([]byte, 50_000)
		must(t, f.Truncate(int64(len(want))))
		for range 300 {
			off := rng.IntN(len(want))
			p := want[off:min(len(want), off+rng.IntN(9000))]
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
			write(t, f, string(p), int64(off))
		}
		wantContent(t, f, string(want))
	}},
	{"reads end with EOF", func(t *testing.T, fsys disk.FS, at func(string) string) {
		f := create(t, fsys, at("a"))
		write(t, f, "hello", 0)
		for _, c := range []struct {
			off  int64
			len  int
			want string
			err  error
		}{
			{0, 5, "hello", nil}, {0, 6, "hello", io.EOF}, {3, 1, "l", nil}, {5, 1, "", io.EOF}, {9, 1, "", io.EOF}, {9, 0, "", nil},
		} {
			buf := make([]byte, c.len)
			n, err := f.ReadAt(buf, c.off)
			if got := string(buf[:n]); got != c.want || err != c.err {
				t.Errorf("ReadAt(%d bytes, %d) = %q, %v; want %q, %v", c.len, c.off, got, err, c.want, c.err)
			}
		}
	}},
	{"truncate cuts and grows", func(t *testing.T, fsys disk.FS, at func(string) string) {
		f := create(t, fsys, at("a"))
		write(t, f, "hello world", 0)
		must(t, f.Truncate(4))
		wantContent(t, f, "hell")
		must(t, f.Truncate(8))
		wantContent(t, f, "hell"+zeros(4))
		must(t, f.Truncate(9000))
		write(t, f, "x", 8999)
		must(t, f.Truncate(5))
		write(t, f, "y", 9999)
		wantContent(t, f, "hell"+zeros(9995)+"y")
		if f.Truncate(-1) == nil {
			t.Error("no error for a negative size")
		}
	}},
	{"allocate keeps content and grows", func(t *testing.T, fsys disk.FS, at func(string) string) {
		f := create(t, fsys, at("a"))
		write(t, f, "hello", 0)
		must(t, f.Allocate(0, 3))
		wantContent(t, f, "hello")
		must(t, f.Allocate(2, 10_000))
		wantContent(t, f, "hello"+zeros(9997))
		write(t, f, "x", 10_001)
		must(t, f.Sync())
		wantContent(t, f, "hello"+zeros(9996)+"x")
		for _, r := range [][2]int64{{-1, 2}, {0, 0}, {0, -1}} {
			if f.Allocate(r[0], r[1]) == nil {
				t.Errorf("no error for the range %v", r)
			}
		}
		wantContent(t, f, "hello"+zeros(9996)+"x")
	}},
	{"negative offsets are refused", func(t *testing.T, fsys disk.FS, at func(string) string) {
		f := create(t, fsys, at("a"))
		if _, err := f.WriteAt([]byte("x"), -1); err == nil {
			t.Error("WriteAt: no error")
		}
		if _, err := f.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
			t.Errorf("ReadAt: %v", err)
		}
	}},
	{"rename replaces", func(t *testing.T, fsys disk.FS, at func(string) string) {
		write(t, create(t, fsys, at("a")), "new", 0)
		old := create(t, fsys, at("b"))
		write(t, old, "old", 0)
		must(t, fsys.Rename(at("a"), at("b")))
		wantFile(t, fsys, at("b"), "new")
		wantContent(t, old, "old")
		wantList(t, fsys, at("."), "b")
		must(t, fsys.Rename(at("b"), at("b")))
		wantFile(t, fsys, at("b"), "new")
		wantErr(t, fsys.Rename(at("a"), at("c")), fs.ErrNotExist)
		wantErr(t, fsys.Rename(at("b"), at("no/c")), fs.ErrNotExist)
		must(t, fsys.MkdirAll(at("dir")))
		must(t, fsys.Rename(at("b"), at("dir/b")))
		wantList(t, fsys, at("dir"), "b")
		if fsys.Rename(at("dir/b"), at("dir")) == nil {
			t.Error("renamed a file over a directory")
		}
	}},
	{"directories are renamed", func(t *testing.T, fsys disk.FS, at func(string) string) {
		must(t, fsys.MkdirAll(at("d/e")))
		write(t, create(t, fsys, at("d/e/a")), "a", 0)
		must(t, fsys.Rename(at("d"), at("f")))
		wantList(t, fsys, at("."), "f")
		wantFile(t, fsys, at("f/e/a"), "a")
		create(t, fsys, at("g"))
		for _, to := range []string{"g", "f/e/f"} {
			if fsys.Rename(at("f"), at(to)) == nil {
				t.Errorf("renamed a directory to %s", to)
			}
		}
		wantFile(t, fsys, at("f/e/a"), "a")
	}},
	{"removed files live until closed", func(t *testing.T, fsys disk.FS, at func(string) string) {
		wantErr(t, fsys.Remove(at("a")), fs.ErrNotExist)
		f := create(t, fsys, at("a"))
		must(t, fsys.Remove(at("a")))
		write(t, f, "still here", 0)
		must(t, f.Sync())
		wantContent(t, f, "still here")
		wantList(t, fsys, at("."))
		wantContent(t, create(t, fsys, at("a")), "")
	}},
	{"remove takes empty directories only", func(t *testing.T, fsys disk.FS, at func(string) string) {
		must(t, fsys.MkdirAll(at("d/e")))
		if fsys.Remove(at("d")) == nil {
			t.Error("removed a directory with something in it")
		}
		must(t, fsys.Remove(at("d/e")))
		must(t, fsys.Remove(at("d")))
		wantList(t, fsys, at("."))
	}},
	{"list is sorted", func(t *testing.T, fsys disk.FS, at func(string) string) {
		wantList(t, fsys, at("."))
		for _, name := range []string{"b", "a10", "B", "a9", "é", "a"} {
			create(t, fsys, at(name))
		}
		must(t, fsys.MkdirAll(at("c/d")))
		wantList(t, fsys, at("."), "B", "a", "a10", "a9", "b", "c", "é")
		_, err := fsys.List(at("no"))
		wantErr(t, err, fs.ErrNotExist)
		if _, err := fsys.List(at("a")); err == nil {
			t.Error("listed a file")
		}
	}},
	{"mkdirall makes parents", func(t *testing.T, fsys disk.FS, at func(string) string) {
		must(t, fsys.MkdirAll(at("x/y/z")))
		must(t, fsys.MkdirAll(at("x/y/z")))
		must(t, fsys.MkdirAll(at("x/y/w/")))
		wantList(t, fsys, at("x/y"), "w", "z")
		create(t, fsys, at("x/f"))
		for _, name := range []string{"x/f", "x/f/g"} {
			if fsys.MkdirAll(at(name)) == nil {
				t.Errorf("MkdirAll(%s) over a file succeeded", name)
			}
		}
	}},
	{"syncdir needs a directory", func(t *testing.T, fsys disk.FS, at func(string) string) {
		create(t, fsys, at("a"))
		must(t, fsys.SyncDir(at(".")))
		wantErr(t, fsys.SyncDir(at("no")), fs.ErrNotExist)
	}},
	{"lock excludes", func(t *testing.T, fsys disk.FS, at func(string) string) {
		l, err := fsys.Lock(at("lock"))
		must(t, err)
		_, err = fsys.Lock(at("lock"))
		wantErr(t, err, disk.ErrLocked)
		if err != nil && !bytes.Contains([]byte(err.Error()), []byte("process ")) {
			t.Errorf("%q does not tell who holds the lock", err)
		}
		must(t, l.Close())
		wantList(t, fsys, at("."), "lock")
		l, err = fsys.Lock(at("lock"))
		must(t, err)
		must(t, l.Close())
		_, err = fsys.Lock(at("no/lock"))
		wantErr(t, err, fs.ErrNotExist)
	}},
	{"of concurrent locks one wins", func(t *testing.T, fsys disk.FS, at func(string) string) {
		var wg sync.WaitGroup
		won := make(chan io.Closer, 8)
		for range cap(won) {
			wg.Go(func() {
				l, err := fsys.Lock(at("lock"))
				if err == nil {
					won <- l
				} else if !errors.Is(err, disk.ErrLocked) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Errorf("%d hold the lock", len(won))
		}
	}},
	{"free shrinks as space is taken", func(t *testing.T, fsys disk.FS, at func(string) string) {
		free, err := fsys.Free(at("."))
		must(t, err)
		if free == 0 {
			t.Error("no space")
		}
		_, err = fsys.Free(at("no"))
		wantErr(t, err, fs.ErrNotExist)
	}},
	{"closed files refuse", func(t *testing.T, fsys disk.FS, at func(string) string) {
		f, err := fsys.Create(at("a"))
		must(t, err)
		write(t, f, "x", 0)
		must(t, f.Close())
		for name, call := range map[string]func() error{
			"ReadAt":   func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
			"WriteAt":  func() error { _, err := f.WriteAt([]byte("x"), 0); return err },
			"Size":     func() error { _, err := f.Size(); return err },
			"Truncate": func() error { return f.Truncate(0) },
			"Allocate": func() error { return f.Allocate(0, 1) },
			"Sync":     f.Sync,
			"Close":    f.Close,
		} {
			if err := call(); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		wantFile(t, fsys, at("a"), "x")
	}},
	{"concurrent writers", func(t *testing.T, fsys disk.FS, at func(string) string) {
		f := create(t, fsys, at("a"))
		var wg sync.WaitGroup
		var want []byte
		for i := range 8 {
			p := bytes.Repeat([]byte{byte('a' + i)}, 3000)
			want = append(want, p...)
			wg.Go(func() {
				for j := 0; j < len(p); j += 100 {
					if _, err := f.WriteAt(p[j:j+100], int64(i*len(p)+j)); err != nil {
						t.Error(err)
					}
					if err := f.Sync(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		wantContent(t, f, string(want))
	}},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func zeros(n int) string { return string(make([]byte, n)) }

// create makes a file that is closed at the end of the test.
func create(t *testing.T, fsys disk.FS, name string) disk.File {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func write(t *testing.T, f disk.File, s string, off int64) {
	t.Helper()
	if n, err := f.WriteAt([]byte(s), off); err != nil || n != len(s) {
		t.Fatalf("WriteAt = %d, %v; want %d", n, err, len(s))
	}
}

func wantContent(t *testing.T, f disk.File, want string) {
	t.Helper()
	size, err := f.Size()
	must(t, err)
	got := make([]byte, size)
	_, err = f.ReadAt(got, 0)
	must(t, err)
	if string(got) != want {
		t.Errorf("content differs (-want +got):\n%s", cmp.Diff([]byte(want), got))
	}
}

func wantFile(t *testing.T, fsys disk.FS, name, want string) {
	t.Helper()
	f, err := fsys.Open(name)
	must(t, err)
	defer f.Close()
	wantContent(t, f, want)
}

func wantList(t *testing.T, fsys disk.FS, dir string, want ...string) {
	t.Helper()
	got, err := fsys.List(dir)
	must(t, err)
	if len(got)+len(want) > 0 && !cmp.Equal(got, want) {
		t.Errorf("List = %q, want %q", got, want)
	}
}
