package app

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"
)

// Report writes what the process is doing, for operators who want to know
// why: versions, uptime, connections, memory, the effective configuration and
// the stacks of all goroutines (operations §7.5).
func (a *App) Report(w io.Writer) error {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(w, "=== zaqar report %s\n", time.Now().Format(time.RFC3339))
	fmt.Fprintf(w, "version: %s, %s %s/%s\n", a.options.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(w, "uptime: %s\n", time.Since(a.begun).Round(time.Millisecond))
	fmt.Fprintf(w, "address: %s\n", a.Addr())
	fmt.Fprintf(w, "open connections: %d\n", a.limited.Open())
	fmt.Fprintf(w, "refused connections: %d\n", a.limited.Refused())
	if a.handshakes != nil {
		fmt.Fprintf(w, "failed TLS handshakes: %d\n", a.handshakes.Failed())
	}
	fmt.Fprintf(w, "goroutines: %d, processors: %d\n", runtime.NumGoroutine(), runtime.GOMAXPROCS(0))
	fmt.Fprintf(w, "memory: %d KiB in use, %d KiB from the system, limit %d MiB, %d collections\n",
		m.HeapAlloc>>10, m.Sys>>10, debug.SetMemoryLimit(-1)>>20, m.NumGC)
	if a.options.Effective != nil {
		fmt.Fprintf(w, "\n=== configuration\n%s", a.options.Effective())
	}
	fmt.Fprint(w, "\n=== goroutines\n")
	if err := pprof.Lookup("goroutine").WriteTo(w, 2); err != nil {
		return err
	}
	_, err := fmt.Fprint(w, "=== end of report\n")
	return err
}
