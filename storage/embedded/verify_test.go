package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/internal/testenv"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// tool returns what the tools need to work on the world's store.
func (w *world) tool() Tool {
	return Tool{Dir: "store", FS: w.disk, Env: storage.Env{Now: func() time.Time { return time.UnixMilli(w.now) }}}
}

// verified verifies the store and checks that this has changed nothing.
func (w *world) verified(t testing.TB) *VerifyReport {
	t.Helper()
	changes := w.disk.Changes()
	v, err := Verify(t.Context(), w.tool())
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if w.disk.Changes() != changes {
		t.Error("verify has changed the disk")
	}
	return v
}

func (f Finding) String() string {
	live := "?"
	if f.Live != nil {
		live = fmt.Sprint(*f.Live)
	}
	return fmt.Sprintf("%s@%d+%d: %s %s %s/%s (%s, live %s): %s", f.File, f.Offset, f.Bytes, f.Record, f.Message, f.Project, f.Queue, f.Source, live, f.Problem)
}

// Whatever happened to a sound disk, crashes included, is no damage.
func TestVerifyFindsNothingWhereNothingIs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testenv.Int(t, envHistories, 40) / 2) {
		rng := rand.New(rand.NewPCG(seed, 5))
		w := newWorld(faultdisk.New(faultdisk.Config{Seed: seed}))
		must(t, w.open())
		acts := someActs(seed, 150)
		for len(acts) > 0 {
			n := min(len(acts), 1+rng.IntN(60))
			if rng.IntN(2) == 0 {
				w.disk.CrashAt(w.disk.Changes() + 1 + rng.Int64N(200))
			}
			_, err := w.run(acts[:n])
			if err != nil && !w.disk.Crashed() {
				t.Fatalf("seed %d: %v", seed, err)
			}
			acts = acts[n:]
			if !w.disk.Crashed() {
				if d := w.verified(t).Damage; len(d) > 0 {
					t.Fatalf("seed %d, in use: %v\n%s", seed, d, story(acts))
				}
			}
			_ = w.close()
			if !w.disk.Crashed() {
				w.disk = w.disk.Clone() // not to crash any more
			} else {
				w.disk = w.disk.Crash(cuts(rng.Uint64())[rng.IntN(6)])
			}
			if d := w.verified(t).Damage; len(d) > 0 {
				t.Fatalf("seed %d, crashed or closed: %v", seed, d)
			}
			must(t, w.open())
			w.ledger = newWorld(nil).ledger // what it was told is another test's affair
			if d := w.verified(t).Damage; len(d) > 0 {
				t.Fatalf("seed %d, after a start: %v", seed, d)
			}
		}
		_ = w.close()
	}
}

// Every record whose bits flip is named: where it is, what it was, and of
// which message; from what is left of it or, in a full segment, from the index.
func TestVerifyNamesDamagedRecords(t *testing.T) {
	w := busy(t)
	list := w.records(t, 1)
	last := 0
	for i, p := range list {
		if p.kind == recCommit {
			last = i
		}
	}
	for i, p := range list[:last] {
		for _, at := range []uint32{0, 5, 8, 10, frameSize + (p.size-frameSize)/2, p.size - 1} {
			what := fmt.Sprintf("record %d, %s at %d, byte %d", i, p.kind, p.off, at)
			again := w.on(w.disk.Clone())
			must(t, again.disk.FlipBit("store/"+segmentName(1), int64(p.off+at), 2))
			d := again.verified(t).Damage
			if len(d) != 1 || d[0].File != segmentName(1) || d[0].Offset != int64(p.off) || d[0].Bytes != int64(padded(int(p.size))) || !d[0].Acknowledged {
				t.Errorf("%s: reported as %v", what, d)
				continue
			}
			if framed := at == 0 || at >= frameSize+(p.size-frameSize)/2; framed && d[0].Record != p.kind.String() {
				t.Errorf("%s: named a %q", what, d[0].Record)
			}
			if at == 0 && p.kind == recMessage && (d[0].Message != w.idOf(t, p.id) || d[0].Queue == "") {
				t.Errorf("%s: named %v", what, d[0])
			}
		}
	}
}

// idOf renders a number as the store of the world does.
func (w *world) idOf(t *testing.T, n uint64) string {
	t.Helper()
	sn, err := look(t.Context(), "store", w.disk, w.tool().Env)
	must(t, err)
	defer sn.close()
	return sn.id(n)
}

