package keystone

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestNobodyAsksForThoseWhoLeft floods a Keystone that does not answer with
// tokens whose bearers do not wait.
func TestNobodyAsksForThoseWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, end := context.WithCancel(t.Context())
		f := newFlights(ended, time.Minute)
		answer := make(chan struct{})
		var asked atomic.Int64
		unknown := func() (*entry, error, bool) { return nil, nil, false }
		ask := func() (*entry, error) { asked.Add(1); <-answer; return new(entry), nil }
		join := func(ctx context.Context, n int) chan error {
			out, k := make(chan error, 1), newKey(fmt.Sprint(n), false)
			go func() {
				_, err := f.join(ctx, &k, unknown, ask)
				out <- err
			}()
			synctest.Wait()
			return out
		}
		flood, gone := context.WithCancel(t.Context())
		for n := range 10 * mostAsked {
			join(flood, n)
		}
		if n := asked.Load(); n != mostAsked {
			t.Errorf("%d are asked about at a time", n)
		}
		stays, shares := join(t.Context(), 1000), join(flood, 1000)
		gone()
		synctest.Wait()
		if err := <-shares; !errors.Is(err, context.Canceled) {
			t.Errorf("who left is told %v", err)
		}
		if len(f.open) != mostAsked+1 {
			t.Errorf("%d validations are kept for those who left", len(f.open)-1)
		}
		late := join(t.Context(), 10*mostAsked-1) // somebody left it before it was asked about
		close(answer)
		err := errors.Join(<-stays, <-late)
		synctest.Wait() // for the flights of those who left
		if err != nil || asked.Load() != mostAsked+2 || len(f.open) != 0 {
			t.Errorf("error %v, asked %d times, %d open", err, asked.Load(), len(f.open))
		}

		answer = make(chan struct{})
		for n := range mostAsked {
			join(t.Context(), n)
		}
		crowded := join(t.Context(), 1000)
		time.Sleep(time.Minute)
		if err := <-crowded; !errors.Is(err, errCrowd) {
			t.Errorf("whose turn does not come is told %v", err)
		}
		ends := join(t.Context(), 1001)
		end()
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Errorf("at the end: %v", err)
		}
		close(answer)
		f.close()
	})
}
