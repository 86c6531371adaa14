package notify_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/notify"
)

// Who hangs, or keeps up badly, while another subscriber of the queue wants
// nothing of what comes for him, does not keep the other's messages waiting.
func TestWhoIsBusyHoldsUpNoFilter(t *testing.T) {
	for name, busy := range map[string]func(context.Context, *notify.Delivery) (notify.Receipt, error){
		"hanging": hangs, "slow": takes(900 * time.Millisecond),
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.subscribe(queue("q"), "http://busy/")
				w.subscribe(queue("q"), "http://well/", `{"filter_policy":{"to":["well"]}}`)
				w.sender.behave["busy"] = busy
				w.start()
				for range 20 {
					for range 30 {
						w.post(queue("q"), `{"to":"busy"}`)
					}
					settled(200 * time.Millisecond)
					begun := time.Since(w.sender.begun)
					w.post(queue("q"), `{"to":"well"}`)
					settled(2 * time.Second)
					got := w.sender.of("well")
					if len(got) == 0 || got[len(got)-1].at < begun || got[len(got)-1].at > begun+time.Second {
						t.Fatalf("posted after %v; arrived: %d", begun, len(got))
					}
				}
			})
		})
	}
}

// And one who subscribes later does not wait for him either.
func TestWhoHangsHoldsUpNoNewcomer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.subscribe(queue("q"), "http://dead/")
		w.sender.behave["dead"] = hangs
		w.start()
		w.post(queue("q"), "0")
		for range 60 {
			w.post(queue("q"), "1")
		}
		settled(900 * time.Millisecond)
		w.subscribe(queue("q"), "http://well/")
		w.post(queue("q"), "2")
		settled(5 * time.Second)
		if got := w.sender.of("well"); len(got) == 0 {
			t.Error("nothing arrived")
		}
	})
}

// Options change while messages are filtered.
func TestOptionsChangeDuringFanOut(t *testing.T) {
	inWorld(t, func(w *world) {
		var subs []messaging.Subscription
		for i := range 50 {
			subs = append(subs, w.subscribe(queue("q"), fmt.Sprintf("http://a/%d", i)))
		}
		w.start()
		var changing sync.WaitGroup
		changing.Go(func() {
			for i := range 20 {
				for _, sub := range subs {
					sub.Options = fmt.Appendf(nil, `{"x":%d}`, i)
					w.notifier.Resume(t.Context(), sub)
				}
			}
		})
		for i := range 50 {
			w.post(queue("q"), fmt.Sprint(i))
		}
		changing.Wait()
		settled(time.Minute)
		if n := len(w.sender.of("a")); n != 2500 {
			t.Errorf("%d arrived", n)
		}
	})
}
