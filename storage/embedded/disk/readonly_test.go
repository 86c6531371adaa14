package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

// Through a read-only view everything can be seen and nothing be changed.
func TestReadOnly(t *testing.T) {
	for name, c := range map[string]struct {
		fs  disk.FS
		dir string
	}{"os": {disk.OS(), t.TempDir()}, "faultdisk": {faultdisk.New(faultdisk.Config{}), "d"}} {
		t.Run(name, func(t *testing.T) {
			must(t, c.fs.MkdirAll(c.dir))
			path := func(n string) string { return filepath.Join(c.dir, n) }
			f, err := c.fs.Create(path("a"))
			must(t, err)
			write(t, f, "hello", 0)
			must(t, errors.Join(f.Sync(), f.Close()))
			if name == "os" {
				must(t, os.Chmod(path("a"), 0o400))
			}
			ro := disk.ReadOnly(c.fs)
			wantFile(t, ro, path("a"), "hello")
			wantList(t, ro, c.dir, "a")
			if _, err := ro.Free(c.dir); err != nil {
				t.Error(err)
			}
			f, err = ro.Open(path("a"))
			must(t, err)
			defer f.Close()
			for op, call := range map[string]func() error{
				"Create":   func() error { _, err := ro.Create(path("b")); return err },
				"Remove":   func() error { return ro.Remove(path("a")) },
				"Rename":   func() error { return ro.Rename(path("a"), path("b")) },
				"MkdirAll": func() error { return ro.MkdirAll(path("sub")) },
				"SyncDir":  func() error { return ro.SyncDir(c.dir) },
				"Lock":     func() error { _, err := ro.Lock(path("lock")); return err },
				"WriteAt":  func() error { _, err := f.WriteAt([]byte("x"), 0); return err },
				"Truncate": func() error { return f.Truncate(0) },
				"Allocate": func() error { return f.Allocate(0, 100) },
				"Sync":     f.Sync,
			} {
				if err := call(); !errors.Is(err, fs.ErrPermission) {
					t.Errorf("%s: %v", op, err)
				}
			}
			wantList(t, c.fs, c.dir, "a")
			wantFile(t, ro, path("a"), "hello")
		})
	}
}
