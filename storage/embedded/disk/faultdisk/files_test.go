package faultdisk

import (
	"bytes"
	"fmt"
	"testing"

	"zaqar/storage/embedded/disk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, d *Disk, name string) disk.File {
	t.Helper()
	f, err := d.Create(name)
	must(t, err)
	return f
}

func write(t *testing.T, f disk.File, s string, off int64) {
	t.Helper()
	if n, err := f.WriteAt([]byte(s), off); err != nil || n != len(s) {
		t.Fatalf("WriteAt = %d, %v; want %d", n, err, len(s))
	}
}

func contentOf(t *testing.T, d *Disk, name string) []byte {
	t.Helper()
	b, err := d.ReadFile(name)
	must(t, err)
	return b
}

func wantBytes(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("content %d bytes %.40q, want %d bytes %.40q", len(got), got, len(want), want)
	}
}

// padded returns a range of b, with zeros behind its end.
func padded(b []byte, lo, hi int) []byte {
	p := make([]byte, hi-lo)
	if lo < len(b) {
		copy(p, b[lo:])
	}
	return p
}

// logWork appends and syncs records, then replaces a manifest. It returns how
// many records and whether the manifest were acknowledged.
func logWork(d *Disk) (acked int, replaced bool) {
	f, err := d.Create("log")
	if err != nil || d.SyncDir("/") != nil {
		return 0, false
	}
	for i := range 5 {
		record := fmt.Appendf(nil, "record %d;", i)
		if _, err := f.WriteAt(record, int64(i*len(record))); err != nil {
			return i, false
		}
		if f.Sync() != nil {
			return i, false
		}
	}
	m, err := d.Create("manifest.tmp")
	if err != nil {
		return 5, false
	}
	if _, err = m.WriteAt([]byte("complete"), 0); err != nil || m.Sync() != nil ||
		d.Rename("manifest.tmp", "manifest") != nil || d.SyncDir("/") != nil {
		return 5, false
	}
	return 5, true
}
