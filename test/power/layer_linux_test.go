package power

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

// mounted is a disk, mounted on dir until the test ends.
func mounted(t *testing.T, d *faultdisk.Disk) (dir string, l *Layer) {
	t.Helper()
	needMounts(t)
	dir = t.TempDir()
	l, err := Mount(dir, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return dir, l
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What programs see of the layer is what they see of other file systems.
func TestLayerIsAFileSystem(t *testing.T) {
	dir, _ := mounted(t, faultdisk.New(faultdisk.Config{}))
	d := disk.OS() // system calls as the server makes them
	try(t, d.MkdirAll(dir+"/a/b"))
	f, err := d.Create(dir + "/a/b/one")
	try(t, err)
	if _, err := d.Create(dir + "/a/b/one"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created twice: %v", err)
	}
	text := bytes.Repeat([]byte("0123456789abcdef"), 50_000)
	try(t, f.Allocate(0, 1<<20))
	_, err = f.WriteAt(text, 3)
	try(t, err)
	try(t, f.Sync())
	if size, err := f.Size(); size != 1<<20 || err != nil {
		t.Errorf("%d bytes, %v", size, err)
	}
	try(t, f.Truncate(int64(len(text)+3)))
	try(t, d.Rename(dir+"/a/b/one", dir+"/a/two"))
	try(t, d.SyncDir(dir+"/a"))
	if names, err := d.List(dir + "/a"); !slices.Equal(names, []string{"b", "two"}) || err != nil {
		t.Errorf("listed %q, %v", names, err)
	}
	if got, err := os.ReadFile(dir + "/a/two"); !bytes.Equal(got, append(make([]byte, 3), text...)) || err != nil {
		t.Errorf("%d bytes differ, %v", len(got), err)
	}
	if _, err := d.Open(dir + "/a/b/one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened by its old name: %v", err)
	}
	if err := d.Remove(dir + "/a"); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("removed with something in it: %v", err)
	}
	lock, err := d.Lock(dir + "/LOCK")
	try(t, err)
	if _, err := d.Lock(dir + "/LOCK"); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	try(t, lock.Close())

	try(t, d.Remove(dir+"/a/two"))
	got := make([]byte, len(text))
	if _, err := f.ReadAt(got, 3); err != nil || !bytes.Equal(got, text) {
		t.Errorf("read without a name: %v", err)
	}
	if size, err := f.Size(); size != int64(len(text)+3) || err != nil {
		t.Errorf("without a name %d bytes, %v", size, err)
	}
	try(t, f.Close())
}

func TestLayerFull(t *testing.T) {
	dir, _ := mounted(t, faultdisk.New(faultdisk.Config{Capacity: 1 << 20}))
	if err := os.WriteFile(dir+"/a", make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("two MiB went on a disk of one: %v", err)
	}
	if free, err := disk.OS().Free(dir); free > 8192 || err != nil {
		t.Errorf("%d bytes free, %v", free, err)
	}
}

// A cut takes what was not synced, and nothing else.
func TestLayerForgets(t *testing.T) {
	d := faultdisk.New(faultdisk.Config{})
	dir, l := mounted(t, d)
	o := disk.OS()
	try(t, o.MkdirAll(dir+"/kept"))
	try(t, os.Mkdir(dir+"/lost", 0o700))
	files := map[string]disk.File{}
	for _, name := range []string{"synced", "unsynced", "nameless", "cut", "renamed"} {
		f, err := o.Create(filepath.Join(dir, "kept", name))
		try(t, err)
		_, err = f.WriteAt([]byte("first"), 0)
		try(t, err)
		files[name] = f
		if name != "unsynced" {
			try(t, f.Sync())
		}
		if name != "nameless" {
			try(t, o.SyncDir(dir+"/kept"))
		} else {
			try(t, o.Rename(dir+"/kept/nameless", dir+"/elsewhere"))
		}
	}
	_, err := files["synced"].WriteAt([]byte("other"), 0)
	try(t, err)
	try(t, files["cut"].Truncate(1))
	try(t, o.Rename(dir+"/kept/renamed", dir+"/kept/again"))

	found := d.Crash(faultdisk.Cut{Loss: faultdisk.LoseAll})
	l.Resume()
	if _, err := files["synced"].WriteAt([]byte("x"), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("written after the cut: %v", err)
	}
	for _, f := range files {
		try(t, f.Close())
	}
	after, _ := mounted(t, found)
	if names, err := o.List(after); !slices.Equal(names, []string{"kept"}) || err != nil {
		t.Errorf("left: %q, %v", names, err)
	}
	for name, want := range map[string]string{"synced": "first", "unsynced": "", "cut": "first", "renamed": "first"} {
		if got, err := os.ReadFile(filepath.Join(after, "kept", name)); string(got) != want || err != nil {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	if names, err := o.List(after + "/kept"); len(names) != 4 || err != nil {
		t.Errorf("left: %q, %v", names, err)
	}
}

// What a cut left can be kept for a look at it.
func TestSave(t *testing.T) {
	d := faultdisk.New(faultdisk.Config{})
	try(t, d.MkdirAll("/data/quarantine"))
	f, err := d.Create("/data/FORMAT")
	try(t, err)
	_, err = f.WriteAt([]byte("1"), 0)
	try(t, err)
	dir := t.TempDir() + "/saved"
	m := machine{booted: d.Clone()}
	try(t, m.save(dir))
	if got, err := os.ReadFile(dir + "/data/FORMAT"); string(got) != "1" || err != nil {
		t.Errorf("saved %q, %v", got, err)
	}
	if names, err := disk.OS().List(dir + "/data"); !slices.Equal(names, []string{"FORMAT", "quarantine"}) || err != nil {
		t.Errorf("saved %q, %v", names, err)
	}
}
