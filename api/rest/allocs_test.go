package rest_test

import (
	"net/http"
	"testing"
)

// TestAllocations holds what one request allocates in the front and the broker
// at what it was when it was last looked at: an id, the header values and the
// Location of what was made or the length of what was read; deletes also what
// they hand to the store.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates, too")
	}
	want := map[string]float64{"post-1": 3, "post-10": 3, "list-10": 3, "claim-10": 4, "delete-1": 4, "delete-10": 3}
	t.Run("plain", func(t *testing.T) { countAllocations(t, newHollowHandler(t), want) })
	t.Run("with quotas", func(t *testing.T) { countAllocations(t, newLimitedHandler(t), want) }) // they take none
	t.Run("watched", func(t *testing.T) { countAllocations(t, newWatchedHandler(t), want) })
}

func countAllocations(t *testing.T, h http.Handler, want map[string]float64) {
	for _, e := range exchanges() {
		serve := e.handled(t, h)
		// The least of several counts: the collector empties pools now and then.
		least := testing.AllocsPerRun(100, serve)
		for range 5 {
			least = min(least, testing.AllocsPerRun(100, serve))
		}
		if most, ok := want[e.name]; !ok || least > most {
			t.Errorf("%s: %v allocations, want %v at most", e.name, least, most)
		}
	}
}
