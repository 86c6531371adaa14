package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"zaqar/test/e2e/daemon"
)

// memory is what a process keeps in memory, in bytes.
func memory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Logf("memory is not known: %v", err)
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("\nVmRSS:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		t.Logf("memory is not known: %v", err)
	}
	return kilobytes << 10
}

// TestFigures reports how soon the shipped program answers and what it takes
// when idle. It never fails for them.
func TestFigures(t *testing.T) {
	dir := t.TempDir()
	var took []time.Duration
	for range 5 {
		begun := time.Now()
		d := daemon.Start(t, daemon.Options{Binary: daemon.Shipped(t), Dir: dir})
		c := d.Client()
		c.Do(t, http.MethodGet, "/v2/ping", nil).Want(204)
		took = append(took, time.Since(begun))
		if len(took) == 1 {
			t.Logf("idle server: %.1f MiB of memory", float64(memory(t, d.PID()))/(1<<20))
		}
		d.Stop(t)
	}
	slices.Sort(took)
	t.Logf("start to first answer: %v, median of %d, first start %v", took[len(took)/2], len(took), took[len(took)-1])
}
