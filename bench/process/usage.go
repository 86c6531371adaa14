package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Usage is what a process has used since its start. What the system does not
// tell is 0.
type Usage struct {
	CPU      time.Duration // user and system time of all threads
	Resident int64         // bytes of memory now, files mapped or shared included
	Private  int64         // bytes of it that are the process's own
	Written  int64         // bytes that it caused to be written to disks
}

// Plus adds what another process has used.
func (u Usage) Plus(v Usage) Usage {
	return Usage{
		CPU: u.CPU + v.CPU, Resident: u.Resident + v.Resident,
		Private: u.Private + v.Private, Written: u.Written + v.Written,
	}
}

// clockTick is the unit of CPU time in /proc: the kernel reports it in
// hundredths of a second on every architecture.
const clockTick = 10 * time.Millisecond

// UsageOf reads the usage of a process from /proc.
func UsageOf(pid int) Usage {
	var u Usage
	dir := fmt.Sprintf("/proc/%d/", pid)
	// The second field is the program's name in brackets, with anything in it.
	stat, _ := os.ReadFile(dir + "stat")
	if i := bytes.LastIndexByte(stat, ')'); i >= 0 {
		if f := bytes.Fields(stat[i+1:]); len(f) > 12 {
			u.CPU = time.Duration(number(f[11])+number(f[12])) * clockTick
		}
	}
	status, _ := os.ReadFile(dir + "status")
	u.Resident = value(status, "VmRSS:") << 10
	u.Private = value(status, "RssAnon:") << 10
	io, _ := os.ReadFile(dir + "io")
	u.Written = value(io, "write_bytes:")
	return u
}

// Usage reads the usage of the server.
func (p *Process) Usage() Usage { return UsageOf(p.Pid()) }

// Self reads the usage of this process.
func Self() Usage { return UsageOf(os.Getpid()) }

// value returns the number after a name at the start of a line.
func value(text []byte, name string) int64 {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if f := bytes.Fields(rest); len(f) > 0 {
				return number(f[0])
			}
		}
	}
	return 0
}

func number(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
