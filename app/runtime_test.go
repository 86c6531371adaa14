package app

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestRuntimeApply(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetMemoryLimit(limit); debug.SetGCPercent(percent) })

	Runtime{MemoryLimit: 1 << 30, GCPercent: 250}.Apply()
	if got := debug.SetMemoryLimit(-1); got != 1<<30 {
		t.Errorf("limit %d", got)
	}
	if got := debug.SetGCPercent(100); got != 250 {
		t.Errorf("collection at %d %%", got)
	}
	Runtime{MemoryLimit: -1, GCPercent: 0}.Apply()
	if l, p := debug.SetMemoryLimit(-1), debug.SetGCPercent(100); l != 1<<30 || p != 100 {
		t.Errorf("what was to be left alone became %d and %d", l, p)
	}
	if available() > 0 {
		DefaultRuntime().Apply()
		if got := debug.SetMemoryLimit(-1); got != available()/10*7 {
			t.Errorf("limit %d of %d", got, available())
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int64{
		"MemFree: 1 kB\nMemTotal:  2048 kB\n": 2048, "MemFree: 1 kB\n": 0, "MemTotal: lots\n": 0, "": 0,
	} {
		file := filepath.Join(t.TempDir(), "meminfo")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := number(file, "MemTotal:"); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	max := filepath.Join(t.TempDir(), "memory.max")
	if err := os.WriteFile(max, []byte("max\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := number(max, ""); got != 0 {
		t.Errorf("no limit: %d", got)
	}
	if got := number(max+"2", ""); got != 0 {
		t.Errorf("no file: %d", got)
	}
}
