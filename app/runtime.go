package app

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
)

// Runtime is how the process uses memory. It is a matter of the whole
// process, so New does not touch it.
type Runtime struct {
	MemoryLimit int64 // bytes; 0: a part of what there is; below 0: left as it is
	GCPercent   int64 // 0: left as it is
}

// DefaultRuntime returns the settings of a server that was told nothing.
// Collecting rarely is what throughput needs; the limit keeps it harmless.
func DefaultRuntime() Runtime { return Runtime{GCPercent: 400} }

// Apply puts the settings in force.
func (r Runtime) Apply() {
	if r.GCPercent > 0 {
		debug.SetGCPercent(int(r.GCPercent))
	}
	if r.MemoryLimit == 0 {
		r.MemoryLimit = available() / 10 * 7
	}
	if r.MemoryLimit > 0 {
		debug.SetMemoryLimit(r.MemoryLimit)
	}
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
