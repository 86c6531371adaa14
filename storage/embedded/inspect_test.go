package embedded

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

func (w *world) inspected(t *testing.T, queues int) *Info {
	t.Helper()
	changes := w.disk.Changes()
	in, err := Inspect(t.Context(), w.tool(), queues)
	must(t, err)
	if w.disk.Changes() != changes {
		t.Error("info has changed the disk")
	}
	return in
}

// Info counts what the store itself counts, in use and stopped.
func TestInspectCountsWhatIsThere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		w := newWorld(faultdisk.New(faultdisk.Config{Seed: seed}))
		must(t, w.open())
		_, err := w.run(randomActs(seed, 120))
		must(t, err)
		ctx := context.Background()
		total, claimed, err := w.store.Volume(ctx)
		must(t, err)
		perQueue := map[messaging.QueueRef]messaging.Tally{}
		for _, q := range boxes {
			perQueue[q], err = w.store.Tally(ctx, q)
			must(t, err)
		}
		parts := 0
		for _, q := range boxes[len(queues):] {
			parts += perQueue[q].Total
		}
		exist := 0
		for _, p := range projects {
			for _, topics := range []bool{false, true} {
				n, err := w.store.CountQueues(ctx, p, topics)
				must(t, err)
				exist += n
			}
		}
		for _, running := range []bool{true, false} {
			if !running {
				must(t, w.close())
			}
			in := w.inspected(t, AllQueues)
			if in.Messages != total || in.Claimed != claimed || in.Queues < exist || in.Queues != len(in.PerQueue) || in.Parts != parts {
				t.Errorf("seed %d, running %v: %d messages, %d claimed, %d queues, %d in parts; want %d, %d, at least %d, %d",
					seed, running, in.Messages, in.Claimed, in.Queues, in.Parts, total, claimed, exist, parts)
			}
			for _, q := range in.PerQueue {
				want := perQueue[messaging.QueueRef{Project: q.Project, Name: q.Queue, Topic: q.Topic}]
				if q.Messages != want.Total || q.Claimed != want.Claimed || (q.Oldest != nil) != (q.Messages > 0) {
					t.Errorf("seed %d, running %v: %+v, want %+v", seed, running, q, want)
				}
			}
			s := in.Space
			if s.Live <= 0 || s.Live+s.Needed+s.Dead+s.Reserved+s.Index > s.Disk || len(in.Damage)+len(in.Damaged) > 0 {
				t.Errorf("seed %d, running %v: %+v", seed, running, s)
			}
		}
	}
}

func TestInspectFindsTheOldest(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[0], 1, 5, 0, 10), pass(3000), post(boxes[1], 2, forever, 0, 2000), pass(1000), post(boxes[0], 3, forever, 0, 10))
	first := w.posted[1]
	w.does(t, pass(2000)) // the very first one is gone by now
	in := w.inspected(t, 1)
	if in.Oldest == nil || in.Oldest.Message != string(first.id) || in.Oldest.Queue != first.queue.Name || in.At.Sub(in.Oldest.Posted) != 3*time.Second {
		t.Errorf("%+v, want %v", in.Oldest, first)
	}
	if len(in.PerQueue) != 1 || in.PerQueue[0].Queue != boxes[1].Name || in.PerQueue[0].Messages != 2 || in.Queues != 2 {
		t.Errorf("the largest queue is %+v", in.PerQueue)
	}
	if w.inspected(t, 0).PerQueue != nil {
		t.Error("queues are listed that nobody asked for")
	}
	if len(in.Projects) != 1 || in.Projects[0].Messages != 5 {
		t.Errorf("projects: %+v", in.Projects)
	}
}

func TestInspectTellsOfDamage(t *testing.T) {
	w, _ := aged(t)
	logs := w.files(t, logSuffix)
	must(t, w.disk.FlipBit("store/"+logs[0], 700, 1))
	must(t, w.disk.Remove("store/"+indexName(1)))
	must(t, w.disk.MkdirAll("store/"+quarantineName))
	must(t, replaceFile(w.disk, "store/"+quarantineName, "store/"+quarantineName+"/0000000000.log", make([]byte, 100)))
	must(t, replaceFile(w.disk, "store", "store/"+failedName, []byte(failureMark(2, 64))))
	in := w.inspected(t, 0)
	if len(in.Damage) != 1 || !slices.Equal(in.Damaged, logs[:1]) || len(in.Quarantine) != 1 || in.Space.Quarantine != 100 || !in.Failed {
		t.Errorf("%+v", in)
	}
	v := w.verified(t)
	notes := ""
	for _, n := range v.Notes {
		notes += n.File + ": " + n.Text + "\n"
	}
	if !strings.Contains(notes, failedName) || !strings.Contains(notes, "0000000000.log") {
		t.Errorf("verify notes:\n%s", notes)
	}
}

