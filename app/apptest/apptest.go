// Package apptest runs the product inside a test.
package apptest

import (
	"context"
	"testing"

	"zaqar/app"
)

// Serve runs a server with these options until the test ends, and returns its
// address, host:port. A stop that fails fails the test.
func Serve(t testing.TB, o app.Options) (addr string) {
	t.Helper()
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return a.Addr()
}

// InMemory serves with the defaults on a free port, keeps messages in memory and
// logs no requests.
func InMemory(t testing.TB) (addr string) {
	t.Helper()
	o := app.Defaults()
	o.Store.Driver, o.HTTP.Port, o.AccessLog = "memory", 0, false
	return Serve(t, o)
}
