package embedded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/internal/testenv"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// The environment makes the crash tests run longer, and repeats one history.
const (
	envHistories = "ZAQAR_CRASH_HISTORIES" // random histories, default 40
	envActs      = "ZAQAR_CRASH_ACTS"      // acts of each, default 80
	envSeed      = "ZAQAR_CRASH_SEED"      // seed of the first, default 1
	envEvery     = "ZAQAR_CRASH_EVERY"     // with 1, TestCrashAtEveryOperation leaves out none
	envCrowds    = "ZAQAR_CRASH_CROWDS"    // seeds of the concurrent tests, default 6
)

// journey is a history run without a crash: what can be seen, and what the
// client knows, before the first act and after each.
type journey struct {
	acts    []act
	dumps   []string
	ledgers []ledger
	changes int64 // of the disk
}

// travel runs the acts on a copy of the world's disk.
func travel(t testing.TB, from *world, acts []act) *journey {
	t.Helper()
	w := from.on(from.disk.Clone())
	must(t, w.open())
	defer w.close()
	j := &journey{acts: acts}
	for i := 0; ; i++ {
		if err := w.audit(); err != nil {
			t.Fatalf("without any crash: %v\n%s", err, story(acts[:i]))
		}
		dump, err := w.dump()
		if err != nil {
			t.Fatalf("without any crash: %v\n%s", err, story(acts[:i]))
		}
		j.dumps, j.ledgers = append(j.dumps, dump), append(j.ledgers, w.ledger.clone())
		if i == len(acts) {
			j.changes = w.disk.Changes()
			return j
		}
		if _, err := w.run(acts[i : i+1]); err != nil {
			t.Fatalf("without any crash: %v\n%s", err, story(acts[:i+1]))
		}
	}
}

// crash runs the acts on a copy of the world's disk until the n-th change of
// it. It returns the world as it is then, and how many acts were done before
// the one that the crash interrupted.
func crash(t testing.TB, from *world, acts []act, n int64) (w *world, done int) {
	t.Helper()
	w = from.on(from.disk.Clone())
	w.disk.CrashAt(n)
	if err := w.open(); err != nil {
		if !w.disk.Crashed() {
			t.Fatalf("open: %v", err)
		}
		return w, -1
	}
	done, err := w.run(acts)
	if err != nil && (!w.disk.Crashed() || errors.Is(err, errWrong)) {
		t.Fatalf("%v\n%s", err, story(acts[:done+1]))
	}
	_ = w.close()
	return w, done
}

// arrive opens what a crash left and finds out at which point of the journey
// the world is: as it was before the interrupted act, or after it.
func (j *journey) arrive(crashed *world, found *faultdisk.Disk, done int) (*world, int, error) {
	w := crashed.on(found)
	if err := w.open(); err != nil {
		return nil, 0, fmt.Errorf("open: %w", err)
	}
	at, err := j.locate(w, done)
	if err == nil {
		w.ledger = j.ledgers[at].clone()
		w.highest = max(w.highest, crashed.highest)
		err = w.audit()
	}
	if err != nil {
		_ = w.close()
		return nil, 0, err
	}
	return w, at, nil
}

func (j *journey) locate(w *world, done int) (at int, err error) {
	first, last := max(0, done), min(max(0, done+1), len(j.acts))
	for at := first; at <= last; at++ {
		w.ledger = j.ledgers[at].clone()
		dump, derr := w.dump()
		if derr != nil {
			return 0, derr
		}
		if dump == j.dumps[at] {
			return at, nil
		}
		err = fmt.Errorf("%w\nas after act %d (-want +got):\n%s", err, at-1, difference(j.dumps[at], dump))
	}
	return 0, err
}

func lines(s string) []string { return strings.Split(s, "\n") }

func difference(want, got string) string { return cmp.Diff(lines(want), lines(got)) }

// sound checks that a store just recovered holds: the same is there after one
// more crash that takes all it can, and it goes on working.
func (w *world) sound() error {
	before, err := w.dump()
	if err != nil {
		return err
	}
	if err := w.again(before); err != nil {
		return fmt.Errorf("a crash right after recovery: %w", err)
	}
	probe := []act{
		post(boxes[0], 2, forever, 0, 300),
		claimSome(boxes[0], storage.Terms{TTL: 60, Grace: 60, Limit: 3}),
		compact, tend,
		removeClaimed(0, 1), release(0), compact,
		control(0, 1, 7),
	}
	if _, err := w.run(probe); err != nil {
		return fmt.Errorf("after recovery: %w", err)
	}
	if err := w.audit(); err != nil {
		return fmt.Errorf("after recovery and more: %w", err)
	}
	if before, err = w.dump(); err != nil {
		return err
	}
	if err := w.again(before); err != nil {
		return fmt.Errorf("a second crash: %w", err)
	}
	return nil
}