func TestGlance(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[0], 1, forever, 0, 10))
	glance := func() *Condition {
		t.Helper()
		c, err := Glance(t.Context(), w.tool())
		must(t, err)
		return c
	}
	if c := glance(); !c.Healthy || c.Segments != 2 || c.Disk == 0 || len(c.Store) != 8 {
		t.Errorf("%+v", c)
	}
	w.disk.SetCapacity(w.disk.Used() + 1<<20)
	if c := glance(); c.Healthy || !strings.Contains(strings.Join(c.Problems, ""), "full") {
		t.Errorf("on a full disk: %+v", c)
	}
	w.disk.SetCapacity(0)
	w.disk.Inject(faultdisk.Fault{Kind: faultdisk.Sync, Name: "*.log", Err: errors.New("broken")})
	if _, err := w.send(t, 10); err == nil {
		t.Fatal("a post succeeded")
	}
	if c := glance(); c.Healthy || !strings.Contains(strings.Join(c.Problems, ""), "restart") {
		t.Errorf("after a disk error: %+v", c)
	}
}

func TestCompactAll(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[1], 3, forever, 0, 100))
	for range 8 {
		w.turnPage(t, false)
	}
	_, err := CompactAll(t.Context(), w.tool())
	if !errors.Is(err, disk.ErrLocked) {
		t.Errorf("while it is in use: %v", err)
	}
	w.does(t, purge(boxes[2]), post(boxes[1], 3, 5, 0, 100), pass(10_000))
	w.store.tend()
	want := w.list1(t)
	must(t, w.close())
	tool := w.tool()
	r, err := CompactAll(t.Context(), tool)
	must(t, err)
	if r.After.Log > r.Before.Log/2 || r.After.Segments >= r.Before.Segments || r.After.Live == 0 {
		t.Errorf("%+v", r)
	}
	if again, err := CompactAll(t.Context(), tool); err != nil || again.After.Log > r.After.Log {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	if v := w.verified(t); !v.Clean || v.Messages != len(want) {
		t.Errorf("%+v", v)
	}
	must(t, w.open())
	if got := w.list1(t); !slices.Equal(got, want) {
		t.Errorf("%v are left, want %v", got, want)
	}
}

// Compaction tells how far it is, and stops between two segments when told to.
func TestCompactAllInterrupted(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[1], 3, forever, 0, 100))
	for range 8 {
		w.turnPage(t, false)
		w.does(t, post(boxes[1], 1, forever, 0, 100)) // so that each has to be rewritten
	}
	w.does(t, purge(boxes[2]))
	want := w.list1(t)
	must(t, w.close())
	before := len(w.files(t, logSuffix))
	ctx, cancel := context.WithCancel(t.Context())
	tool, told := w.tool(), 0
	tool.Progress = func(p Progress) {
		if told++; told == 3 {
			cancel()
		}
		if p.Done < 0 || p.Done > p.Total {
			t.Errorf("%+v", p)
		}
	}
	if _, err := CompactAll(ctx, tool); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left := len(w.files(t, logSuffix)); told != 3 || left < before/2 {
		t.Errorf("told %d times, %d segments are left of %d", told, left, before)
	}
	if v := w.verified(t); !v.Clean || v.Messages != len(want) {
		t.Errorf("%+v", v)
	}
}

// A file that the disk cannot read in one place is read everywhere else.
func TestLenientReading(t *testing.T) {
	d := faultdisk.New(faultdisk.Config{})
	must(t, d.MkdirAll("d"))
	content := make([]byte, 20_000)
	for i := range content {
		content[i] = byte(i%251) + 1
	}
	must(t, replaceFile(d, "d", "d/f", content))
	must(t, d.BreakReads("d/f", 9000, 10))
	f, err := lenient{d}.Open("d/f")
	must(t, err)
	defer f.Close()
	got := make([]byte, len(content)+100)
	for range 2 {
		if n, err := f.ReadAt(got, 0); n != len(content) || err == nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	for i := range content {
		lost := i/rescueBlock == 9000/rescueBlock
		if lost != (got[i] == noise) || !lost && got[i] != content[i] {
			t.Fatalf("byte %d reads %d", i, got[i])
		}
	}
	if u := f.(*lenientFile).unread; len(u) != 1 || u[0] != (span{8704, 512}) {
		t.Errorf("unread: %v", u)
	}
}
