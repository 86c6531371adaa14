package notify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"zaqar/notify"
	"zaqar/storage"
	"zaqar/storage/embedded"
)

// The default store: two notifiers share it, one of them stops, the store is
// opened anew, and everybody has everything.
func TestOnTheEmbeddedStore(t *testing.T) {
	dir := t.TempDir()
	inWorld(t, func(w *world) {
		open := func() *embedded.Store {
			s, err := embedded.Open(dir, embedded.Config{}, storage.Env{Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			w.data = s
			return s
		}
		store := open()
		q := queue("q")
		w.subscribe(q, "http://well/")
		slow := w.subscribe(q, "http://slow/")
		broken := w.subscribe(q, "http://broken/")
		w.sender.behave["slow"] = takes(100 * time.Millisecond)
		isBroken := true
		w.sender.behave["broken"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			w.sender.mu.Lock()
			defer w.sender.mu.Unlock()
			if isBroken {
				return fails(500)(ctx, d)
			}
			return notify.Receipt{}, nil
		}
		w.start()
		other, stopOther := w.run()
		for i := range 300 {
			w.post(q, fmt.Sprint(i))
			if i%2 == 0 {
				other.Wake(q)
			}
			time.Sleep(2 * time.Millisecond)
		}
		stopOther()
		w.stop()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		store = open()
		w.sender.mu.Lock()
		isBroken = false
		w.sender.mu.Unlock()
		w.start()
		settled(10 * time.Minute)
		for _, host := range []string{"well", "slow", "broken"} {
			count := map[string]int{}
			for _, a := range w.sender.of(host) {
				count[a.text]++
			}
			if len(count) != 300 {
				t.Errorf("%s got %d messages", host, len(count))
			}
			if n := len(w.sender.of(host)); host == "well" && n > 310 {
				t.Errorf("%s got %d deliveries of 300 messages", host, n)
			}
		}
		if n := len(w.left(q, "outbox")) + len(w.left(q, "backlog/"+partOf(slow))) + len(w.left(q, "backlog/"+partOf(broken))); n > 0 {
			t.Errorf("%d entries are left", n)
		}
		w.stop()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