func TestVerifyNamesDamageByTheIndex(t *testing.T) {
	w, bodies := aged(t)
	named := 0
	for _, index := range w.files(t, indexSuffix) {
		number, _ := segmentNumber(index, indexSuffix)
		for _, p := range w.records(t, number) {
			for _, at := range []uint32{4, 9, p.size - 1} {
				again := w.on(w.disk.Clone())
				must(t, again.disk.FlipBit("store/"+segmentName(number), int64(p.off+at), 1))
				d := again.verified(t).Damage
				if len(d) != 1 || d[0].Offset != int64(p.off) || d[0].Bytes != int64(padded(int(p.size))) {
					t.Fatalf("%s at %d, byte %d: reported as %v", p.kind, p.off, at, d)
				}
				if p.kind == recCommit {
					continue // an index has none
				}
				named++
				f := d[0]
				if f.Source != "index" || f.Record != p.kind.String() {
					t.Errorf("%s at %d, byte %d: named %v", p.kind, p.off, at, f)
				}
				if p.kind == recMessage && (f.Message != w.idOf(t, p.id) || f.Queue != boxes[0].Name || f.Live == nil || !*f.Live) {
					t.Errorf("message at %d, byte %d: named %v", p.off, at, f)
				}
			}
		}
	}
	if named < len(bodies) {
		t.Errorf("only %d records were hit", named)
	}
}

// Damage to what was deleted since is damage, and no loss.
func TestVerifyTellsWhatIsStillThere(t *testing.T) {
	w, _ := aged(t)
	must(t, w.open())
	list := w.list(t)
	must(t, w.store.Remove(t.Context(), boxes[0], list[:1], storage.Hold{}))
	must(t, w.close())
	for i, p := range w.records(t, 1) {
		if p.kind != recMessage {
			continue
		}
		must(t, w.disk.FlipBit("store/"+segmentName(1), int64(p.off+p.size-1), 1))
		d := w.verified(t).Damage
		must(t, w.disk.FlipBit("store/"+segmentName(1), int64(p.off+p.size-1), 1))
		n, _ := w.number(t, string(list[0]))
		if want := p.id != n; len(d) != 1 || d[0].Live == nil || *d[0].Live != want {
			t.Errorf("record %d: reported as %v, want live: %v", i, d, want)
		}
	}
}

func (w *world) number(t *testing.T, id string) (uint64, bool) {
	t.Helper()
	sn, err := look(t.Context(), "store", w.disk, w.tool().Env)
	must(t, err)
	defer sn.close()
	return sn.number(id)
}

// Every byte of every file matters to verify, but for zeros behind the end of
// the log; what crash recovery would cut off is no damage.
func TestVerifyFindsEveryFlippedBit(t *testing.T) {
	w, _ := aged(t)
	if v := w.verified(t); !v.Clean || v.Messages != 60 || v.Segments < 3 || v.Records == 0 || v.Indexes == 0 {
		t.Fatalf("before any damage: %+v", v)
	}
	logs := w.files(t, logSuffix)
	tail, _ := segmentNumber(logs[len(logs)-1], logSuffix)
	end := uint32(0)
	for ; end == 0; tail-- { // the last ones are spares
		for _, p := range w.records(t, tail) {
			if p.kind == recCommit {
				end = p.off
			}
		}
	}
	tail++
	for _, name := range slices.Concat(logs, w.files(t, indexSuffix), []string{formatName}) {
		content, err := w.disk.ReadFile("store/" + name)
		must(t, err)
		used := len(bytes.TrimRight(content, "\x00"))
		number, isLog := segmentNumber(name, logSuffix)
		for off := 0; off < used; off += 1 + used/25 {
			again := w.on(w.disk.Clone())
			must(t, again.disk.FlipBit("store/"+name, int64(off), uint(off)%8))
			v := again.verified(t)
			switch {
			case isLog && number > tail: // a spare is nothing
			case isLog && number == tail && off >= int(end): // the last commit
				if !v.Clean || len(v.Notes) == 0 {
					t.Errorf("%s bit at %d, in the last commit: %v, %v", name, off, v.Damage, v.Notes)
				}
			case name == formatName && v.Clean: // a letter of another size, or the like
				if len(v.Notes) == 0 {
					t.Errorf("%s bit at %d is not found", name, off)
				}
			case v.Clean:
				t.Errorf("%s bit at %d is not found", name, off)
			case isLog && off < headerSize && v.Damage[0].Record != "header",
				isLog && off >= headerSize && v.Damage[0].Offset > int64(off):
				t.Errorf("%s bit at %d: reported as %v", name, off, v.Damage)
			}
			if f := slices.IndexFunc(v.Damage, func(f Finding) bool { return f.File != name }); f >= 0 {
				t.Errorf("%s bit at %d: reported as %v", name, off, v.Damage[f])
			}
		}
	}
}

