package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/debug"

	"zaqar/app"
	"zaqar/observe"
	"zaqar/test/bench/load"
	"zaqar/test/bench/nullsink"
)

// serveNull is the sub-command that runs the null sink, with the settings of
// the product for connections and memory.
func serveNull(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("null", flag.ContinueOnError)
	size := f.Int("size", 1024, "size of message bodies in `bytes`")
	if err := f.Parse(args); err != nil {
		return err
	}
	app.DefaultRuntime().Apply()
	h := app.Defaults().HTTP
	server := &http.Server{
		Handler:           nullsink.New(load.Body(*size)),
		ReadHeaderTimeout: h.HeaderTimeout,
		IdleTimeout:       h.IdleTimeout,
		MaxHeaderBytes:    int(h.MaxHeaderBytes),
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	fmt.Println("listening on http://" + listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveProduct is the sub-command that runs the product with a second listener
// for profiles, and for the memory that is in use after a collection.
func serveProduct(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	dir := f.String("data-dir", "", "data `directory`")
	access := f.String("access-log", "default", "default, on or off")
	if err := f.Parse(args); err != nil {
		return err
	}
	app.DefaultRuntime().Apply()
	log, err := observe.Open(observe.Config{})
	if err != nil {
		return err
	}
	defer log.Close()
	o := app.Defaults()
	o.Log, o.Access, o.HTTP.Port, o.Store.Dir = log.Logger, log.Access, 0, *dir
	if *access != "default" {
		o.AccessLog = *access == "on"
	}
	inspector, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer inspector.Close()
	fmt.Println("inspector on " + inspector.Addr().String())
	go http.Serve(inspector, inspect())

	a, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func inspect() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/profile", pprof.Profile)
	mux.Handle("/allocs", pprof.Handler("allocs"))
	mux.HandleFunc("/collect", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	mux.HandleFunc("/memory", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_ = json.NewEncoder(w).Encode(m)
	})
	return mux
}
