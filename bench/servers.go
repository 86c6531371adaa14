package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/nullsink"
)

// ServeNull runs the null sink on a free port of the loopback until ctx ends,
// and prints its URL. size is that of message bodies in bytes. Of the server
// only the limits for connections count; they are to be the product's.
func ServeNull(ctx context.Context, server *http.Server, size int, stdout io.Writer) error {
	server.Handler = nullsink.New(load.Body(size))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	fmt.Fprintln(stdout, "listening on http://"+listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Inspect makes this process tell what it spends time and memory on, on a free
// port of the loopback until ctx ends, and prints the address.
func Inspect(ctx context.Context, stdout io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: inspector(), ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Fprintln(stdout, "inspector on "+listener.Addr().String())
	go func() { _ = server.Serve(listener) }()
	return nil
}

func inspector() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/profile", profileCPU)
	mux.HandleFunc("/allocs", func(w http.ResponseWriter, _ *http.Request) { _ = pprof.Lookup("allocs").WriteTo(w, 0) })
	mux.HandleFunc("/collect", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	mux.HandleFunc("/memory", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_ = json.NewEncoder(w).Encode(m)
	})
	return mux
}

// profileCPU answers with a profile of as many seconds as were asked for.
func profileCPU(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.ParseUint(r.URL.Query().Get("seconds"), 10, 16)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	defer pprof.StopCPUProfile()
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}
