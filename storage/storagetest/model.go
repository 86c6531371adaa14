package storagetest

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"zaqar/internal/testenv"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// The environment says how much Model does, for long runs and to repeat one.
const (
	envHistories = "ZAQAR_MODEL_HISTORIES" // number of histories, default 60
	envSteps     = "ZAQAR_MODEL_STEPS"     // steps of each, default 250
	envSeed      = "ZAQAR_MODEL_SEED"      // seed of the first, default: the time
)

// Model replays random histories on a store of the harness and on the
// reference model and compares every answer. Ids and positions differ between
// the two: ids are compared by what made them, positions by their order.
//
// On a difference it prints the seed and the shortest history it can find that
// still differs. It supposes that a Claim hands back as many Spent messages as
// there are, up to a hundred.
func Model(t *testing.T, h Harness) {
	histories, steps := testenv.Int(t, envHistories, 60), testenv.Int(t, envSteps, 250)
	first := testenv.Int(t, envSeed, int(time.Now().UnixNano()&0xffffffff))
	for seed := first; seed < first+histories; seed++ {
		history := newHistory(uint64(seed), steps, h.Reopen != nil)
		if f := replay(t, h, history); f != nil {
			f = shrink(t, h, f)
			t.Fatalf("the store differs from the model; %s=%d %s=%d %s=1 repeats it.\n%s",
				envSeed, seed, envSteps, steps, envHistories, f)
		}
	}
}

// step is one thing that happens in a history. Steps name what earlier steps
// made (m3.0 is the first message of step 3), so that a history stays
// meaningful when steps are left out: such names are then unknown ids.
type step struct {
	text string
	pass time.Duration      // how far the clock moves first
	run  func(*side) string // on one store; returns the answer in words
	// judge, if any, compares what may differ but not in any way. The answers
	// in words must always be equal.
	judge func(driver, model *side) string
	// smaller are steps that shrink may put in its place.
	smaller []step
}

// failure is a history up to the step on which the stores differ.
type failure struct {
	history []step
	answers []string // of the model, to all steps
	problem string
}

// String lists the steps and their answers, and what is wrong with the last.
func (f *failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d steps:\n", len(f.history))
	for i, st := range f.history {
		fmt.Fprintf(&b, "  %s\n", st.text)
		if i < len(f.history)-1 && f.answers[i] != "" {
			fmt.Fprintf(&b, "      -> %s\n", f.answers[i])
		}
	}
	b.WriteString(f.problem)
	return b.String()
}

// newHistory makes up a history. Of each history some operations are left out,
// so that the others interact more.
func newHistory(seed uint64, steps int, restarts bool) []step {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 0))}
	var menu []func(*maker) step
	for _, o := range operations() {
		if o.restart && !restarts {
			continue
		}
		for range o.weight * []int{0, 1, 1, 3}[m.IntN(4)] {
			menu = append(menu, o.make)
		}
	}
	var history []step
	for i := range steps {
		m.number = i + 1
		next := post
		if len(menu) > 0 && m.IntN(5) > 0 {
			next = pick(m, menu)
		}
		history = append(history, next(m))
	}
	return append(history, lookAtAll())
}

// replay runs a history on fresh stores. It returns nil if they agree.
func replay(t testing.TB, h Harness, history []step) *failure {
	sc := &scope{TB: t}
	defer sc.end()
	clock := NewClock()
	env := storage.Env{Now: clock.Now, Log: slog.New(slog.DiscardHandler)}
	driver, model := newSide(h.Open(sc, env), clock, h), newSide(memory.New(env), clock, h)
	defer func() { driver.Close() }()
	driver.restart = func() { driver.Store = h.Reopen(sc, env, driver.Store) }
	model.restart = func() {}

	order := make(placesInOrder)
	f := &failure{}
	for i, st := range history {
		clock.Advance(st.pass)
		driver.seen, model.seen = nil, nil
		want, got := answer(st, model), answer(st, driver)
		f.answers = append(f.answers, want)
		if f.problem = compare(st, driver, model, got, want); f.problem == "" {
			f.problem = order.check(driver.seen, model.seen)
		}
		if f.problem != "" {
			f.history = history[:i+1]
			return f
		}
	}
	return nil
}

// answer runs a step; a panic is an answer, too.
func answer(st step, x *side) (words string) {
	defer func() {
		if p := recover(); p != nil {
			words = fmt.Sprintf("panic: %v", p)
		}
	}()
	return st.run(x)
}

func compare(st step, driver, model *side, got, want string) string {
	if got != want {
		return differing(got, want)
	}
	if st.judge != nil {
		return st.judge(driver, model)
	}
	return ""
}

// differing shows the lines in which two answers differ.
func differing(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(g) != len(w) {
		return fmt.Sprintf("store: %s\nmodel: %s", got, want)
	}
	var b strings.Builder
	for i := range g {
		if g[i] != w[i] {
			fmt.Fprintf(&b, "store: %s\nmodel: %s\n", g[i], w[i])
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// scope is a test whose clean-up runs at the end of one replay.
type scope struct {
	testing.TB
	undo []func()
}

// Cleanup is that of testing.TB, for what ends with the scope.
func (s *scope) Cleanup(f func()) { s.undo = append(s.undo, f) }

// TempDir is that of testing.TB. The directory ends with the scope.
func (s *scope) TempDir() string {
	s.Helper()
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (s *scope) end() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
}
