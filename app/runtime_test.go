package app

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"testing"
)

func TestRuntimeApply(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetMemoryLimit(limit); debug.SetGCPercent(percent) })

	Runtime{MemoryLimit: 1 << 30, GCPercent: 250}.Apply()()
	if got := debug.SetMemoryLimit(-1); got != 1<<30 {
		t.Errorf("limit %d", got)
	}
	if got := debug.SetGCPercent(100); got != 250 {
		t.Errorf("collection at %d %%", got)
	}
	Runtime{MemoryLimit: -1, GCPercent: 0}.Apply()()
	if l, p := debug.SetMemoryLimit(-1), debug.SetGCPercent(100); l != 1<<30 || p != 100 {
		t.Errorf("what was to be left alone became %d and %d", l, p)
	}
	if available() > 0 {
		DefaultRuntime().Apply()()
		if got := debug.SetMemoryLimit(-1); got != available()/10*7 {
			t.Errorf("limit %d of %d", got, available())
		}
	}
}

// Little memory in use may grow by its percentage, much only by as much again.
func TestGarbageBesideMuchMemory(t *testing.T) {
	for _, tt := range []struct {
		percent int64
		used    uint64
		want    int64
	}{
		{400, 0, 400}, {400, 10 << 20, 400}, {400, 128 << 20, 400}, {400, 256 << 20, 200}, {400, 1 << 30, 100}, {400, 1 << 50, 100},
		{50, 1 << 30, 50}, {50, 1, 50}, {10_000, 1 << 20, 10_000}, {10_000, 256 << 20, 200},
	} {
		if got := (Runtime{GCPercent: tt.percent}).percent(tt.used); got != tt.want {
			t.Errorf("%d %% beside %d bytes: %d, want %d", tt.percent, tt.used, got, tt.want)
		}
	}
}

// It is so in a process, and no longer when the memory is free again.
func TestCollectionsAdjust(t *testing.T) {
	limit, before := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetMemoryLimit(limit); debug.SetGCPercent(before) })
	stop := Runtime{MemoryLimit: -1, GCPercent: 400}.Apply()
	defer stop()
	collected := make(chan struct{}, 1)
	var over atomic.Bool
	defer over.Store(true)
	afterCollections(func() bool {
		select {
		case collected <- struct{}{}:
		default:
		}
		return !over.Load()
	})
	becomes := func(what string, want uint64) {
		t.Helper()
		now := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		for range 20 { // it is adjusted a moment after a collection
			runtime.GC()
			<-collected
			if metrics.Read(now); now[0].Value.Uint64() == want {
				return
			}
		}
		t.Errorf("%s: %d %%, want %d", what, now[0].Value.Uint64(), want)
	}
	becomes("at first", 400)
	much := make([]byte, 600<<20)
	becomes("beside 600 MiB", 100)
	runtime.KeepAlive(much)
	becomes("afterwards", 400)
	stop()
	much = make([]byte, 600<<20)
	for range 3 {
		runtime.GC()
		<-collected
	}
	becomes("stopped", 400)
	runtime.KeepAlive(much)
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