// again crashes the store, loses what may be lost, and expects to find
// the same in what is left.
func (w *world) again(want string) error {
	found := w.disk.Crash(faultdisk.Cut{Loss: faultdisk.LoseAll})
	_ = w.close()
	w.disk = found
	if err := w.open(); err != nil {
		return err
	}
	got, err := w.dump()
	if err == nil && got != want {
		err = errors.New("(-want +got):\n" + difference(want, got))
	}
	return err
}

// cuts are the ways in which a crash may end.
func cuts(seed uint64) []faultdisk.Cut {
	return []faultdisk.Cut{
		{Loss: faultdisk.KeepAll},
		{Loss: faultdisk.LoseAll},
		{Loss: faultdisk.Mixed, Seed: seed},
		{Loss: faultdisk.Mixed, Seed: seed + 1<<32, Torn: true},
		{Loss: faultdisk.Mixed, Seed: seed + 2<<32, Torn: true, Garbage: true},
		{Loss: faultdisk.Mixed, Seed: seed + 3<<32, Ordered: true},
	}
}

// everyAct does each thing there is to do at least once, with compaction and
// rotation in between: messages live through several compactions with claims,
// extended lifetimes, delays and moves.
func everyAct() []act {
	in, out, dead, other, topic := boxes[0], boxes[1], boxes[2], boxes[3], boxes[4]
	acts := []act{
		control(0, 0, 5), control(0, 1, 150), control(3, 0, 1), control(7, 0, 1), control(7, 1, 2), control(9, 0, 0), control(11, 0, 0),
		post(in, 1, forever, 0, 10), post(in, 5, forever, 0, 300), post(in, 2, 40, 0, 20), post(in, 2, forever, 10, 20), post(topic, 1, 5, 0, 10),
		claimSome(in, storage.Terms{TTL: 30, Grace: 20, Limit: 3}), tend,
		post(out, 3, forever, 0, 900), claimSome(in, storage.Terms{TTL: 50, Grace: 5, Limit: 4}),
		move(0, dead, 0), pass(2000), compact, tend,
		claimSome(dead, storage.Terms{TTL: 100, Limit: 2}), move(0, out, forever), post(in, 1, forever, 0, 5000), // moved twice
		compact, renew(1, storage.Terms{TTL: 300, Grace: 10}), control(1, 0, 170), control(2, 1, 0), compact,
		post(other, 2, forever, 0, 700), pop(other, 1), removeAny(8, 2, storage.Hold{}), removeAny(2, 1, storage.Hold{Unclaimed: true}), compact, tend,
		control(0, 1, 90), // put again after it was erased
		claimSome(out, storage.Terms{TTL: 20, Grace: 1, Limit: 2, MaxClaims: 1}), release(0), claimSome(out, storage.Terms{TTL: 20, Limit: 2, MaxClaims: 1}),
		pass(11_000), sweep, compact, drop(other), post(other, 1, forever, 0, 900), compact,
		control(4, 0, 0), control(8, 1, 0), control(10, 0, 0), control(12, 0, 0), control(2, 1, 0), post(in, 2, forever, 0, 1200),
		compact, purge(in), compact, claimSome(in, storage.Terms{TTL: 30, Limit: 9, Delayed: true}), restart,
		post(in, 3, forever, 0, 1000), removeClaimed(0, 9), compact, pass(30_000), sweep, control(6, 0, 0), control(5, 0, 0),
		post(out, 2, 60, 0, 1500), compact, renew(4, storage.Terms{TTL: 30}), drop(in), drop(in), post(in, 1, forever, 0, 10), compact, tend, sweep,
	}
	return acts
}

