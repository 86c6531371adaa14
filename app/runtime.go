package app

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
)

// Runtime is how the process uses memory. It is a matter of the whole
// process, so New does not touch it.
type Runtime struct {
	MemoryLimit int64 // bytes; 0: a part of what there is; below 0: left as it is
	GCPercent   int64 // of garbage beside what is in use, as far as that is little; 0: left as it is
}

// DefaultRuntime returns the settings of a server that was told nothing.
// Collecting rarely is what throughput needs; the limit keeps it harmless.
func DefaultRuntime() Runtime { return Runtime{GCPercent: 400} }

// Apply puts the settings in force, and follows what is in use until stop is
// called.
func (r Runtime) Apply() (stop func()) {
	var stopped atomic.Bool
	if r.GCPercent > 0 {
		debug.SetGCPercent(int(r.GCPercent))
		afterCollections(func() bool {
			if !stopped.Load() {
				r.adjust()
			}
			return !stopped.Load()
		})
	}
	if r.MemoryLimit == 0 {
		r.MemoryLimit = available() / 10 * 7
	}
	if r.MemoryLimit > 0 {
		debug.SetMemoryLimit(r.MemoryLimit)
	}
	return func() { stopped.Store(true) }
}

// littleGarbage is up to how many bytes of garbage GCPercent holds. More of it
// costs more than collecting: the memory is used once in a long while, so that
// it is in no cache, and the first time the kernel has to provide it.
const littleGarbage = 512 << 20

// enoughGarbage is the percent beyond that.
const enoughGarbage = 100

// percent returns how much garbage there may be beside so many bytes in use.
func (r Runtime) percent(used uint64) int64 {
	little := int64(littleGarbage * 100 / max(used, 1))
	return min(r.GCPercent, max(little, enoughGarbage))
}

// adjust puts in force what fits the memory that is in use now.
func (r Runtime) adjust() {
	read := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/gogc:percent"}}
	metrics.Read(read)
	now, want := int64(read[2].Value.Uint64()), r.percent(read[0].Value.Uint64()+read[1].Value.Uint64())
	// To set it stops all others for a moment: not for a little.
	if apart := now - want; max(apart, -apart) > want/8 || want == r.GCPercent && apart != 0 {
		debug.SetGCPercent(int(want))
	}
}

// afterCollections has do called after each collection of garbage, for as long
// as it returns true.
func afterCollections(do func() bool) {
	garbage := new([2]*int)
	runtime.AddCleanup(garbage, func(do func() bool) {
		if do() {
			afterCollections(do)
		}
	}, do)
}

// available returns the bytes of memory of the machine or, if that is less,
// of the container; 0 if that cannot be told.
func available() int64 {
	var least int64
	for _, n := range []int64{
		number("/sys/fs/cgroup/memory.max", ""),
		number("/sys/fs/cgroup/memory/memory.limit_in_bytes", ""),
		number("/proc/meminfo", "MemTotal:") << 10,
	} {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// number returns the number after a word in a file of the kernel, or 0.
func number(file, after string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(after))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
