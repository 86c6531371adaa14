package crash

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	kills = flag.Int("crash.kills", 50, "how often to kill the server under load")
	race  = flag.Bool("crash.race", false, "build the server with the race detector")
	seed  = flag.Uint64("crash.seed", 0, "of the load; 0: another one each time")
)

func newTestHarness(t *testing.T) *harness {
	t.Helper()
	var flags []string
	if *race {
		flags = []string{"-race"}
	}
	p, err := build(t.TempDir(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-crash.seed %d", s)
	h := newHarness(p, s)
	if err := h.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// fatal ends the test with the first violations.
func (h *harness) fatal(t *testing.T) {
	t.Helper()
	vs := h.ledger.Violations()
	for _, v := range vs[:min(len(vs), 10)] {
		t.Error(v)
	}
	t.Fatalf("%d violations", len(vs))
}

func (h *harness) log(t *testing.T) {
	var b strings.Builder
	h.report(&b)
	t.Log("\n" + b.String())
}

// What was acknowledged survives kill -9, whenever it comes.
func TestKill(t *testing.T) {
	h := newTestHarness(t)
	defer h.log(t)
	want := *kills
	if testing.Short() {
		want = min(want, 8)
	}
	for h.summary.Kills < want {
		if err := h.life(t.Context(), h.rng.IntN(12) == 0); err != nil {
			t.Fatal(err)
		}
		if len(h.ledger.Violations()) > 0 {
			h.fatal(t)
		}
	}
	if err := h.life(t.Context(), true); err != nil { // the last kill is verified too
		t.Fatal(err)
	}
	if err := h.life(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if len(h.ledger.Violations()) > 0 {
		h.fatal(t)
	}
	if tally := h.ledger.Tally(); tally.Posted == 0 || tally.Removed == 0 || tally.Popped == 0 || tally.Claimed == 0 || tally.Unknown == 0 {
		t.Errorf("the load did not do everything: %+v", tally)
	}
}

// A store that forgets its last minutes must not get away with it.
func TestForgettingIsNoticed(t *testing.T) {
	h := newTestHarness(t)
	life := func() {
		if err := h.life(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	// work lives until enough has changed for every loss to show.
	work := func() {
		for before, n := h.ledger.Tally(), 0; n < 50; n++ {
			life()
			now := h.ledger.Tally()
			if now.Posted-before.Posted > 300 && now.Popped-before.Popped > 300 && now.Changed-before.Changed > 30 {
				return
			}
		}
		t.Fatalf("hardly anything happens: %+v", h.ledger.Tally())
	}
	work()
	backup := h.program.dir + ".old"
	if err := os.CopyFS(backup, os.DirFS(h.program.dir)); err != nil {
		t.Fatal(err)
	}
	work()
	if vs := h.ledger.Violations(); len(vs) > 0 {
		t.Fatal(vs[0])
	}
	if err := os.RemoveAll(h.program.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(backup, h.program.dir); err != nil {
		t.Fatal(err)
	}
	_ = h.life(t.Context(), false)
	found := map[Kind]int{}
	for _, v := range h.ledger.Violations() {
		found[v.Kind]++
	}
	t.Log(found)
	for _, k := range []Kind{Lost, Returned, QueueState} {
		if found[k] == 0 {
			t.Errorf("nothing was found to be %q", k)
		}
	}
}