func TestCrashAtEveryOperation(t *testing.T) {
	t.Parallel()
	start := newWorld(faultdisk.New(faultdisk.Config{}))
	acts := everyAct()
	// Ids begin with the identity of the store: it must be there before the paths part.
	must(t, start.open())
	must(t, start.close())
	path := travel(t, start, acts)
	step := int64(testenv.Int(t, envEvery, 2))
	for n := int64(1); n <= path.changes+10; n += step {
		w, done := crash(t, start, acts, n)
		if !w.disk.Crashed() {
			break
		}
		for i, cut := range cuts(uint64(n)) {
			if step > 1 && i > 0 && int(n/step)%5+1 != i { // a different one of the others each time
				continue
			}
			got, _, err := path.arrive(w, w.disk.Crash(cut), done)
			if err == nil {
				err = got.sound()
				_ = got.close()
			}
			if err != nil {
				t.Fatalf("crash at change %d, cut %+v: %v\n%s", n, cut, err, story(acts[:min(done+1, len(acts))]))
			}
		}
	}
	t.Logf("%d changes, %d acts", path.changes, len(acts))
}

func TestRandomCrashes(t *testing.T) {
	t.Parallel()
	first := testenv.Int(t, envSeed, 1)
	for seed := first; seed < first+testenv.Int(t, envHistories, 40); seed++ {
		if err := crashesOf(t, uint64(seed), testenv.Int(t, envActs, 80)); err != nil {
			t.Fatalf("%s=%d %s=1 repeats it: %v", envSeed, seed, envHistories, err)
		}
	}
}

// crashesOf runs a random history with crashes at random, one after the other
// and never a clean end.
func crashesOf(t *testing.T, seed uint64, n int) error {
	rng := rand.New(rand.NewPCG(seed, 2))
	w := newWorld(faultdisk.New(faultdisk.Config{Seed: seed}))
	must(t, w.open())
	must(t, w.close())
	acts := randomActs(seed, n)
	var told strings.Builder
	for len(acts) > 0 {
		path := travel(t, w, acts)
		crashed, done := crash(t, w, acts, 1+rng.Int64N(path.changes+2))
		cut := cuts(rng.Uint64())[rng.IntN(6)]
		fmt.Fprintf(&told, "%s     crash, %+v\n", story(acts[:min(max(done, -1)+1, len(acts))]), cut)
		found := crashed.disk.Crash(cut)
		if rng.IntN(3) == 0 {
			found = crashInRecovery(crashed, found, rng, &told)
		}
		next, at, err := path.arrive(crashed, found, done)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, told.String())
		}
		// One branch is checked to the end; the history goes on in the other.
		branch := next.on(next.disk.Clone())
		_ = next.close()
		if err := branch.open(); err != nil {
			return fmt.Errorf("open: %w\n%s", err, told.String())
		}
		err = branch.sound()
		_ = branch.close()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, told.String())
		}
		w, acts = next, acts[at:]
		if !crashed.disk.Crashed() {
			break
		}
		acts = acts[min(1, len(acts)):] // the one that was interrupted is not tried again
	}
	return nil
}

// crashInRecovery opens the disk and crashes while that reads and repairs it,
// several times.
func crashInRecovery(w *world, found *faultdisk.Disk, rng *rand.Rand, told *strings.Builder) *faultdisk.Disk {
	for range 1 + rng.IntN(3) {
		again := w.on(found)
		found.CrashAt(1 + rng.Int64N(12))
		_ = again.open()
		cut := cuts(rng.Uint64())[rng.IntN(6)]
		fmt.Fprintf(told, "     crash in recovery, %+v\n", cut)
		next := found.Crash(cut)
		_ = again.close()
		found = next
	}
	return found
}

// A store that was never finished is made anew, and one that was finished
// never is.
func TestCrashWhileStoreIsMade(t *testing.T) {
	for n := int64(1); ; n++ {
		w := newWorld(faultdisk.New(faultdisk.Config{}))
		w.disk.CrashAt(n)
		err := w.open()
		if err == nil {
			_, err = w.run([]act{post(boxes[0], 1, forever, 0, 10)})
		}
		if !w.disk.Crashed() {
			_ = w.close()
			break
		}
		for _, cut := range cuts(uint64(n)) {
			again := w.on(w.disk.Crash(cut))
			if oerr := again.open(); oerr != nil {
				t.Fatalf("crash at change %d, %+v: %v", n, cut, oerr)
			}
			if aerr := again.audit(); aerr != nil {
				t.Fatalf("crash at change %d, %+v, post said %v: %v", n, cut, err, aerr)
			}
			if serr := again.sound(); serr != nil {
				t.Fatalf("crash at change %d, %+v: %v", n, cut, serr)
			}
			_ = again.close()
		}
		_ = w.close()
	}
}
