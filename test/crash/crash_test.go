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

// killer ends the lives of a server with signals.
type killer struct {
	*Harness
	kills, startupKills, stops int
}

func newKiller(t *testing.T) *killer {
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
	k := &killer{Harness: NewHarness(p, s)}
	if err := k.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k
}

// life is one life that ends with a kill or a stop. In one of four a process
// is killed before while it starts.
func (k *killer) life(t *testing.T, stop bool) error {
	if k.Rand.IntN(4) == 0 {
		if err := k.DieStarting(k.killStarting); err != nil {
			return err
		}
	}
	if stop {
		k.stops++
		return k.Life(t.Context(), (*Server).Stop)
	}
	return k.Life(t.Context(), func(s *Server) error {
		s.Kill()
		k.kills++
		return nil
	})
}

func (k *killer) killStarting(s *Server) error {
	select {
	case <-time.After(time.Duration(k.Rand.Int64N(int64(60 * time.Millisecond)))):
	case <-s.Exited():
		return s.early()
	}
	s.Kill()
	k.startupKills++
	return nil
}

func (k *killer) log(t *testing.T) {
	var b strings.Builder
	k.Report(&b)
	t.Logf("%d kills under load, %d while starting, %d orderly stops; %s", k.kills, k.startupKills, k.stops, b.String())
}

// What was acknowledged survives kill -9, whenever it comes.
func TestKill(t *testing.T) {
	k := newKiller(t)
	defer k.log(t)
	want := *kills
	if testing.Short() {
		want = min(want, 8)
	}
	for k.kills < want {
		if err := k.life(t, k.Rand.IntN(12) == 0); err != nil {
			t.Fatal(err)
		}
		k.Judge(t)
	}
	for range 2 { // the last kill is verified too
		if err := k.life(t, true); err != nil {
			t.Fatal(err)
		}
	}
	k.Judge(t)
	if tally := k.Ledger.Tally(); tally.Posted == 0 || tally.Removed == 0 || tally.Popped == 0 || tally.Claimed == 0 || tally.Unknown == 0 {
		t.Errorf("the load did not do everything: %+v", tally)
	}
}

// A store that forgets its last minutes must not get away with it.
func TestForgettingIsNoticed(t *testing.T) {
	k := newKiller(t)
	life := func() {
		if err := k.life(t, false); err != nil {
			t.Fatal(err)
		}
	}
	// work lives until enough has changed for every loss to show.
	work := func() {
		for before, n := k.Ledger.Tally(), 0; n < 50; n++ {
			life()
			now := k.Ledger.Tally()
			if now.Posted-before.Posted > 300 && now.Popped-before.Popped > 300 && now.Changed-before.Changed > 30 {
				return
			}
		}
		t.Fatalf("hardly anything happens: %+v", k.Ledger.Tally())
	}
	work()
	backup := k.Program.Dir + ".old"
	if err := os.CopyFS(backup, os.DirFS(k.Program.Dir)); err != nil {
		t.Fatal(err)
	}
	work()
	if vs := k.Ledger.Violations(); len(vs) > 0 {
		t.Fatal(vs[0])
	}
	if err := os.RemoveAll(k.Program.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(backup, k.Program.Dir); err != nil {
		t.Fatal(err)
	}
	_ = k.life(t, false)
	found := map[Kind]int{}
	for _, v := range k.Ledger.Violations() {
		found[v.Kind]++
	}
	t.Log(found)
	for _, kind := range []Kind{Lost, Returned, QueueState} {
		if found[kind] == 0 {
			t.Errorf("nothing was found to be %q", kind)
		}
	}
}