// A full segment that has lost its end says nothing of it; its index does.
func TestVerifyMissesTheEndOfASegment(t *testing.T) {
	w, _ := aged(t)
	list := w.records(t, 1)
	cut := list[len(list)-4]
	for what, damage := range map[string]func(*world, int64) error{
		"cut": func(w *world, at int64) error { return w.resize("store/"+segmentName(1), at) },
		"zeros": func(w *world, at int64) error {
			return errors.Join(w.resize("store/"+segmentName(1), at), w.resize("store/"+segmentName(1), smallestSize))
		},
	} {
		again := w.on(w.disk.Clone())
		must(t, damage(again, int64(cut.off)))
		messages := 0
		for _, f := range again.verified(t).Damage {
			if f.Record == "message" && f.Live != nil && *f.Live {
				messages++
			}
		}
		want := 0
		for _, p := range list[len(list)-4:] {
			if p.kind == recMessage {
				want++
			}
		}
		if messages != want || want == 0 {
			t.Errorf("%s: %d messages are named, want %d", what, messages, want)
		}
	}
}

// resize cuts a file, or adds zeros to it.
func (w *world) resize(name string, size int64) error {
	f, err := w.disk.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

func TestVerifyReportsSectorsThatCannotBeRead(t *testing.T) {
	w, _ := aged(t)
	must(t, w.disk.BreakReads("store/"+segmentName(2), 600, 1))
	d := w.verified(t).Damage
	if len(d) == 0 {
		t.Fatal("nothing is found")
	}
	for _, f := range d {
		if f.File != segmentName(2) {
			t.Errorf("reported as %v", f)
		}
	}
}

// Records that are whole and cannot be true are damage as well.
func TestVerifyFindsContradictions(t *testing.T) {
	for what, c := range map[string]struct {
		write func(b []byte, w *world) []byte
		says  string
	}{
		"a delete of what never was": {func(b []byte, w *world) []byte {
			q := w.store.lookup(boxes[0])
			pos := q.chunks[0].entries[0].pos + 1_000_000
			return appendOperation(b, &operation{kind: recRemove, queue: q.number, targets: []target{{pos, w.head()}}})
		}, "posted later"},
		"a delete of a number that was a gap": {func(b []byte, w *world) []byte {
			q := w.store.lookup(boxes[0])
			return appendOperation(b, &operation{kind: recRemove, queue: q.number, targets: []target{{q.chunks[0].entries[0].pos + 1, w.head()}}})
		}, "lacks"},
		"a message of the future": {func(b []byte, w *world) []byte {
			m := message{queue: 1, id: 1 << 40, pos: 1 << 40, posted: 1, ttl: 9, expires: expiry(1, 9), poster: []byte("x"), last: true}
			return appendMessage(b, &m)
		}, "given out later"},
		"half a post": {func(b []byte, w *world) []byte {
			m := message{queue: 1, id: 1, pos: 1, posted: 1, ttl: 9, expires: expiry(1, 9), poster: []byte("x")}
			return appendState(appendMessage(b, &m), &state{queue: 1, pos: 1})
		}, "last messages"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(faultdisk.New(faultdisk.Config{}))
			w.size = 64 << 10
			must(t, w.open())
			w.does(t, post(boxes[0], 1, forever, 0, 10))
			w.store.journal.reserveNumber()
			w.does(t, post(boxes[0], 1, forever, 0, 10), post(boxes[0], 1, forever, 0, 10))
			g, err := w.store.journal.submit(0, func(b []byte, _ uint64) []byte { return c.write(b, w) }, func(*segment, uint32) {}, nil)
			must(t, err)
			must(t, g.wait())
			w.does(t, post(boxes[0], 1, forever, 0, 10))
			must(t, w.close())
			d := w.verified(t).Damage
			if len(d) != 1 || !strings.Contains(d[0].Problem, c.says) {
				t.Errorf("reported as %v", d)
			}
		})
	}
}
