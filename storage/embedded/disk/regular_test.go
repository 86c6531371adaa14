package disk_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"zaqar/storage/embedded/disk"
)

// Whoever finds a pipe among the files of a store is not kept waiting by it.
func TestPipesAreRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "0000000001.log")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, files := range map[string]disk.FS{"writing": disk.OS(), "reading": disk.ReadOnly(disk.OS())} {
		if f, err := files.Open(name); err == nil {
			t.Errorf("opened for %s", what)
			f.Close()
		}
	}
}
