package notify_test

import (
	"fmt"
	"testing"
	"time"
)

// Of very many subscribers it is remembered, too, that they are slow.
func TestManySlowOnesAreRemembered(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 11_000 {
			h := fmt.Sprintf("slow%d", i)
			w.subscribe(queue("q"), "http://"+h+"/")
			w.sender.behave[h] = takes(2 * time.Second)
		}
		w.start()
		for i := range 2 {
			w.post(queue("q"), fmt.Sprint(i))
			settled(time.Minute)
		}
		w.post(queue("q"), "again")
		settled(time.Second)
		if s := w.notifier.Stats(); s.InFlightSlow < w.config.InFlight/4 {
			t.Errorf("%d of %d are known to be slow", s.InFlightSlow, s.InFlight)
		}
	})
}
