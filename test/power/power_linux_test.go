package power

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"zaqar/internal/testenv"
	"zaqar/storage/embedded/disk/faultdisk"
	"zaqar/test/crash"
	"zaqar/test/e2e/daemon"
)

// The environment says how much the tests do, for long runs and to repeat one.
const (
	envRounds = "ZAQAR_POWER_ROUNDS" // power cuts under load, default 12, on ext4 5
	envSeed   = "ZAQAR_POWER_SEED"   // default: the time
)

// run is a server on a machine, under the load of package crash.
type run struct {
	*crash.Harness
	m *machine
	t *testing.T
}

// systems are the file systems that the server is run on.
var systems = map[string]struct {
	ext4 bool
	disk faultdisk.Config
}{
	"layer": {disk: faultdisk.Config{Sector: 512}},
	"ext4":  {ext4: true, disk: faultdisk.Config{Sector: 4096}},
}

func newRun(t *testing.T, system string, loss faultdisk.Loss) *run {
	t.Helper()
	needMounts(t)
	c, under := systems[system].disk, ""
	if systems[system].ext4 {
		needExt4(t)
		under = t.TempDir()
	}
	seed := uint64(testenv.Int(t, envSeed, int(time.Now().UnixNano())))
	t.Logf("%s=%d", envSeed, seed)
	p, err := crash.NewProgram(daemon.Binary(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	p.Dir = top + "/data"
	c.Seed = seed
	m, err := newMachine(top, under, c, loss, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Harness: crash.NewHarness(p, seed), m: m, t: t}
	t.Cleanup(r.end)
	return r
}

func (r *run) prepare() {
	r.t.Helper()
	if err := r.Prepare(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) end() {
	var b strings.Builder
	r.m.report(&b)
	r.Report(&b)
	r.t.Log(b.String())
	if r.t.Failed() {
		dir := r.t.ArtifactDir() + "/disk"
		r.t.Logf("what the last cut left is in %s, kept with -artifacts; error: %v", dir, r.m.save(dir))
	}
	if err := r.m.off(); err != nil {
		r.t.Error(err)
	}
}

// round is a power cut under load, sometimes after one during recovery.
func (r *run) round() {
	r.t.Helper()
	for r.Rand.IntN(3) == 0 {
		if err := r.DieStarting(r.m.cutStarting); err != nil {
			r.t.Fatal(err)
		}
	}
	end := r.m.cut
	if r.Rand.IntN(10) == 0 {
		end = r.m.stop
	}
	if err := r.Life(r.t.Context(), end); err != nil {
		r.t.Fatal(err)
	}
}

// What was acknowledged survives any power cut.
func TestPowerCuts(t *testing.T)       { powerCuts(t, "layer", 12) }
func TestPowerCutsOnExt4(t *testing.T) { powerCuts(t, "ext4", 5) }

func powerCuts(t *testing.T, system string, rounds int) {
	t.Parallel()
	r := newRun(t, system, faultdisk.Mixed)
	r.prepare()
	rounds = testenv.Int(t, envRounds, rounds)
	for range rounds {
		r.round()
		r.Judge(t)
	}
	if err := r.Life(t.Context(), (*crash.Server).Stop); err != nil { // the last cut is verified too
		t.Fatal(err)
	}
	r.Judge(t)
	if tally := r.Ledger.Tally(); rounds >= 5 && (tally.Posted == 0 || tally.Removed == 0 || tally.Claimed == 0) {
		t.Errorf("the load did not do everything: %+v", tally)
	}
}

// A disk that acknowledges syncs and drops them makes the server lose what it
// acknowledged, and the ledger says so: the cuts have teeth.
func TestLyingDisksAreNoticed(t *testing.T) {
	for _, c := range []struct {
		name, system string
		lie          faultdisk.Kind
		from         func(*run, func()) // puts the lie in force
		want         crash.Kind
	}{
		{"files", "layer", faultdisk.Sync, func(r *run, lie func()) { r.prepare(); lie() }, crash.Lost},
		{"directories", "layer", faultdisk.SyncDir, func(r *run, lie func()) { lie(); r.prepare() }, crash.QueueState},
		{"ext4", "ext4", faultdisk.Sync, func(r *run, lie func()) { r.prepare(); lie() }, crash.Lost},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, c.system, faultdisk.LoseAll)
			c.from(r, func() { r.m.lie(c.lie) })
			for lives := 0; r.Ledger.Tally().Posted < 100; lives++ {
				if lives == 50 {
					t.Fatal("hardly anything is posted")
				}
				if err := r.Life(t.Context(), func(s *crash.Server) error { s.Kill(); return nil }); err != nil {
					t.Fatal(err)
				}
				r.Judge(t) // the process may die: the kernel has it all
			}
			// What the cut takes may have been deleted and expired by chance.
			found := map[crash.Kind]int{}
			for cuts := 0; cuts < 5 && found[c.want] == 0; cuts++ {
				if err := r.Life(t.Context(), r.m.cut); err != nil {
					t.Fatal(err)
				}
				err := r.Life(t.Context(), (*crash.Server).Stop)
				for _, v := range r.Ledger.Violations() {
					found[v.Kind]++
				}
				t.Logf("found %v; error: %v", found, err)
				if err != nil {
					break // it does not even start
				}
			}
			if found[c.want] == 0 {
				t.Errorf("nothing was found to be %q", c.want)
			}
		})
	}
}
